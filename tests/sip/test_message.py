from __future__ import annotations

import pytest

from presproxy.errors import MalformedField
from presproxy.sip.fields import WILDCARD
from presproxy.sip.message import (
    Request,
    Response,
    build_request,
    build_response,
    parse_message,
    peek_response,
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


@pytest.fixture
def request_():
    return parse_message(PUBLISH)


def changed(old, new):
    assert old in PUBLISH
    return PUBLISH.replace(old, new)


# --- Requests and their fields


def test_a_request_is_read(request_):
    assert isinstance(request_, Request)
    assert (request_.method, request_.uri) == ("PUBLISH", "sip:alice@example.test")
    assert str(request_.request_uri) == "sip:alice@example.test"
    assert request_.body == b"body"
    assert repr(request_) == "<Request PUBLISH sip:alice@example.test>"


def test_the_fields_have_names(request_):
    assert str(request_.via) == (
        "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKnashds8;rport"
    )
    assert [via.branch for via in request_.vias] == ["z9hG4bKnashds8", "z9hG4bKbelow"]
    assert (request_.from_.display, request_.from_.tag) == ("Alice", "a73k")
    assert request_.to.aor == "sip:alice@example.test"
    assert request_.call_id == "3848276298@192.0.2.10"
    assert (request_.cseq.number, request_.cseq.method) == (2, "PUBLISH")
    assert request_.max_forwards == 70
    assert [contact.uri for contact in request_.contacts] == [
        "sip:alice@192.0.2.10:5060",
        "sip:b@h",
        "sip:c@h",
    ]
    assert [str(route) for route in request_.routes] == ["<sip:one@h;lr>"]
    assert [str(route) for route in request_.record_routes] == [
        "<sip:two@h;lr>",
        "<sip:three@h;lr>",
    ]
    assert str(request_.event) == "presence;id=7"
    assert request_.expires == 2**32 - 1
    assert request_.require == ["foo", "bar"]
    assert request_.supported == ["eventlist"]
    assert request_.user_agent == "Example/1.0 (a, b)"
    assert request_.content_type.type == "application/pidf+xml"


def test_what_is_not_there_is_none_or_empty():
    message = parse_message(OK)

    assert (message.max_forwards, message.expires, message.event) == (None, None, None)
    assert (message.content_type, message.user_agent) == (None, None)
    assert (message.contacts, message.routes, message.record_routes) == ([], [], [])
    assert (message.require, message.supported) == ([], [])
    assert (message.get("x"), message.get_all("x"), message.values("x")) == (
        None,
        [],
        [],
    )


def test_lines_and_values_are_told_apart(request_):
    assert (
        request_.get("contact") == '<sip:alice@192.0.2.10:5060>;q=0.5, "B, C" <sip:b@h>'
    )
    assert len(request_.get_all("contact")) == 2
    assert request_.values("contact") == [
        "<sip:alice@192.0.2.10:5060>;q=0.5",
        '"B, C" <sip:b@h>',
        "<sip:c@h>",
    ]


def test_a_field_is_read_once(request_):
    assert request_.from_ is request_.from_
    assert request_.contacts is request_.contacts


def test_the_wildcard_is_a_contact():
    request = parse_message(changed(b"Contact: <sip:c@h>", b"m: *"))

    assert request.contacts[-1] is WILDCARD


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (b"Via: SIP/2.0/UDP", b"Via: SIP/2.0", "via"),
        (
            b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKnashds8;rport",
            b"Via:",
            "via",
        ),
        (b"tag=a73k", b'tag="', "from_"),
        (b"To: <", b"To: ", "to"),
        (b"3848276298@", b"3848 276298@", "call_id"),
        (b"Call-ID: 3848276298@192.0.2.10", b"Call-ID:", "call_id"),
        (b"Max-Forwards: 70", b"Max-Forwards: 256", "max_forwards"),
        (b"Max-Forwards: 70", b"Max-Forwards: many", "max_forwards"),
        (b"Contact: <sip:c@h>", b"Contact: c", "contacts"),
        (b"Route: <sip:one@h;lr>", b"Route: one", "routes"),
        (b"<sip:two@h;lr>", b"two", "record_routes"),
        (b"Presence;id=7", b"", "event"),
        (b"99999999999", b"soon", "expires"),
        (b"application/pidf+xml", b"pidf", "content_type"),
        (b"PUBLISH sip:alice", b"PUBLISH sip:@", "request_uri"),
    ],
)
def test_a_field_that_cannot_be_read_is_refused_when_asked_for(old, new, name):
    request = parse_message(changed(old, new))

    for _ in range(2):
        with pytest.raises(MalformedField):
            getattr(request, name)


def test_a_response_is_read():
    response = parse_message(OK)

    assert isinstance(response, Response)
    assert (response.status, response.reason) == (200, "OK")
    assert repr(response) == "<Response 200 OK>"


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"SIP/2.0 183 Session Progress", 183, "Session Progress"),
        (b"SIP/2.0 200 ", 200, ""),
        (b"SIP/2.0 200", 200, ""),
        (b"sip/2.0 200 \xff\xfe", 200, "\udcff\udcfe"),
    ],
)
def test_a_reason_may_be_anything(line, status, reason):
    response = parse_message(OK.replace(b"SIP/2.0 200 OK", line))

    assert (response.status, response.reason) == (status, reason)


# --- Forms of the same


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Call-ID:", b"i:"),
        (b"Call-ID: ", b"CALL-iD\t :\t  "),
        (b"CSeq: 2 PUBLISH", b"cSEQ: 0002\tPUBLISH "),
        (b"PUBLISH sip:", b"\r\n\r\nPUBLISH sip:"),
        (b"Event: Presence", b"Event:\r\n Presence"),
        (b"Event: Presence", b"o:\r\n\t \r\n  Presence"),
        (b"alice@example.test SIP/2.0\r", b"alice@example.test sip/2.0\r"),
    ],
)
def test_it_may_be_written_in_many_ways(old, new):
    message, usual = parse_message(changed(old, new)), parse_message(PUBLISH)

    assert message.call_id == usual.call_id
    assert message.cseq == usual.cseq
    assert message.event == usual.event
    assert message.body == usual.body


def test_unknown_fields_keep_order_and_spelling():
    request = parse_message(changed(b"Event:", b"x-B : 1\r\nX-a:2\r\n\t3 \r\no:"))

    lines = request.lines()
    assert lines[lines.index("x-B: 1") :][:3] == [
        "x-B: 1",
        "X-a: 2 3",
        "Event: Presence;id=7",
    ]


def test_a_copy_lacks_what_it_is_to_be_without(request_):
    whole, without = request_.lines(), request_.lines({"via", "call-id"})

    assert [line for line in whole if line not in without] == [
        line for line in whole if line.startswith(("Via:", "Call-ID:"))
    ]
    assert len(whole) - len(without) == 1 + len(request_.get_all("via"))


def test_bytes_which_are_not_utf8_survive():
    request = parse_message(changed(b'"Alice"', b'"\xe4\xff"'))

    response = build_response(request, 200)

    assert b'From: "\xe4\xff" <sip:alice@example.test>;tag=a73k\r\n' in response


# --- Where it came from


@pytest.mark.parametrize(
    ("via", "received", "rport", "stamped"),
    [
        ("SIP/2.0/UDP 192.0.2.10;branch=x", "192.0.2.10", 5060, "SIP/2.0/UDP 192.0.2.10;branch=x"),
        ("SIP/2.0/UDP host;branch=x", "192.0.2.9", 5060, "SIP/2.0/UDP host;branch=x;received=192.0.2.9"),
        # Also when it is the same: RFC 3581 §4.
        ("SIP/2.0/UDP 192.0.2.9;rport;branch=x", "192.0.2.9", 1024, "SIP/2.0/UDP 192.0.2.9;rport=1024;branch=x;received=192.0.2.9"),
        ("SIP/2.0/UDP h;rport=1;received=1.1.1.1", "192.0.2.9", 1024, "SIP/2.0/UDP h;rport=1024;received=192.0.2.9"),
        ("SIP/2.0/UDP [2001:DB8::1]:5061", "2001:db8::1", 5060, "SIP/2.0/UDP [2001:DB8::1]:5061"),
        ("SIP/2.0/UDP h", "2001:db8::1", None, "SIP/2.0/UDP h;received=2001:db8::1"),
        ("SIP/2.0/UDP h;rport", None, 9, "SIP/2.0/UDP h;rport=9"),
        ("SIP/2.0/UDP h;rport, SIP/2.0/TCP below;x", None, 9, "SIP/2.0/UDP h;rport=9, SIP/2.0/TCP below;x"),
    ],
)  # fmt: skip
def test_the_top_via_is_stamped(via, received, rport, stamped):
    old = b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKnashds8;rport"
    request = parse_message(changed(old, b"v : " + via.encode()))
    below = request.vias[1:]

    request.stamp(received, rport)

    assert request.get("via") == stamped
    assert request.lines()[0] == f"Via: {stamped}"
    assert request.vias == [request.via, *below]
    assert parse_message(build_response(request, 200)).get("via") == stamped


def test_a_via_that_cannot_be_read_cannot_be_stamped():
    with pytest.raises(MalformedField):
        parse_message(changed(b"SIP/2.0/UDP", b"UDP")).stamp("192.0.2.1", 5060)


# --- Responses


def test_a_response_copies_what_it_must(request_):
    data = build_response(
        request_,
        200,
        [("SIP-ETag", "e1"), ("Expires", "3600")],
        b"hello",
        content_type="text/plain",
        to_tag="t1",
    )

    assert data == (
        b"SIP/2.0 200 OK\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKnashds8;rport\r\n"
        b"Via: SIP/2.0/TCP phone.example.test;branch=z9hG4bKbelow\r\n"
        b'From: "Alice" <sip:alice@example.test>;tag=a73k\r\n'
        b"To: <sip:alice@example.test>;tag=t1\r\n"
        b"Call-ID: 3848276298@192.0.2.10\r\n"
        b"CSeq: 2 PUBLISH\r\n"
        b"SIP-ETag: e1\r\n"
        b"Expires: 3600\r\n"
        b"Content-Type: text/plain\r\n"
        b"Content-Length: 5\r\n"
        b"\r\n"
        b"hello"
    )


@pytest.mark.parametrize(
    ("to", "status", "tag"),
    [
        (b"<sip:alice@example.test>", 200, "t1"),
        (b"sip:alice@example.test", 200, "t1"),
        (b"<sip:alice@example.test>;tag=", 481, "t1"),
        (b"<sip:alice@example.test>;x;", 200, "t1"),
        (b"<sip:alice@example.test>;tag=old", 200, "old"),
        (b"<sip:alice@example.test>", 100, None),
    ],
)
def test_a_tag_is_given_to_those_who_have_none(to, status, tag):
    request = parse_message(changed(b"To: <sip:alice@example.test>", b"To: " + to))

    response = parse_message(build_response(request, status, to_tag="t1"))

    assert response.to.tag == tag


def test_a_to_that_cannot_be_read_goes_back_as_it_came():
    request = parse_message(
        changed(b"To: <sip:alice@example.test>", b'To: "A <sip:a@h>')
    )

    assert b'To: "A <sip:a@h>\r\n' in build_response(request, 400, to_tag="t1")


def test_a_reason_may_be_named(request_):
    data = build_response(request_, 400, reason="CSeq: cannot be read")

    assert data.startswith(b"SIP/2.0 400 CSeq: cannot be read\r\n")


@pytest.mark.parametrize(
    "write",
    [
        lambda request, text: build_response(request, 200, [("X", text)]),
        lambda request, text: build_response(request, 200, [(text, "x")]),
        lambda request, text: build_response(request, 200, content_type=text),
        lambda request, text: build_response(request, 200, reason=text),
        lambda request, text: build_response(request, 200, to_tag=text),
        lambda request, text: build_request("NOTIFY", text, []),
        lambda request, text: build_request(text, "sip:a@h", []),
        lambda request, text: build_request("NOTIFY", "sip:a@h", [("X", text)]),
        lambda request, text: build_request("NOTIFY", "sip:a@h", [], b"", text),
    ],
)
@pytest.mark.parametrize(
    "text",
    ["a\r\nEvil: b", "a\nb", "a\rb", "a\r\n\r\nb", "a\x00b", "a\n\rb", "a\ud800b"],
)
def test_no_line_can_be_smuggled_in(request_, write, text):
    with pytest.raises(MalformedField):
        write(request_, text)


# --- Peeking


def test_a_response_is_peeked_at():
    assert peek_response(OK) == (200, b"z9hG4bK1", b"NOTIFY")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Via:", b"v:"),
        (b"Via: ", b"Via:"),
        (b"rport=5060;branch=z9hG4bK1;", b"branch=z9hG4bK1;"),
        (b"CSeq:", b"Subject: CSeq: 1 X\r\nCSeq:"),
        (b"200 OK", b"200 "),
        (b"SIP/2.0/UDP", b"SIP/2.0/tcp"),
        (b"192.0.2.1:5060;", b"[2001:db8::1]:5060;"),
        (b";received=192.0.2.1", b", SIP/2.0/UDP h;branch=z9hG4bKbelow"),
        (b"CSeq: 17", b"CSeq:    17"),
    ],
)
def test_a_response_may_be_written_a_little_otherwise(old, new):
    assert peek_response(OK.replace(old, new)) == (200, b"z9hG4bK1", b"NOTIFY")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"SIP/2.0 200 OK", b"NOTIFY sip:a@h SIP/2.0"),
        (b"SIP/2.0 200", b"SIP/2.0 2000"),
        (b"Via:", b"Server: x\r\nVia:"),
        (b";branch=z9hG4bK1", b""),
        (b";branch=", b";Branch=a;branch="),
        (b";branch=", b";b;branch="),
        (b"Via:", b"VIA:"),
        (b";rport=5060", b';x=";branch=z9hG4bKno"'),
        (b";rport", b"\r\n ;rport"),
        (b"CSeq: 17 NOTIFY", b"CSeq:\r\n 17 NOTIFY"),
        (b"CSeq: 17 NOTIFY\r\n", b""),
        (b"CSeq: 17", b"CSeq: 9292394834772304023312"),
        (b"CSeq: 17 NOTIFY\r\nContent-Length: 0\r\n\r\n", b"\r\n\r\nCSeq: 1 X\r\n"),
    ],
)
def test_what_is_written_otherwise_is_left_to_the_parser(old, new):
    assert old in OK

    assert peek_response(OK.replace(old, new)) is None
