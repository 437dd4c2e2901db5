from __future__ import annotations

import pytest

from presproxy.model.notice import EMPTY, Body, NumberedBody


def test_a_body_is_the_same_for_every_version():
    body = Body("text/plain", b"away")

    assert [body.numbered(version) for version in (0, 7)] == [b"away", b"away"]


def test_a_numbered_body_has_its_version_in_the_gap():
    body = NumberedBody("text/plain", b"<a v='", b"'/>")

    assert [body.numbered(version) for version in (0, 10)] == [
        b"<a v='0'/>",
        b"<a v='10'/>",
    ]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (Body("a/b", b"x"), Body("a/b", b"x"), True),
        (Body("a/b", b"x"), Body("a/b", b"y"), False),
        (Body("a/b", b"x"), Body("a/c", b"x"), False),
        (NumberedBody("a/b", b"x", b"y"), NumberedBody("a/b", b"x", b"y"), True),
        (NumberedBody("a/b", b"x", b"y"), NumberedBody("a/b", b"xy", b""), False),
        (Body("a/b", b"xy"), NumberedBody("a/b", b"x", b"y"), False),
        (EMPTY, Body("", b""), True),
    ],
)
def test_bodies_are_equal_if_they_show_the_same(one, other, equal):
    assert (one == other) is equal
