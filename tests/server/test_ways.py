"""The ways to registered contacts."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from presproxy.events.locations import Binding
from presproxy.server.ways import Ways
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.transport.hop import Unreachable

BOB, CAROL = "sip:bob@example.test", "sip:carol@example.test"


def binding(flow):
    return Binding("sip:bob@192.0.2.1:5060", 1e12, "c", 1, flow=str(flow))


@pytest.fixture
def base():
    return RecordingFlow()


@pytest.fixture
def ways(base):
    async def towards(peer):
        if peer[0] == "::1":
            raise Unreachable("udp", "no socket leads there")
        return base.towards(peer)

    return Ways(towards, "this")


def now(coroutine):
    """Give what a coroutine that waits for nothing answers."""
    found = []
    Deferred.fromCoroutine(coroutine).addCallback(found.append)
    (answer,) = found
    return answer


def test_a_stream_leads_to_whoever_registered_by_it(ways):
    stream = RecordingStream()
    ways.registered(BOB, stream)
    target = now(ways.target(BOB, binding(stream)))

    assert target.flow is stream
    assert now(ways.named(target.name)) is stream


def test_a_stream_leads_to_nobody_else(ways):
    stream = RecordingStream()
    ways.registered(CAROL, stream)

    assert now(ways.target(BOB, binding(stream))).flow is None


def test_several_users_may_share_a_stream(ways):
    stream = RecordingStream()
    ways.registered(BOB, stream)
    ways.registered(CAROL, stream)

    assert now(ways.target(BOB, binding(stream))).flow is stream
    assert now(ways.target(CAROL, binding(stream))).flow is stream


def test_a_closed_stream_leads_nowhere_and_is_forgotten(ways):
    stream = RecordingStream()
    ways.registered(BOB, stream)
    name = ways.name(stream)
    stream.close()

    assert now(ways.target(BOB, binding(stream))).flow is None
    assert now(ways.named(name)) is None
    assert len(ways) == 0


def test_a_name_is_never_used_again(ways):
    first, second = RecordingStream(), RecordingStream()
    name = ways.name(first)
    first.close()

    assert ways.name(second) != name
    assert now(ways.named(name)) is None


def test_a_name_leads_to_nobody_in_another_run_of_the_process(ways, base):
    name = ways.name(RecordingStream())
    later = Ways(ways.datagrams_to, "another")
    later.name(RecordingStream())

    assert now(later.named(name)) is None
    assert now(later.named(str(base))) is not None


def test_a_later_stream_from_the_same_port_takes_the_place_of_one_before(ways):
    first, second = RecordingStream(), RecordingStream()
    ways.registered(BOB, first)
    ways.registered(CAROL, second)
    first.close()

    assert now(ways.target(BOB, binding(first))).flow is None
    assert now(ways.target(CAROL, binding(second))).flow is second


def test_what_is_closed_already_is_not_kept(ways):
    stream = RecordingStream()
    stream.close()
    ways.registered(BOB, stream)

    assert len(ways) == 0


@pytest.mark.parametrize("peer", [("192.0.2.9", 5060), ("2001:db8::1", 5060)])
def test_a_datagram_leads_to_its_address_at_any_time(ways, base, peer):
    flow = base.towards(peer)
    target = now(ways.target(BOB, binding(flow)))

    assert target.flow.peer == peer
    assert now(ways.named(target.name)).peer == peer
    assert len(ways) == 0


@pytest.mark.parametrize(
    "text",
    [
        "this.1",
        "this.",
        "this.x",
        "udp:::1:5060",
        "udp:192.0.2.1",
        "udp:192.0.2.1:x",
        "",
        "x",
        "tcp:1:2",
        "7",
    ],
)
def test_what_names_no_way_leads_nowhere(ways, text):
    assert now(ways.named(text)) is None
    assert now(ways.target(BOB, binding(text))).flow is None


URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"


def test_an_instance_is_found_by_the_stream_it_registered_by(ways):
    stream = RecordingStream()
    ways.registered(BOB, stream, URN)

    assert ways.of_instance(BOB, URN) is stream
    assert ways.instance(BOB, stream) == URN
    assert ways.of_instance(CAROL, URN) is None
    assert ways.instance(CAROL, stream) == ""


def test_an_instance_is_not_found_by_a_stream_that_is_closed(ways):
    first, second = RecordingStream(), RecordingStream()
    ways.registered(BOB, first, URN)
    ways.registered(BOB, second, URN)
    first.close()
    assert ways.of_instance(BOB, URN) is second

    second.close()
    assert ways.of_instance(BOB, URN) is None


def test_it_is_told_which_flows_an_instance_has_left(base):
    told = []
    ways = Ways(None, "this", lambda *what: told.append(what))
    ways.registered(BOB, base)
    ways.registered(BOB, base, URN, {"tcp:192.0.2.1:1"})

    assert told == [(BOB, URN, {"tcp:192.0.2.1:1"}, base)]


def test_a_stream_that_is_closed_has_a_successor_once_its_instance_comes_again(ways):
    first, second = RecordingStream(), RecordingStream()
    ways.registered(BOB, first, URN)
    name = ways.name(first)
    first.close()
    before = ways.successor(name, BOB)
    ways.registered(BOB, second, URN)

    assert before is None
    assert ways.successor(name, BOB) is second
    assert ways.successor(name, CAROL) is None
    assert ways.successor("another.1", BOB) is None
    assert ways.successor(ways.name(second), BOB) is None


def test_streams_that_are_closed_are_remembered_up_to_a_bound(ways, monkeypatch):
    monkeypatch.setattr("presproxy.server.ways._REMEMBERED", 2)
    names = []
    for _ in range(3):
        stream = RecordingStream()
        ways.registered(BOB, stream, URN)
        names.append(ways.name(stream))
        stream.close()
    stream = RecordingStream()
    ways.registered(BOB, stream, URN)

    found = [ways.successor(name, BOB) for name in names]
    assert found == [None, stream, stream]
