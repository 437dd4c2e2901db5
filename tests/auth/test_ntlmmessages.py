"""The two messages of NTLM."""

from __future__ import annotations

import struct
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spnego._ntlm_raw.messages import AvId, Challenge

from presproxy.auth.ntlmmessages import (
    OFFERED,
    Flag,
    read_authenticate,
    write_challenge,
)
from presproxy.errors import MalformedField

AUTHENTICATE = b64decode(
    "TlRMTVNTUAADAAAAGAAYAHAAAABqAGoAiAAAAAAAAABIAAAAJAAkAEgAAAAEAAQAbAAAABAAEADyAAAA"
    "VYKYYgUBKAoAAAAPYQBsAGkAYwBlAEAAZQB4AGEAbQBwAGwAZQAuAHQAZQBzAHQAVgBNAMfuCxFPsbGD"
    "HdXangyZZ4vK7TFmSgm0BKyXoaB1lrOH4ZgqAHJ/af8BAQAAAAAAAGBzP3VLet0Byu0xZkoJtAQAAAAA"
    "AQAEAFYATQACABYAVwBPAFIASwBTAFQAQQBUAEkATwBOAAMABAB2AG0ABwAIAGBzP3VLet0BAAAAAAAA"
    "AABt4tHa65F2SHrNDle1TlnN"
)


def changed(at, written):
    """Give the AUTHENTICATE with other octets at a place."""
    return AUTHENTICATE[:at] + written + AUTHENTICATE[at + len(written) :]


def pointer(length, begin):
    return struct.pack("<HHI", length, length, begin)


def test_a_challenge_reads_as_it_was_written():
    written = write_challenge(b"12345678", "presproxy.example.test", "example.test")

    read = Challenge.unpack(written)
    assert read.server_challenge == b"12345678"
    assert read.flags == OFFERED
    assert read.target_name == "PRESPROXY"
    assert dict(read.target_info) == {
        AvId.nb_domain_name: "EXAMPLE",
        AvId.nb_computer_name: "PRESPROXY",
        AvId.dns_domain_name: "example.test",
        AvId.dns_computer_name: "presproxy.example.test",
        AvId.eol: b"",
    }


@pytest.mark.parametrize(
    "flag",
    [
        Flag.UNICODE,
        Flag.NTLM,
        Flag.ALWAYS_SIGN,
        Flag.EXTENDED_SESSION_SECURITY,
        Flag.TARGET_INFO,
        Flag.SIGN,
        Flag.DATAGRAM,
        Flag.IDENTIFY,
        Flag.KEY_EXCHANGE,
    ],
)
def test_all_is_offered_that_clients_insist_on(flag):
    assert flag in OFFERED


def test_an_answer_is_read():
    answer = read_authenticate(AUTHENTICATE)

    assert (answer.user, answer.domain) == ("alice@example.test", "")
    assert answer.proof.hex() == "ac97a1a07596b387e1982a00727f69ff"
    assert answer.rest.startswith(b"\x01\x01")
    assert len(answer.rest) == 0x6A - 16
    assert answer.key == AUTHENTICATE[-16:]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no message of NTLM"),
        (AUTHENTICATE[:63], "no message of NTLM"),
        (b"X" + AUTHENTICATE[1:], "no message of NTLM"),
        (changed(8, b"\x01\0\0\0"), "type 1"),
        (changed(8, b"\x02\0\0\0"), "type 2"),
        (AUTHENTICATE + bytes(9000), "octets are more than"),
        (AUTHENTICATE[:-1], "the session key is outside"),
        (changed(20, pointer(0, 0)), "not NTLMv2"),
        (changed(20, pointer(24, 0x70)), "a response of 24 octets is not NTLMv2"),
        (changed(20, pointer(0xFFFF, 0x88)), "the response is outside"),
        (changed(20, pointer(0x6A, 0xFFFFFFFF)), "the response is outside"),
        (changed(20, pointer(0x6A, 0)), "the response is outside"),
        (changed(36, pointer(36, 0xF0)), "the user is outside"),
        (changed(36, pointer(35, 0x48)), "the user is not text"),
        (changed(28, pointer(2, 10)), "the domain is outside"),
        (changed(0x48, b"\0\xdc"), "the user is not text"),
        (changed(52, pointer(8, 0xF2)), "a session key of 8 octets"),
        (changed(52, pointer(0, 0)), "a session key of 0 octets"),
        (changed(60, bytes(4)), "without UNICODE"),
        (changed(60, b"\x55\x82\x98\x22"), "without KEY_EXCHANGE"),
    ],
)
def test_what_cannot_be_read_is_malformed(data, why):
    with pytest.raises(MalformedField, match=why):
        read_authenticate(data)


@given(st.integers(0, len(AUTHENTICATE) - 1))
def test_a_message_cut_short_is_malformed(end):
    with pytest.raises(MalformedField):
        read_authenticate(AUTHENTICATE[:end])


@given(
    st.lists(
        st.tuples(st.integers(0, len(AUTHENTICATE) - 1), st.integers(0, 255)),
        max_size=8,
    )
)
def test_a_damaged_message_is_read_or_malformed(damage):
    data = bytearray(AUTHENTICATE)
    for at, octet in damage:
        data[at] = octet

    try:
        answer = read_authenticate(bytes(data))
    except MalformedField:
        return
    assert len(answer.proof) == len(answer.key) == 16
