from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.transport.where import DEFAULT, MalformedWhere, Where, parse_where


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("udp:5060", Where("udp", 5060)),
        ("UDP:5060", Where("udp", 5060)),
        (" udp:0 ", Where("udp", 0)),
        ("tcp:5060:interface=127.0.0.1", Where("tcp", 5060, "127.0.0.1")),
        ("udp:5060:interface=localhost", Where("udp", 5060, "localhost")),
        (r"udp:5060:interface=\:\:1", Where("udp", 5060, "::1")),
        ("udp:5060:interface=[::1]", Where("udp", 5060, "::1")),
        (r"udp:5060:interface=[\:\:1]", Where("udp", 5060, "::1")),
        ("udp:65535:interface=[2001:DB8:0::1]", Where("udp", 65535, "2001:db8::1")),
        ("udp:5060:interface=[fe80::1%eth0]", Where("udp", 5060, "fe80::1%eth0")),
        ("tls:5061:cert=both.pem", Where("tls", 5061, "", "both.pem", "both.pem")),
        (
            r"TLS:0:key=/k\:1:interface=[::1]:cert=/c",
            Where("tls", 0, "::1", "/c", "/k:1"),
        ),
        ("systemd:udp", Where("udp", 0, is_inherited=True)),
        (
            "SYSTEMD:TLS:name=sips:cert=a",
            Where("tls", 0, "", "a", "a", is_inherited=True, name="sips"),
        ),
        (
            "wss:0:cert=a:key=b:cert=c:cert=d:key=e:clients=f",
            Where("wss", 0, "", "a", "b", (("c", "c"), ("d", "e")), "f"),
        ),
    ],
)
def test_a_place_is_read(text, where):
    assert parse_where(text) == where


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("", ["'' is no transport", "the port is missing"]),
        ("udp", ["the port is missing"]),
        ("sctp:5060", ["'sctp' is no transport, as udp, tcp, tls, ws, wss are"]),
        ("tls:5061", ["cert=FILE is missing"]),
        ("tls:5061:cert=", ["cert= names no file"]),
        ("tls:5061:cert=a:key=b:key=c", ["key is named twice"]),
        ("tls:5061:key=b:cert=a:key=c", ["key is named twice"]),
        ("tls:5061:cert=a:clients=", ["clients= names no file"]),
        ("tls:5061:cert=a:k=b", ["only interface=ADDRESS and cert=FILE and key=FILE"]),
        ("ws:80:cert=a", ["'cert=a' is no option: only interface=ADDRESS is"]),
        ("wss:443", ["cert=FILE is missing"]),
        ("systemd", ["'' is no transport"]),
        ("systemd:udp:5060", ["'5060' is no option: only name=NAME is"]),
        ("systemd:udp:name=", ["name= names no socket"]),
        ("systemd:tls", ["cert=FILE is missing"]),
        ("udp:5060:name=a", ["'name=a' is no option: only interface=ADDRESS is"]),
        ("udp:65536", ["'65536' is no port"]),
        ("udp:-1", ["'-1' is no port"]),
        ("udp:٣", ["'٣' is no port"]),
        ("udp:sip", ["'sip' is no port"]),
        ("5060", ["'5060' is no transport", "the port is missing"]),
        ("udp:5060:cert=x", ["'cert=x' is no option"]),
        ("udp:127.0.0.1:5060", ["'127.0.0.1' is no port, as 5060 in udp:5060:"]),
        ("udp:5060:interface=", ["interface= names no address"]),
        ("udp:5060:interface=eth0", ["'eth0' is no IP address"]),
        (
            "udp:5060:interface=::1",
            ["IPv6 is written in brackets: interface=[::1]"],
        ),
        ("udp:5060:interface=[::1", ["is no IP address"]),
        ("udp:5060:interface=1.1.1.1:interface=1.1.1.1", ["interface is named twice"]),
        ("udp:5060:x=y:interface=[::1]", ["'x=y' is no option"]),
        ("tls:x:y=z", ["cert=FILE is missing", "'x' is no port", "'y=z' is no opt"]),
    ],
)
def test_all_mistakes_are_told_with_what_was_written(text, mistakes):
    with pytest.raises(MalformedWhere) as caught:
        parse_where(text)

    told = str(caught.value)
    assert told.startswith(repr(text))
    assert [each for each in mistakes if each not in told] == []


@pytest.mark.parametrize(
    ("where", "is_loopback", "addresses"),
    [
        (Where("udp", 5060), False, ("0.0.0.0", "::")),
        (Where("udp", 5060, "localhost"), True, ("127.0.0.1", "::1")),
        (Where("udp", 5060, "127.0.0.2"), True, ("127.0.0.2",)),
        (Where("udp", 5060, "::1"), True, ("::1",)),
        (Where("udp", 5060, "0.0.0.0"), False, ("0.0.0.0",)),
        (Where("udp", 5060, "::"), False, ("::",)),
        (Where("udp", 5060, "192.0.2.1"), False, ("192.0.2.1",)),
    ],
    ids=str,
)
def test_a_place_knows_who_can_reach_it(where, is_loopback, addresses):
    assert (where.is_loopback, where.addresses) == (is_loopback, addresses)


@pytest.mark.parametrize(
    ("where", "written"),
    [
        (Where("udp", 5060, "127.0.0.1"), "udp:127.0.0.1:5060"),
        (Where("tcp", 5060, "::1"), "tcp:[::1]:5060"),
        (Where("udp", 5060), "udp:5060"),
    ],
)
def test_a_place_is_written_for_people(where, written):
    assert str(where) == written


def test_said_nothing_it_is_the_loopback():
    assert all(where.is_loopback for where in DEFAULT)
    assert {where.transport for where in DEFAULT} == {"udp", "tcp"}


@given(st.text() | st.text("udptcp:\\[]=0123456789.interfac").map("udp:5060:".__add__))
def test_nothing_fails_in_another_way(text):
    with contextlib.suppress(MalformedWhere):
        assert isinstance(parse_where(text), Where)
