"""Which dialect a user agent speaks."""

from __future__ import annotations

import pytest

from presproxy.sip.dialect import registers_endpoint, speaks_lync
from presproxy.sip.message import parse_message


def request(*lines):
    text = "\r\n".join(
        (
            "REGISTER sip:example.test SIP/2.0",
            "Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1",
            "From: <sip:alice@example.test>;tag=1",
            "To: <sip:alice@example.test>",
            "Call-ID: 1",
            "CSeq: 1 REGISTER",
            *lines,
        )
    )
    return parse_message(f"{text}\r\n\r\n".encode())


@pytest.mark.parametrize(
    "line",
    [
        "User-Agent: Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)",
        "User-Agent: UCCAPI/15.0.4420.1017 OC/15.0.4420.1017 (Microsoft Lync)",
        "Supported: gruu-10, adhoclist, msrtc-event-categories",
        "Supported: com.microsoft.autoextend",
        "k: MS-Benotify",
        "Proxy-Require: ms-benotify",
        "Require: adhoclist, categoryList",
    ],
)
def test_a_lync_client_is_known_by_what_it_says(line):
    assert speaks_lync(request(line))


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("User-Agent: Purple/2.14.12", "Supported: path"),
        ("User-Agent: baresip v1.0.0 (x86_64/linux)", "Supported: gruu, outbound"),
        ("User-Agent: Soc/1", "Supported: eventlist, 100rel"),
        ("Supported:",),
        ("User-Agent:",),
    ],
)
def test_others_speak_simple(lines):
    assert not speaks_lync(request(*lines))


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("Supported: gruu-10, adhoclist, msrtc-event-categories", True),
        ("Supported: com.microsoft.msrtc.presence", True),
        ("Supported: adhoclist", False),
        ("User-Agent: Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)", False),
        ("Supported: gruu, outbound", False),
    ],
)
def test_an_endpoint_is_known_by_what_it_understands(line, is_one):
    assert registers_endpoint(request(line)) == is_one
