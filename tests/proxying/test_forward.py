"""The copies that go on (RFC 3261 §16.6, §16.7)."""

from __future__ import annotations

import pytest

from presproxy.errors import MalformedField
from presproxy.proxying.forward import Onward, forwarded, is_of_realm, passed_back
from presproxy.testing.flows import RecordingFlow, RecordingStream

BRANCH = "z9hG4bKours.1"
CONTACT = "sip:bob@192.0.2.7:5070"
DIGEST = 'Digest username="a", realm="{}", nonce="n", uri="u", response="r"'


@pytest.fixture
def copy(request_of):
    """Write the copy of a request, and give its text."""

    def make(*lines, routes=(), record_routes=(), flow=None, is_for_us=None):
        onward = Onward(CONTACT, routes, 69, 60, record_routes)
        more = () if is_for_us is None else (is_for_us,)
        request = request_of("INVITE", "sip:bob@example.test", *lines)
        return forwarded(
            request, onward, flow or RecordingFlow(), BRANCH, *more
        ).decode()

    return make


def test_the_whole_copy(copy):
    assert copy("Supported: path", "X-Any:  a, b", "v: SIP/2.0/UDP a") == (
        "INVITE sip:bob@192.0.2.7:5070 SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 192.0.2.100:5060;rport;branch=z9hG4bKours.1\r\n"
        "Via: SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bKtheirs\r\n"
        "Via: SIP/2.0/UDP a\r\n"
        "Max-Forwards: 69\r\n"
        "Max-Breadth: 60\r\n"
        "Supported: path\r\n"
        "X-Any: a, b\r\n"
        "From: <sip:alice@example.test>;tag=hers\r\n"
        "To: <sip:bob@example.test>\r\n"
        "Call-ID: c1\r\n"
        "CSeq: 1 INVITE\r\n"
        "Content-Length: 3\r\n"
        "\r\n"
        "Hi\n"
    )


def test_on_a_stream_the_source_port_is_not_asked_for(copy):
    text = copy(flow=RecordingStream())

    assert "\r\nVia: SIP/2.0/TCP 192.0.2.100:5060;branch=z9hG4bKours.1\r\n" in text


@pytest.mark.parametrize(
    ("routes", "uri", "written"),
    [
        (["<sip:a;lr>", "<sip:b;lr>"], CONTACT, ["<sip:a;lr>", "<sip:b;lr>"]),
        (["<sip:a>", "<sip:b;lr>"], "sip:a", ["<sip:b;lr>", f"<{CONTACT}>"]),
        (["<sip:a>"], "sip:a", [f"<{CONTACT}>"]),
        ([], CONTACT, []),
    ],
    ids=["loose", "strict, then loose", "strict", "none"],
)
def test_routers_are_named_as_they_want_it(copy, routes, uri, written):
    text = copy("Route: <sip:us;lr>", routes=routes)
    lines = text.split("\r\n")

    assert lines[0] == f"INVITE {uri} SIP/2.0"
    assert [each[7:] for each in lines if each.startswith("Route: ")] == written


def test_our_record_routes_are_above_others(copy):
    text = copy("Record-Route: <sip:old;lr>", record_routes=["<sip:n>", "<sip:o>"])
    found = [line for line in text.split("\r\n") if line.startswith("Record-Route")]

    assert found == [
        "Record-Route: <sip:n>",
        "Record-Route: <sip:o>",
        "Record-Route: <sip:old;lr>",
    ]


def test_a_route_that_is_none_is_malformed(copy):
    with pytest.raises(MalformedField):
        copy(routes=["<tel:1>"])


@pytest.mark.parametrize(
    ("credentials", "goes_on"),
    [
        (DIGEST.format("example.test"), False),
        (DIGEST.format("Example.Test"), False),
        (DIGEST.format("elsewhere.test"), True),
        ("Digest nonsense", False),
        ('NTLM qop="auth", realm="SIP Communications Service"', False),
        ("Kerberos x=y", False),
        ("TLS-DSK x=y", False),
        ("Bearer abc", True),
    ],
)
def test_credentials_meant_for_us_stay_here(copy, credentials, goes_on):
    text = copy(
        f"Proxy-Authorization: {credentials}",
        f"Authorization: {credentials}",
        is_for_us=is_of_realm({"example.test"}),
    )

    assert text.count("uthorization: ") == (2 if goes_on else 0)


def test_what_goes_back_has_our_via_off_and_all_else_as_it_was(response_of):
    response = response_of(
        183, ("x-any", "thing"), ("k", "path"), vias=["SIP/2.0/UDP b"]
    )

    assert passed_back(response, [("Warning", "more")]) == (
        b"SIP/2.0 183 Session Progress\r\n"
        b"Via: SIP/2.0/UDP b\r\n"
        b"From: <sip:alice@example.test>;tag=hers\r\n"
        b"To: <sip:bob@example.test>;tag=his\r\n"
        b"Call-ID: c1\r\n"
        b"CSeq: 1 INVITE\r\n"
        b"x-any: thing\r\n"
        b"Supported: path\r\n"
        b"Warning: more\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


def test_what_is_for_us_alone_goes_nowhere(response_of):
    assert passed_back(response_of(200)) is None
