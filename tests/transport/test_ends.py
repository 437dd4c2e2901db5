from __future__ import annotations

import pytest

from presproxy.transport.ends import OurEnd, advertised_sent_by, local_host_towards


@pytest.mark.parametrize(
    ("advertised", "written"),
    [
        ("192.0.2.1", "192.0.2.1:5060"),
        ("192.0.2.1:5080", "192.0.2.1:5080"),
        ("sip.example.test", "sip.example.test:5060"),
        ("2001:db8::1", "[2001:db8::1]:5060"),
        ("[2001:db8::1]", "[2001:db8::1]:5060"),
        ("[2001:db8::1]:5080", "[2001:db8::1]:5080"),
    ],
)
def test_what_is_advertised_gets_our_port_unless_it_has_one(advertised, written):
    assert advertised_sent_by(advertised, 5060) == written


def test_a_zone_is_for_this_host_only():
    end = OurEnd(("fe80::1%lo", 5060))

    assert end.towards("fe80::2") == (("fe80::1%lo", 5060), "[fe80::1]:5060")


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_the_routing_table_says_which_address_leads_to_a_peer(peer):
    assert local_host_towards(peer) == peer


def test_who_cannot_be_reached_is_named_something():
    # A zone that does not exist, whatever routes there are.
    end = OurEnd(("::", 5060))

    assert end.towards("fe80::1%nosuch") == (("::1", 5060), "[::1]:5060")


def test_what_was_learnt_is_forgotten_after_a_minute():
    now = 0.0
    end = OurEnd(("0.0.0.0", 5060), None, lambda: now)
    first = end.towards("127.0.0.1")
    again = end.towards("127.0.0.1")

    now = 61.0
    later = end.towards("127.0.0.1")

    assert again is first
    assert later == first
    assert later is not first
