"""Where responses go."""

from __future__ import annotations

import pytest

from presproxy.config import TransportOptions
from presproxy.testing.desk import Desk
from presproxy.testing.phones import Phone

VIA = {"Via": "SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bK1"}


@pytest.mark.parametrize("to_source", [False, True])
def test_a_response_goes_to_the_source_if_the_operator_says_so(to_source, acl):
    options = {"transport": TransportOptions(to_source=to_source)}
    desk = Desk(acl, more=options)
    here = Phone(desk, "alice", desk.flow.towards(("192.0.2.50", 40001)))
    there = Phone(desk, "alice", desk.flow.towards(("192.0.2.50", 5060)))

    here.send("OPTIONS", "sip:example.test", VIA)

    asked, other = (here, there) if to_source else (there, here)
    assert [each.status for each in asked.read()] == [200]
    assert other.read() == []
