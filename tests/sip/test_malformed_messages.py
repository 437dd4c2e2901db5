from __future__ import annotations

import pytest

from presproxy.sip.head import LARGEST_HEAD, MOST_LINES
from presproxy.sip.message import (
    MalformedMessage,
    build_response,
    parse_message,
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


def changed(old, new):
    assert old in PUBLISH
    return PUBLISH.replace(old, new)


def why(data):
    with pytest.raises(MalformedMessage) as caught:
        parse_message(data)
    return str(caught.value)


# --- The body


@pytest.mark.parametrize(
    ("old", "new", "body"),
    [
        (b"Content-Length: 4", b"Content-Length: 0", b""),
        (b"Content-Length: 4", b"l : 02 ", b"bo"),
        (b"Content-Length: 4\r\n", b"", b"body"),
    ],
)
def test_the_length_says_where_the_body_ends(old, new, body):
    assert parse_message(changed(old, new)).body == body


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (b"5", "the body is shorter than its Content-Length"),
        (b"9" * 99, "the body is shorter than its Content-Length"),
        (b"-1", "no Content-Length: '-1'"),
        (b"+4", "no Content-Length: '+4'"),
        (b"4 4", "no Content-Length: '4 4'"),
        (b"4, 4", "no Content-Length: '4, 4'"),
        (b"", "no Content-Length: ''"),
        ("٤".encode(), "no Content-Length: '٤'"),
    ],
)
def test_a_length_that_cannot_be_is_refused(length, expected):
    data = changed(b"Content-Length: 4", b"Content-Length: " + length)

    assert why(data) == expected


# --- Refused


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"Event: P", b"Event: \x00P", "a CR, LF or NUL stands alone in the header"),
        (b"Event: P", b"Event: \rP", "a CR, LF or NUL stands alone in the header"),
        (b"Event: P", b"Event: \nP", "a CR, LF or NUL stands alone in the header"),
        (b"Event: P", b"Event P", "a line of the header has no name"),
        (b"Event: P", b": P", "a line of the header has no name"),
        (b"Event: P", b"Ev ent: P", "a line of the header has no name"),
        (b"Event: P", b"(Event): P", "a line of the header has no name"),
        (b"From:", b"Fro:", "the field from is missing"),
        (b"CSeq: 2", b"CSeq: 1 PUBLISH\r\nCSeq: 2", "the field cseq is there twice"),
        (b"CSeq: 2", b"Max-Forwards: 5\r\nCSeq: 2", "the field max-forwards is there twice"),
        (b"CSeq: 2", b"CSeq: 2147483648", "CSeq: 2147483648 is not below 2**31"),
        (b"CSeq: 2", "CSeq: ٢".encode(), "CSeq: cannot be read: '٢ PUBLISH'"),
        (b"CSeq: 2 PUBLISH", b"CSeq: 2", "CSeq: cannot be read: '2'"),
        (b"CSeq: 2 PUBLISH", b"CSeq: 2 XPUBLISH", "the method in CSeq is not the request's"),
        (b"CSeq: 2 PUBLISH", b"CSeq: 2 publish", "the method in CSeq is not the request's"),
        (b"test SIP/2.0\r", b"test SIP/3.0\r", "SIP/3.0 is not spoken here"),
        (b"PUBLISH sip:", b"PUB/LISH sip:", "the start-line is neither a request's nor a status line"),
        (b"PUBLISH sip:alice@example.test SIP", b"PUBLISH SIP", "the start-line is neither a request's nor a status line"),
        (b"\r\n\r\n", b"\r\n", "no blank line ends the head"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused_with_the_reason(old, new, expected):
    assert why(changed(old, new)) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"hello",
        b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(MalformedMessage) as caught:
        parse_message(data)

    assert caught.value.request is None


@pytest.mark.parametrize(
    "line", [b"SIP/2.0 99 x", b"SIP/2.0 700 x", b"SIP/2.0 2000 x", b"SIP/2.0"]
)
def test_a_response_that_cannot_be_read_is_not_answered(line):
    with pytest.raises(MalformedMessage) as caught:
        parse_message(OK.replace(b"SIP/2.0 200 OK", line))

    assert caught.value.request is None


def test_a_large_head_is_refused_and_answered():
    data = changed(b"Event:", b"X: " + b"x" * LARGEST_HEAD + b"\r\nEvent:")

    with pytest.raises(MalformedMessage, match="16384 bytes") as caught:
        parse_message(data)

    assert (caught.value.status, caught.value.request.call_id) == (
        513,
        "3848276298@192.0.2.10",
    )


def test_a_head_may_be_just_as_large_as_is_allowed():
    head = len(PUBLISH.partition(b"\r\n\r\n")[0])
    room = LARGEST_HEAD - head - len(b"X: \r\n")

    assert parse_message(changed(b"Event:", b"X: " + b"x" * room + b"\r\nEvent:"))
    assert why(changed(b"Event:", b"X: " + b"x" * (room + 1) + b"\r\nEvent:"))


def test_many_lines_are_refused_and_answered():
    lines = PUBLISH.partition(b"\r\n\r\n")[0].count(b"\r\n")
    just = changed(b"Event:", b"X-X: x\r\n" * (MOST_LINES - lines) + b"Event:")
    more = changed(b"Event:", b"X-X: x\r\n" * (MOST_LINES - lines) + b"X: x\r\nEvent:")

    assert len(parse_message(just).get_all("x-x")) == MOST_LINES - lines
    with pytest.raises(MalformedMessage, match="128 lines") as caught:
        parse_message(more)
    assert (caught.value.status, caught.value.request.method) == (513, "PUBLISH")


def test_folded_lines_are_counted_singly():
    assert why(changed(b"Event:", b"X-X: x\r\n" + b" x\r\n" * MOST_LINES + b"Event:"))


def test_what_is_salvaged_lacks_what_cannot_be_read():
    data = changed(b"Event: P", b"X: a\rb\r\nno name\r\nEvent: \x00P")

    request = salvage(data.replace(b"PUBLISH sip:alice@", b"PUBLISH  <bad uri> x", 1))

    assert not {"x", "event"} & {
        line.partition(":")[0].lower() for line in request.lines()
    }
    assert (request.method, request.body) == ("PUBLISH", b"")
    assert build_response(request, 400).startswith(b"SIP/2.0 400 Bad Request\r\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"From:", b"Fro:"),
        (b"SIP/2.0/UDP", b"UDP"),
        (b"PUBLISH sip", b"ACK sip"),
        (b"PUBLISH sip", b"SIP/2.0 sip"),
    ],
)
def test_what_could_not_be_answered_is_not_salvaged(old, new):
    assert salvage(changed(old, new)) is None
