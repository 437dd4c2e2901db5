"""The way a dialog takes through us, sealed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.proxying.token import Ends, RouteTokens
from presproxy.sip.message import parse_message

TOKENS = RouteTokens(b"secret")


def of(call_id="c1", tag="hers"):
    return parse_message(
        f"BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a@b>;tag={tag}\r\n"
        f"To: <sip:a@b>\r\nCall-ID: {call_id}\r\nCSeq: 1 BYE\r\n\r\n".encode()
    )


@pytest.mark.parametrize(
    ("tag", "ends"),
    [("hers", Ends("1", "udp:::1:5060")), ("his", Ends("udp:::1:5060", "1"))],
)
def test_each_end_finds_the_other(tag, ends):
    text = TOKENS.write(of(), "1", "udp:::1:5060")

    assert TOKENS.read(text, of(tag=tag)) == ends


def test_it_can_be_a_user_of_a_uri():
    text = TOKENS.write(of(), "1", "udp:[2001:db8::1]:5060")

    assert text.replace("-", "").replace("_", "").isalnum()


def test_it_is_for_one_call():
    assert TOKENS.read(TOKENS.write(of(), "1", "2"), of("c2")) is None


def test_it_is_for_one_server():
    text = RouteTokens(b"another").write(of(), "1", "2")

    assert TOKENS.read(text, of()) is None


def test_no_letter_of_it_can_be_changed():
    text = TOKENS.write(of(), "1", "2")
    for position, letter in enumerate(text):
        changed = (
            text[:position] + ("A" if letter != "A" else "B") + text[position + 1 :]
        )
        assert TOKENS.read(changed, of()) is None


@given(st.text(max_size=500))
def test_anything_else_is_none(text):
    assert TOKENS.read(text, of()) is None
