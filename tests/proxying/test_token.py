"""The way a dialog takes through us, sealed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.proxying.keys import Keyring
from presproxy.proxying.token import Ends, PathTokens, RouteTokens
from presproxy.sip.message import parse_message

TOKENS = RouteTokens(Keyring(b"secret"))


def of(call_id="c1", sender="<sip:a@b>;tag=hers", other="<sip:c@b>;tag=his"):
    return parse_message(
        f"BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: {sender}\r\n"
        f"To: {other}\r\nCall-ID: {call_id}\r\nCSeq: 1 BYE\r\n\r\n".encode()
    )


BEGINNING = of(other="<sip:c@b>")
HERS, HIS = "<sip:a@b>;tag=hers", "<sip:c@b>;tag=his"


@pytest.mark.parametrize(
    ("sender", "other", "ends"),
    [
        (HERS, HIS, Ends("1", "udp:::1:5060")),
        (HIS, HERS, Ends("udp:::1:5060", "1")),
        (HERS, '"C" <sip:c@B;transport=tcp>;tag=2', Ends("1", "udp:::1:5060")),
    ],
    ids=["the caller", "the callee", "written otherwise"],
)
def test_each_end_finds_the_other(sender, other, ends):
    text = TOKENS.write(BEGINNING, "1", "udp:::1:5060")

    assert TOKENS.read(text, of(sender=sender, other=other)) == ends


@pytest.mark.parametrize(
    ("sender", "other"),
    [
        ("<sip:boss@b>;tag=hers", HIS),
        ("<sip:a@b>;tag=another", HIS),
        ("<sip:boss@b>;tag=his", HERS),
        (HERS, "<sip:another@b>;tag=his"),
        (HERS, "<sip:c@b>"),
    ],
    ids=["in another's name", "another's tag", "to her", "to another", "no dialog"],
)
def test_it_is_for_nobody_but_the_two(sender, other):
    text = TOKENS.write(BEGINNING, "1", "2")

    assert TOKENS.read(text, of(sender=sender, other=other)) is None


def test_names_that_are_no_addresses_are_told_apart_as_they_are():
    text = TOKENS.write(of(other="<urn:c>"), "1", "2")

    assert TOKENS.read(text, of(other="<urn:c>;tag=his")) == Ends("1", "2")


def test_it_can_be_a_user_of_a_uri():
    text = TOKENS.write(BEGINNING, "1", "udp:[2001:db8::1]:5060")

    assert text.replace("-", "").replace("_", "").isalnum()


def test_it_is_for_one_call():
    assert TOKENS.read(TOKENS.write(BEGINNING, "1", "2"), of("c2")) is None


def test_it_is_for_one_server():
    text = RouteTokens(Keyring(b"another")).write(BEGINNING, "1", "2")

    assert TOKENS.read(text, of()) is None


def test_no_letter_of_it_can_be_changed():
    text = TOKENS.write(BEGINNING, "1", "2")
    for position, letter in enumerate(text):
        changed = (
            text[:position] + ("A" if letter != "A" else "B") + text[position + 1 :]
        )
        assert TOKENS.read(changed, of()) is None


@given(st.text(max_size=500))
def test_anything_else_is_none(text):
    assert TOKENS.read(text, of()) is None


@pytest.mark.parametrize(
    ("others", "reads"),
    [([b"secret"], True), ([b"secret", b"older"], True), ([], False)],
    ids=["the one before", "before another", "forgotten"],
)
def test_a_token_outlives_its_key_as_long_as_that_is_known(others, reads):
    keys = Keyring(b"secret")
    route, path = RouteTokens(keys), PathTokens(keys)
    written, way = route.write(BEGINNING, "1", "2"), path.write("7")
    keys.take(b"newer", others)

    assert (route.read(written, of()) == Ends("1", "2")) is reads
    assert (path.read(way) == "7") is reads
    assert path.read(path.write("8")) == "8"


def test_neither_token_is_taken_for_the_other():
    keys = Keyring(b"secret")

    assert PathTokens(keys).read(RouteTokens(keys).write(BEGINNING, "1", "2")) is None
    assert RouteTokens(keys).read(PathTokens(keys).write("1 2"), of()) is None
