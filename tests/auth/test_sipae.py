"""What is signed of a message, and what a security association makes of it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.auth.ntlmkeys import Direction, SessionSigner
from presproxy.auth.sipae import (
    Association,
    Numbers,
    Terms,
    signed_text,
)
from presproxy.errors import CredentialsRejected
from presproxy.sip.message import parse_message
from presproxy.sip.uri import AddressOfRecord

ALICE = AddressOfRecord("sip:alice@example.test")
TERMS = Terms("NTLM", "presproxy.example.test")
KEY = bytes.fromhex("3001204d7242df38bf9bd1139d5ba517")
SALT = "55887A4C"

REGISTER = """\
REGISTER sip:example.test SIP/2.0
Via: SIP/2.0/tcp 127.0.0.1:48802;branch=z9hG4bK1
From: <sip:alice@example.test>;tag=596010956;epid=b34afb6ebb23
To: <sip:alice@example.test>
CSeq: 3 REGISTER
Call-ID: 7AC8gDC78a3E3Di6DF2mBD45t65D7bFDD2x3929x
Content-Length: 0

"""
OK = """\
SIP/2.0 200 OK
Via: SIP/2.0/tcp 127.0.0.1:48802;branch=z9hG4bK1
From: <sip:alice@example.test>;tag=596010956;epid=b34afb6ebb23
To: <sip:alice@example.test>;tag=33E1F9784F04751C
CSeq: 3 REGISTER
Call-ID: 7AC8gDC78a3E3Di6DF2mBD45t65D7bFDD2x3929x
Expires: 7200
Content-Length: 4

body"""
HEAD = (
    "<NTLM><{}><1><SIP Communications Service><presproxy.example.test>"
    "<7AC8gDC78a3E3Di6DF2mBD45t65D7bFDD2x3929x><3><REGISTER>"
    "<sip:alice@example.test><596010956>"
)


def wire(text):
    return text.replace("\n", "\r\n").encode()


def with_line(text, line):
    return text.replace("Content-Length", f"{line}\nContent-Length", 1)


def signed(text, version=4):
    terms = Terms("NTLM", "presproxy.example.test", version)
    return signed_text(terms, "s", "1", parse_message(wire(text))).decode()


@pytest.fixture
def association():
    signer = SessionSigner.of(KEY)
    return Association(
        "EF4F9C42", ALICE, TERMS, signer, 100.0, lambda n: bytes.fromhex(SALT)
    )


@pytest.fixture
def sign():
    """Sign as the client does; what is given goes before what is right."""
    keys = SessionSigner.of(KEY).client
    numbers = itertools.count(1)

    def signed(text, **given):
        number = given.get("cnum", str(next(numbers)))
        data = signed_text(TERMS, "3cb7a946", number, parse_message(wire(text)))
        return {
            "crand": "3cb7a946",
            "cnum": number,
            "response": keys.sign(data).hex(),
            **given,
        }

    return signed


# --- What is signed


@pytest.mark.parametrize(
    ("text", "version", "rest"),
    [
        (REGISTER, 4, "<sip:alice@example.test><><><><>"),
        (REGISTER, 3, "<sip:alice@example.test><><><><>"),
        (REGISTER, 2, "<><>"),
        (OK, 4, "<sip:alice@example.test><33E1F9784F04751C><><><7200><200>"),
        (OK, 2, "<33E1F9784F04751C><7200><200>"),
        (
            with_line(REGISTER, 'P-Asserted-Identity: <tel:+1>, "A" <sip:a@b.test>'),
            4,
            "<sip:alice@example.test><><sip:a@b.test><tel:+1><>",
        ),
        (
            with_line(REGISTER, "P-Preferred-Identity: <sip:a@b.test>"),
            4,
            "<sip:alice@example.test><><sip:a@b.test><><>",
        ),
        (
            with_line(
                REGISTER,
                "P-Preferred-Identity: <sip:p@b.test>\nP-Asserted-Identity: <tel:+1>",
            ),
            4,
            "<sip:alice@example.test><><><tel:+1><>",
        ),
        (with_line(REGISTER, "P-Asserted-Identity: <sip:a@b.test>"), 2, "<><>"),
        (
            with_line(REGISTER, "Expires: 0600"),
            4,
            "<sip:alice@example.test><><><><0600>",
        ),
    ],
    ids=[
        "version 4",
        "version 3",
        "version 2 has no To",
        "an answer has its status",
        "an answer of version 2",
        "who is asserted, by both URIs",
        "who is preferred",
        "asserted goes before preferred",
        "version 2 has nobody asserted",
        "Expires as it stands",
    ],
)
def test_a_message_is_signed_field_by_field(text, version, rest):
    assert signed(text, version) == HEAD.format("s") + rest


def test_a_from_without_brackets_is_signed_as_its_uri():
    text = REGISTER.replace(
        "<sip:alice@example.test>;tag=5", "sip:alice@example.test;tag=5"
    )

    assert signed(text) == signed(REGISTER)


# --- What the client signs


def test_a_signed_request_is_taken_once(association, sign):
    given = sign(REGISTER)

    association.check(given, parse_message(wire(REGISTER)))
    with pytest.raises(CredentialsRejected, match="seen before"):
        association.check(given, parse_message(wire(REGISTER)))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("alice@example.test>;tag", "bob@example.test>;tag"),
        ("tag=596010956", "tag=596010957"),
        ("To: <sip:alice", "To: <sip:bob"),
        ("CSeq: 3 REGISTER", "CSeq: 4 REGISTER"),
        ("Call-ID: 7", "Call-ID: 8"),
        ("Content-Length", "Expires: 0\nContent-Length"),
        ("Content-Length", "P-Asserted-Identity: <sip:a@b.test>\nContent-Length"),
        ("To: <sip:alice@example.test>", "To: <sip:alice@example.test>;tag=1"),
    ],
)
def test_a_field_that_was_altered_is_noticed(association, sign, was, becomes):
    given = sign(REGISTER)
    altered = REGISTER.replace(was, becomes, 1)
    assert altered != REGISTER

    with pytest.raises(CredentialsRejected, match="signature is wrong"):
        association.check(given, parse_message(wire(altered)))


def test_a_method_that_was_altered_is_noticed(association, sign):
    altered = parse_message(wire(REGISTER.replace("REGISTER", "SERVICE")))

    with pytest.raises(CredentialsRejected, match="signature is wrong"):
        association.check(sign(REGISTER), altered)


@pytest.mark.parametrize(
    "given",
    [
        {"response": ""},
        {"response": "0"},
        {"response": "xyz"},
        {"response": "01000000"},
        {"response": "01" * 600},
        {"response": "(null)"},
        {"crand": "0"},
        {"cnum": ""},
        {"cnum": "-1"},
        {"cnum": "1.0"},
        {"cnum": "0"},
        {"cnum": "4294967296"},
        {"cnum": "99999999999"},
        {"cnum": "(null)"},
        {"cnum": "٣"},
    ],
    ids=str,
)
def test_what_is_no_signature_is_rejected(association, sign, given):
    with pytest.raises(CredentialsRejected):
        association.check(sign(REGISTER, **given), parse_message(wire(REGISTER)))


@pytest.mark.parametrize("name", ["crand", "cnum", "response"])
def test_without_any_of_its_parts_there_is_no_signature(association, sign, name):
    given = sign(REGISTER)
    del given[name]

    with pytest.raises(CredentialsRejected, match="no signature"):
        association.check(given, parse_message(wire(REGISTER)))


def test_a_wrong_signature_uses_up_no_number(association, sign):
    with pytest.raises(CredentialsRejected):
        association.check(
            sign(REGISTER, response="00" * 16, cnum="1"), parse_message(wire(REGISTER))
        )

    association.check(sign(REGISTER, cnum="1"), parse_message(wire(REGISTER)))


def test_a_field_that_cannot_be_read_cannot_be_signed(association, sign):
    text = REGISTER.replace(
        "<sip:alice@example.test>;tag", "<sip:alice@example.test;tag"
    )

    with pytest.raises(CredentialsRejected, match="From"):
        association.check(sign(REGISTER), parse_message(wire(text)))


# --- Numbers


@pytest.mark.parametrize(
    ("numbers", "taken"),
    [
        ([1, 2, 3], [True, True, True]),
        ([1, 1], [True, False]),
        ([3, 1, 2, 2, 1, 3], [True, True, True, False, False, False]),
        ([300, 45, 44, 301, 45], [True, True, False, True, False]),
        ([1000, 5000, 1000, 4999], [True, True, False, True]),
        ([2**32 - 1, 2**32 - 2, 2**32 - 1], [True, True, False]),
    ],
)
def test_each_number_is_good_once(numbers, taken):
    seen = Numbers()

    assert [seen.take(each) for each in numbers] == taken


@given(st.lists(st.integers(1, 400), max_size=60))
def test_no_number_is_ever_good_twice(numbers):
    seen = Numbers()

    taken = [each for each in numbers if seen.take(each)]

    assert len(taken) == len(set(taken))


# --- What the server signs


def test_what_is_sent_has_its_signature(association):
    head, _, body = association.sealed(wire(OK)).partition(b"\r\n\r\n")

    assert head.startswith(wire(OK).partition(b"\r\n\r\n")[0])
    assert head.split(b"\r\n")[-1].decode() == (
        'Authentication-Info: NTLM rspauth="010000005CB7AD141C4E1D5864000000", '
        'srand="55887A4C", snum="1", opaque="EF4F9C42", qop="auth", '
        'realm="SIP Communications Service", targetname="presproxy.example.test", '
        "version=4"
    )
    assert body == b"body"


def test_the_numbers_of_what_is_sent_go_up(association):
    sent = [association.sealed(wire(OK)) for _ in range(3)]

    assert [b'snum="%d"' % n in each for n, each in enumerate(sent, 1)] == [True] * 3


@pytest.mark.parametrize(
    "status", ["401 Unauthorized", "407 Proxy Authentication Required"]
)
def test_a_challenge_is_not_signed(association, status):
    data = wire(OK.replace("200 OK", status))

    assert association.sealed(data) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"nonsense",
        wire(OK.replace("CSeq", "X")),
        wire(OK.replace("To: <", "To: <<")),
    ],
)
def test_what_cannot_be_signed_goes_as_it_is(association, data):
    assert association.sealed(data) == data


@pytest.mark.parametrize(
    "line",
    [
        "Authentication-Info: NTLM rspauth=1",
        "authentication-info : NTLM rspauth=1",
        "Authentication-Info: NTLM\n rspauth=1",
    ],
)
def test_nobody_else_signs_for_us(association, line):
    sealed = association.sealed(wire(with_line(OK, line)))

    assert sealed.lower().count(b"authentication-info") == 1
    assert b"rspauth=1" not in sealed
    assert sealed.count(b"rspauth=") == 1


def test_a_signature_is_nothing_that_is_shown():
    assert KEY.hex() not in repr(SessionSigner.of(KEY))
    assert "\\x" not in repr(Direction(b"\xff", b"\xfe"))
