from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.subscribers import (
    NAMESPACE,
    read_set_subscribers,
    write_set_subscribers,
)


def document(content: str) -> bytes:
    return f'<setSubscribers xmlns="{NAMESPACE}">{content}</setSubscribers>'.encode()


def test_whom_a_user_acknowledges_is_read_as_written():
    body = document(
        '<subscriber user="Bob@Example.test" acknowledged="true"/>'
        '<subscriber user="carol@example.test" acknowledged="false"/>'
        '<subscriber user="dave@example.test"/>'
    )

    assert read_set_subscribers(body) == (
        ("Bob@Example.test", True),
        ("carol@example.test", False),
        ("dave@example.test", True),
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            b"<setSubscribers/>",
            "the root is 'setSubscribers', not setSubscribers of http",
        ),
        (document("<subscriber/>"), "subscriber 1: no user"),
        (
            document('<subscriber user="a"/><subscriber user="b" acknowledged="?"/>'),
            "subscriber 2: acknowledged is '?', not true or false",
        ),
        (
            document('<subscriber user="a"/>' * 5001),
            "setSubscribers: over 5000 elements subscriber",
        ),
    ],
)
def test_what_is_wrong_is_said(why, data, reason):
    assert why(read_set_subscribers, data).startswith(reason)


USERS = st.text("abc@.\u00e4<&>\"'", min_size=1, max_size=8)


@given(st.lists(st.tuples(USERS, st.booleans()), max_size=4).map(tuple))
def test_what_was_written_is_read_the_same(subscribers):
    assert read_set_subscribers(write_set_subscribers(subscribers)) == subscribers


def test_an_address_is_written_without_its_scheme():
    assert write_set_subscribers([("sip:bob@example.test", True)]) == document(
        '<subscriber user="bob@example.test" acknowledged="true"/>'
    )
