"""Where the usual form of a value is read in a quicker way, the answer is the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presproxy.errors import MalformedField
from presproxy.sip.fields import (
    NameAddress,
    cut_any_name_address,
    parse_cseq,
    parse_name_address,
    parse_via,
    read_any_cseq,
    read_any_via,
    stamp_any_via,
    stamp_via,
)
from presproxy.sip.uri import (
    address_of_record,
    parse_any_uri,
    parse_uri,
)

#: Usual values, and what may be done to them.
VIAS = [
    "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport",
    "SIP/2.0/TCP a-b.example.test;rport;branch=z9hG4bK-1.2~x;alias",
    "SIP/2.0/UDP h:65535;received=192.0.2.9;rport=1;branch=rport;keep",
]
ADDRESSES = [
    '"Alice B" <sip:alice@example.test>;tag=a1',
    "<sip:alice@example.test;transport=tcp?x=y>;tag=a1.b~c",
    "<sip:alice@example.test>",
    "sip:alice@example.test;tag=a1",
]
CSEQS = ["1 PUBLISH", "2147483647 SUBSCRIBE", "007 NOTIFY"]
URIS = [
    "sip:alice.b_c+d-e@example.test",
    "sip:alice@192.0.2.1:5060",
    "sip:alice@a.test:65535",
    "sip:a@h:5061;transport=tcp",
    "sip:a-B_c@192.0.2.1:5060;transport=tcp;lr",
]
PIECES = [
    *("", " ", "\t", ";", ",", ":", "=", '"', "\\", "<", ">", "@", "/", "%41", "[::1]"),
    *("A", "é", "٣", "\x00", "\x7f", "\n", "\ud800", "_", "+", "9", "99999", "-", "."),
    *(
        ";rport",
        ";rport=",
        ";RPORT",
        ";received=h",
        "rport",
        ";tag=",
        ";x",
        ";x=y",
        "s",
    ),
]


def damaged(texts):
    damages = st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 4), st.sampled_from(PIECES)),
        max_size=3,
    )
    return st.builds(_damage, st.sampled_from(texts), damages)


def _damage(text, damages):
    for where, length, piece in damages:
        at = int(where * len(text))
        text = text[:at] + piece + text[at + length :]
    return text


def answer_of(read, *arguments):
    try:
        return read(*arguments)
    except MalformedField as error:
        return str(error)


many = settings(max_examples=5 * settings().max_examples)


@many
@given(damaged(VIAS))
def test_a_via(text):
    assert answer_of(parse_via, text) == answer_of(read_any_via, text)


@many
@given(damaged(ADDRESSES))
def test_a_name_address(text):
    def read_any(name, text):
        return NameAddress(*cut_any_name_address(name, text))

    assert answer_of(parse_name_address, "To", text) == answer_of(read_any, "To", text)


@many
@given(damaged(CSEQS))
def test_a_cseq(text):
    assert answer_of(parse_cseq, text) == answer_of(read_any_cseq, text)


@many
@given(damaged(URIS))
def test_a_uri(text):
    assert answer_of(parse_uri, text) == answer_of(parse_any_uri, text)


@many
@given(damaged(URIS))
def test_an_address_of_record(text):
    def of_any(text):
        return address_of_record(parse_any_uri(text))

    if text[:4].lower() == "sip:":
        assert answer_of(address_of_record, text) == answer_of(of_any, text)


@many
@given(
    damaged(VIAS), st.sampled_from([None, "192.0.2.7"]), st.sampled_from([None, 1024])
)
def test_a_stamp(text, received, rport):
    def stamped(stamp):
        return parse_via(stamp(text, received, rport))

    if isinstance(answer_of(parse_via, text), str):
        return
    assert stamped(stamp_via) == stamped(stamp_any_via)


@pytest.mark.parametrize("text", VIAS)
def test_a_stamped_via_is_as_it_was_written_but_for_the_stamp(text):
    plain = text.replace(";rport=1", ";rport").replace(";received=192.0.2.9", "")

    assert stamp_via(plain.replace("=rport", "=r"), "192.0.2.7", 9) == (
        f"{plain.replace('=rport', '=r').replace(';rport', ';rport=9')}"
        ";received=192.0.2.7"
    )
