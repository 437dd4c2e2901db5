"""Requests that are too large for a datagram (RFC 3261 §18.1.1)."""

from __future__ import annotations

import attrs
import pytest

from presproxy.transport.hop import Hop, for_large

FIRST = Hop("udp", "192.0.2.10", 5070)
BY_TCP = attrs.evolve(FIRST, transport="tcp")

ANYBODY = "sip:carol@elsewhere.test"


def one(messages):
    (message,) = messages
    return message


@pytest.mark.parametrize(
    ("octets", "hop"), [(100, FIRST), (1500, BY_TCP)], ids=["small", "large"]
)
def test_what_may_be_fragmented_goes_by_tcp(octets, hop, alice, behind):
    alice.send("MESSAGE", ANYBODY, {"Content-Type": "text/plain"}, "x" * octets)

    request = one(behind.at(hop).read())

    assert len(request.body) == octets
    assert request.get("via").startswith(f"SIP/2.0/{hop.transport.upper()} ")
    assert len(behind.streams) == (hop is BY_TCP)


def test_it_goes_by_udp_where_nobody_listens_by_tcp(alice, behind):
    behind.refusing = {BY_TCP}

    alice.send("MESSAGE", ANYBODY, {"Content-Type": "text/plain"}, "x" * 1500)

    assert one(behind.at(FIRST).read()).method == "MESSAGE"


def test_each_place_by_udp_is_tried_by_tcp_before():
    other = Hop("tls", "192.0.2.11", 5061, "pbx.test")

    assert for_large([FIRST, other]) == [BY_TCP, FIRST, other]
