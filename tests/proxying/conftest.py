from __future__ import annotations

import pytest

from presproxy.sip.message import build_response, parse_message

REQUEST = b"""\
{method} {uri} SIP/2.0\r
Via: SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bKtheirs\r
{more}Max-Forwards: 70\r
From: <sip:alice@example.test>;tag=hers\r
To: <sip:bob@example.test>\r
Call-ID: c1\r
CSeq: 1 {method}\r
Content-Length: 3\r
\r
Hi\n"""


@pytest.fixture
def request_of():
    """Make a request, with more lines of its header."""

    def make(method="INVITE", uri="sip:bob@example.test", *more):
        lines = "".join(f"{line}\r\n" for line in more)
        text = REQUEST.decode()
        for name, value in (("method", method), ("uri", uri), ("more", lines)):
            text = text.replace(f"{{{name}}}", value)
        return parse_message(text.encode())

    return make


@pytest.fixture
def response_of(request_of):
    """Make a response to a request, with more fields."""

    def make(status, *fields, vias=()):
        request = request_of("INVITE", "sip:bob@x", *(f"Via: {via}" for via in vias))
        return parse_message(build_response(request, status, fields, to_tag="his"))

    return make
