from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presproxy.errors import MalformedField
from presproxy.sip import grammar
from presproxy.sip.header import LONG_NAMES, canonical
from presproxy.sip.message import (
    MalformedMessage,
    Request,
    build_request,
    build_response,
    parse_message,
    peek_response,
    salvage,
)

PUBLISH = b"""\
PUBLISH sip:alice@example.test SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKnashds8;rport\r
Via: SIP/2.0/TCP phone.example.test;branch=z9hG4bKbelow\r
Max-Forwards: 70\r
From: "Alice" <sip:alice@example.test>;tag=a73k\r
To: <sip:alice@example.test>\r
Call-ID: 3848276298@192.0.2.10\r
CSeq: 2 PUBLISH\r
Contact: <sip:alice@192.0.2.10:5060>;q=0.5, "B, C" <sip:b@h>\r
Contact: <sip:c@h>\r
Route: <sip:one@h;lr>\r
Record-Route: <sip:two@h;lr>, <sip:three@h;lr>\r
Event: Presence;id=7\r
Expires: 99999999999\r
Require: Foo, bar\r
k: EventList\r
User-Agent: Example/1.0 (a, b)\r
Content-Type: application/pidf+xml;charset="UTF-8"\r
Content-Length: 4\r
\r
body"""
OK = b"""\
SIP/2.0 200 OK\r
Via: SIP/2.0/UDP 192.0.2.1:5060;rport=5060;branch=z9hG4bK1;received=192.0.2.1\r
From: <sip:presproxy.example.test>;tag=1\r
To: <sip:alice@example.test>;tag=2\r
Call-ID: a84b4c76e66710\r
CSeq: 17 NOTIFY\r
Content-Length: 0\r
\r
"""

MESSAGES = [
    PUBLISH,
    OK,
    *(
        path.read_bytes()
        for path in sorted((Path(__file__).parents[1] / "torture").glob("*.sip"))
    ),
]
ATTRIBUTES = [
    name for name in dir(Request) if not name.startswith("_") and name not in dir(dict)
]
tokens = st.from_regex(re.compile(grammar.TOKEN, re.ASCII), fullmatch=True)
#: As a value comes from the wire, bytes which are not UTF-8 included.
values = st.binary(max_size=30).map(
    lambda data: (
        data.translate(None, b"\r\n\0").strip(b" \t").decode("utf-8", "surrogateescape")
    )
)


def written(field):
    """Write a field as a copy has it."""
    name, value = field
    return f"{LONG_NAMES.get(name.lower(), name)}: {value}"


@given(
    tokens,
    values.filter(lambda text: re.fullmatch(r"[^\x00-\x20\x7f]+", text)),
    st.lists(st.tuples(tokens, values)),
    st.binary(max_size=50),
)
def test_a_request_reads_back_the_same(method, uri, fields, body):
    own = ("via", "from", "to", "call-id", "cseq", "content-length", "content-type")
    single = (*own, "max-forwards")
    fields = [
        (name, value) for name, value in fields if canonical(name) not in single
    ] + [
        ("Via", "SIP/2.0/UDP h"),
        ("f", "<sip:a@h>;tag=1"),
        ("TO", "<sip:b@h>"),
        ("call-id", "1"),
        ("CSeq", f"1 {method}"),
    ]

    request = parse_message(build_request(method, uri, fields, body, "a/b"))

    assert (request.method, request.uri, request.body) == (method, uri, body)
    assert request.lines() == [
        *map(written, fields),
        "Content-Type: a/b",
        f"Content-Length: {len(body)}",
    ]


@given(
    st.integers(100, 699),
    st.lists(st.tuples(tokens, values)),
    st.binary(max_size=50),
    values,
)
def test_a_response_reads_back_the_same(status, fields, body, reason):
    single = ("from", "to", "call-id", "cseq", "max-forwards", "content-length")
    fields = [
        each
        for each in fields
        if canonical(each[0]) not in (*single, "via", "content-type")
    ]
    request = parse_message(PUBLISH)

    response = parse_message(
        build_response(request, status, fields, body, reason=reason)
    )

    assert (response.status, response.reason, response.body) == (status, reason, body)
    assert response.lines()[6:-1] == [*map(written, fields)]
    assert response.vias == request.vias


def read_all_of(data):
    with suppress(MalformedMessage):
        message = parse_message(data)
        for name in ATTRIBUTES:
            with suppress(MalformedField):
                getattr(message, name, None)
        if isinstance(message, Request):
            with suppress(MalformedField):
                message.stamp("192.0.2.1", 5060)
            build_response(message, 200, to_tag="x")
        # It looks no further than it must, and so takes some which cannot be read.
        peeked = peek_response(data)
        if peeked is not None:
            with suppress(MalformedField):
                branch = (message.via.branch or "").encode("utf-8", "surrogateescape")
                assert peeked == (message.status, branch, message.cseq.method.encode())
    salvaged = salvage(data)
    if salvaged is not None:
        build_response(salvaged, 400, to_tag="x")


@given(st.binary())
def test_no_bytes_fail_in_another_way(data):
    read_all_of(data)


PIECES = [
    *(
        b"\r\n",
        b"\r",
        b"\n",
        b"\x00",
        b" ",
        b"\t",
        b"\r\n ",
        b":",
        b";",
        b",",
        b'"',
        b"<",
        b">",
    ),
    *(
        b"\\",
        b"\xff",
        b"%",
        b"=",
        b"/",
        b"@",
        b"[",
        b"9",
        b"\r\n\r\n",
        b"v:",
        b"\r\nCSeq: 1 X\r\n",
    ),
    *(
        b";branch=x",
        b";Branch=y",
        b"SIP/2.0 200 OK\r\n",
        b"Via: SIP/2.0/UDP h\r\n",
        b"",
    ),
]


@settings(max_examples=5 * settings().max_examples)
@given(
    st.sampled_from(MESSAGES),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(PIECES)),
        min_size=1,
        max_size=4,
    ),
)
def test_no_damaged_message_fails_in_another_way(data, damages):
    for where, length, piece in damages:
        at = int(where * len(data))
        data = data[:at] + piece + data[at + length :]

    read_all_of(data)


@pytest.mark.parametrize("piece", PIECES)
def test_no_message_takes_long(piece):
    if not piece:
        return
    began = process_time()
    for message in (PUBLISH, OK):
        for place in (b"Via:", b"From:", b"\r\n\r\n", b" SIP/2.0", b"SIP/2.0 2"):
            at = message.find(place)
            if at >= 0:
                read_all_of(
                    message[:at] + piece * (60_000 // len(piece)) + message[at:]
                )
                read_all_of(
                    message[:at] + piece * (14_000 // len(piece)) + message[at:]
                )

    assert process_time() - began < 3
