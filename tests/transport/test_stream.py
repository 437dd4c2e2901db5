from __future__ import annotations

import re

import pytest
import pytest_twisted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from presproxy.errors import FlowClosed
from presproxy.transport.stream import StreamConnection, StreamLimits
from presproxy.transport.where import Where

LOOPBACKS = pytest.mark.parametrize("loopback", ["127.0.0.1", "::1"])


# --- Over real sockets


@LOOPBACKS
@pytest_twisted.ensureDeferred
async def test_a_message_comes_with_the_way_back(
    loopback, house, open_house, call, options
):
    [where] = await open_house().listen(Where("tcp", 0, loopback))
    peer = await call(where)

    peer.send(options)
    data, flow = await house.received.get()
    flow.send(b"an answer")

    assert data == options
    assert await peer.read(9) == b"an answer"
    assert (flow.peer, flow.local) == (peer.address, (loopback, where.port))
    assert (flow.transport, flow.reliable, flow.is_open) == ("TCP", True, True)
    assert flow.towards(("192.0.2.1", 5060)) is flow


@LOOPBACKS
@pytest_twisted.ensureDeferred
async def test_our_end_is_the_one_that_listens(
    loopback, house, open_house, call, options
):
    bound = await open_house().listen(Where("tcp", 0))
    peer = await call(Where("tcp", bound[0].port, loopback))

    peer.send(options)
    _, flow = await house.received.get()

    host = "[::1]" if loopback == "::1" else loopback
    assert flow.sent_by == f"{host}:{bound[0].port}"


@pytest_twisted.ensureDeferred
async def test_a_double_crlf_is_answered_by_one(open_house, call):
    [where] = await open_house().listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)

    peer.send(b"\r\n\r\n")

    assert await peer.read(2) == b"\r\n"


@pytest_twisted.ensureDeferred
async def test_a_peer_that_has_said_its_last_still_gets_its_answer(
    house, open_house, call, options
):
    [where] = await open_house().listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)

    peer.send(options)
    peer.transport.loseWriteConnection()
    _, flow = await house.received.get()
    while flow.is_open:
        await deferLater(reactor, 0)
    flow.send(b"an answer")

    assert await peer.read(9) == b"an answer"


@pytest_twisted.ensureDeferred
async def test_the_end_of_a_flow_is_told(house, open_house, call, options):
    [where] = await open_house().listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)
    peer.send(options)
    _, flow = await house.received.get()

    peer.transport.abortConnection()
    closed = await house.closed.get()

    assert closed is flow
    assert not flow.is_open
    with pytest.raises(FlowClosed):
        flow.send(b"an answer")
    assert house.count("connections_open", transport="tcp") == 0


@pytest_twisted.ensureDeferred
async def test_nothing_waits_for_the_collector_when_a_connection_is_gone(
    house, open_house, call, options, count_living
):
    [where] = await open_house().listen(Where("tcp", 0, "127.0.0.1"))
    before = count_living(StreamConnection)
    peer = await call(where)
    peer.send(options)
    _, flow = await house.received.get()
    told = Deferred()
    flow.when_closed(lambda: told.callback(None))
    during = count_living(StreamConnection)

    peer.transport.abortConnection()
    await told
    await deferLater(reactor, 0)

    assert (during, count_living(StreamConnection)) == (before + 1, before)
    assert not flow.is_open


@pytest_twisted.ensureDeferred
async def test_who_asks_late_is_told_of_the_end_as_well(
    house, open_house, call, options
):
    [where] = await open_house().listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)
    peer.send(options)
    _, flow = await house.received.get()
    peer.transport.abortConnection()
    await house.closed.get()
    told = []
    room, end = Deferred(), Deferred()

    flow.when_closed(lambda: told.append("taken back"))()
    flow.when_room(lambda: room.callback(None))
    flow.when_closed(lambda: end.callback(None))
    await room
    await end

    assert told == []
    assert not flow.is_full
    with pytest.raises(FlowClosed, match=re.escape(f"tcp:127.0.0.1:{flow.peer[1]}")):
        flow.send(b"too late")


@pytest_twisted.ensureDeferred
async def test_a_broken_stream_is_answered_before_it_is_closed(
    house, open_house, call, options
):
    [where] = await open_house().listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)

    peer.send(options.replace(b"Content-Length: 0", b"Content-Length: many"))
    # More of what nobody reads must not make the system take the answer back.
    peer.send(b"x" * 100_000)
    await peer.closed

    start, *lines = peer.data.split(b"\r\n")
    assert start.startswith(b"SIP/2.0 400 ")
    assert b"Content-Length" in start
    assert b"Call-ID: a84b4c76e66710" in lines
    assert b"received=127.0.0.1" in lines[0]
    assert house.count("connections_ended", transport="tcp", why="broken") == 1


@pytest_twisted.ensureDeferred
async def test_a_peer_that_does_not_read_loses_its_connection(
    house, open_house, call, options
):
    [where] = await open_house().listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)
    peer.send(options)
    _, flow = await house.received.get()
    peer.transport.pauseProducing()

    def send_much() -> None:
        for _ in range(200):
            flow.send(bytes(65_536))

    with pytest.raises(FlowClosed):
        send_much()
    await house.closed.get()
    assert house.count("connections_ended", transport="tcp", why="unread") == 1


@pytest_twisted.ensureDeferred
async def test_a_slow_reader_gets_all_in_order(house, open_house, call, options):
    [where] = await open_house().listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)
    peer.send(options)
    _, flow = await house.received.get()
    numbers = [b"%09d\n" % number * 1000 for number in range(80)]

    for each in numbers:
        flow.send(each)

    assert await peer.read(80 * 10_000) == b"".join(numbers)
    assert flow.is_open


@pytest_twisted.ensureDeferred
async def test_stopping_sends_what_is_under_way(house, open_house, call, options):
    connections = open_house()
    [where] = await connections.listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)
    peer.send(options)
    _, flow = await house.received.get()

    flow.send(bytes(500_000))
    await connections.stop()
    await peer.closed

    assert peer.data == bytes(500_000)


@pytest.mark.parametrize(
    ("limits", "why"),
    [({"per_peer": 1}, "peer"), ({"connections": 1}, "total")],
    ids=["from one peer", "in all"],
)
@pytest_twisted.ensureDeferred
async def test_one_connection_too_many_is_closed_at_once(
    limits, why, house, open_house, call, options
):
    connections = open_house(limits=StreamLimits(**limits))
    [where] = await connections.listen(Where("tcp", 0, "127.0.0.1"))
    first = await call(where)
    first.send(options)
    await house.received.get()

    second = await call(where)
    await second.closed
    first.transport.abortConnection()
    await house.closed.get()
    third = await call(where)
    third.send(options)
    data, _ = await house.received.get()

    assert data == options
    assert house.count("connections_refused", transport="tcp", why=why) == 1


# --- Under a clock


def test_messages_of_one_read_come_in_order(accept, house, options):
    other = options.replace(b"63104", b"63105")

    accept().receive(options + b"\r\n\r\n" + other + options[:20])

    assert house.messages == [options, other]


def test_each_ping_is_answered(accept, options):
    accepted = accept()

    accepted.receive(b"\r\n\r\n" + options + b"\r\n\r\n\r\n\r\n")

    assert accepted.wire.written == b"\r\n" * 3


def test_others_have_their_turn_in_between(accept, house, options):
    accepted = accept(turn=2)

    accepted.receive(options * 5)
    first = (len(house.messages), accepted.wire.is_reading)
    accepted.clock.advance(0)

    assert first == (2, False)
    assert (len(house.messages), accepted.wire.is_reading) == (5, True)


def test_what_came_before_the_end_is_handed_on(accept, house, options):
    accepted = accept(turn=1)

    accepted.receive(options * 3)
    accepted.connection.connectionLost()

    assert house.messages == [options] * 3
    assert house.closed.pending == [accepted.flow]


def test_a_peer_that_promised_a_word_is_gone_without_one(accept, house, options):
    accepted = accept(idle=600.0)
    accepted.receive(options)
    accepted.flow.keep(3600)
    accepted.flow.expect(150)

    accepted.pass_time(140)
    accepted.receive(b"\r\n\r\n")
    accepted.pass_time(149)
    before = list(accepted.wire.events)
    accepted.pass_time(2)

    assert (before, accepted.wire.events) == ([], ["close"])
    assert house.count("connections_ended", transport="tcp", why="idle") == 1


def test_a_promise_of_less_than_the_usual_is_held_to_as_well(accept, options):
    accepted = accept(idle=60.0)
    accepted.receive(options)
    accepted.flow.expect(150)

    accepted.pass_time(149)
    assert accepted.wire.events == []


@pytest.mark.parametrize(
    "begin",
    [b"O", b"OPTIONS sip:a@example.test SIP/2.0\r\n", b"\r\n\r\nOPTIONS"],
    ids=["one octet", "a line", "after a ping"],
)
def test_a_message_that_never_ends_ends_the_connection(begin, accept, house):
    accepted = accept(message=30.0)

    accepted.receive(begin)
    for _ in range(29):
        accepted.pass_time(1)
        accepted.receive(b"x")
    before = list(accepted.wire.events)
    accepted.pass_time(1)

    assert (before, accepted.wire.events) == ([], ["close"])
    assert house.count("connections_ended", transport="tcp", why="slow") == 1


def test_each_message_has_its_own_time(accept, house, options):
    accepted = accept(message=30.0)

    accepted.receive(options[:100])
    for _ in range(10):
        accepted.pass_time(20)
        accepted.receive(options[100:] + options[:100])

    assert accepted.wire.events == []
    assert house.messages == [options] * 10


def test_an_idle_connection_ends(accept, house, options):
    accepted = accept(idle=600.0)
    accepted.receive(options)

    accepted.pass_time(599)
    before = list(accepted.wire.events)
    accepted.pass_time(1)

    assert (before, accepted.wire.events) == ([], ["close"])
    assert house.count("connections_ended", transport="tcp", why="idle") == 1


@pytest.mark.parametrize("heard", [b"\r\n\r\n", b"\r\n"], ids=["a ping", "half a ping"])
def test_whatever_is_heard_keeps_a_connection(heard, accept):
    accepted = accept(idle=600.0)

    for _ in range(10):
        accepted.pass_time(300)
        accepted.receive(heard)

    assert accepted.wire.events == []


def test_a_stranger_who_says_nothing_is_not_waited_for(accept):
    accepted = accept(is_accepted=True, first=60.0)

    accepted.pass_time(60)

    assert accepted.wire.events == ["close"]


@pytest.mark.parametrize("ping", [False, True], ids=["a message", "a ping"])
def test_who_said_something_is_no_stranger(ping, accept, options):
    accepted = accept(is_accepted=True, first=60.0)

    accepted.receive(b"\r\n\r\n" if ping else options)
    accepted.pass_time(300)

    assert accepted.wire.events == []


def test_what_is_half_read_is_bounded_for_all_together(accept, house, options):
    accepted = accept(buffered=1_000)
    half = options.replace(b"h: 0", b"h: 5000")

    accepted.receive(half)
    before = house.count("connections_buffered", transport="tcp")
    accepted.receive(b"x" * 999)
    accepted.connection.connectionLost()

    assert before == len(half)
    assert accepted.wire.events == ["close"]
    assert house.count("connections_ended", transport="tcp", why="crowded") == 1
    assert house.count("connections_buffered", transport="tcp") == 0


def test_what_is_unsent_is_bounded_for_all_together(accept, house):
    accepted = accept(buffered=1_000)
    accepted.connection.pauseProducing()

    accepted.flow.send(bytes(1_000))
    before = house.count("connections_buffered", transport="tcp")
    with pytest.raises(FlowClosed):
        accepted.flow.send(b"more")
    accepted.connection.connectionLost()

    assert before == 1_000
    assert accepted.wire.events == ["abort"]
    assert house.count("connections_buffered", transport="tcp") == 0


def test_what_is_read_and_sent_is_not_buffered_any_more(accept, house, options):
    accepted = accept()

    for octet in options:
        accepted.receive(bytes([octet]))
    accepted.receive(options + options[:50])
    accepted.receive(options[50:])
    accepted.connection.pauseProducing()
    accepted.flow.send(b"an answer")
    accepted.connection.resumeProducing()

    assert house.messages == [options] * 3
    assert house.count("connections_buffered", transport="tcp") == 0


def test_all_that_goes_out_is_signed_once_that_was_agreed_on(accept, house):
    class Numbering:
        count = 0

        def sealed(self, data: bytes) -> bytes:
            self.count += 1
            return b"%d:%s" % (self.count, data)

    accepted = accept()

    accepted.flow.send(b"before")
    accepted.flow.seal_with(Numbering())
    accepted.flow.send(b"one")
    accepted.connection.pauseProducing()
    accepted.flow.send(b"two")
    accepted.flow.seal_with(None)
    accepted.flow.send(b"after")
    accepted.connection.resumeProducing()

    assert accepted.wire.written == b"before1:one2:twoafter"


def test_a_flow_that_something_depends_on_is_kept(accept, options):
    accepted = accept(idle=600.0)

    accepted.flow.keep(3600)
    accepted.flow.keep(60)
    accepted.pass_time(3599)
    before = list(accepted.wire.events)
    accepted.pass_time(1)

    assert (before, accepted.wire.events) == ([], ["close"])


def test_what_is_held_for_a_slow_reader_goes_before_the_end(accept):
    accepted = accept(idle=20.0)

    accepted.connection.pauseProducing()
    accepted.flow.send(b"held")
    accepted.pass_time(20)
    before = (accepted.wire.written, list(accepted.wire.events))
    accepted.connection.resumeProducing()

    assert before == (b"", [])
    assert (accepted.wire.written, accepted.wire.events) == (b"held", ["close"])


def test_a_peer_that_does_not_read_our_last_word_is_cut_off(accept):
    accepted = accept(closing=5.0)
    accepted.connection.pauseProducing()
    accepted.flow.send(b"held")

    accepted.pass_time(605)

    assert accepted.wire.events == ["abort"]


def test_a_peer_that_does_not_close_is_cut_off(accept):
    accepted = accept(closing=5.0)

    accepted.receive(b"x" * 20_000)
    before = list(accepted.wire.events)
    accepted.pass_time(5)

    assert (before, accepted.wire.events) == (["shut"], ["shut", "abort"])


def test_who_waits_for_the_end_is_told_of_the_last_word(accept):
    accepted = accept()
    told = []
    accepted.flow.when_closed(lambda: told.append("early"))

    accepted.connection.readConnectionLost()
    assert told == []
    accepted.clock.advance(0)
    accepted.flow.when_closed(lambda: told.append("late"))
    accepted.clock.advance(0)

    assert told == ["early", "late"]


def test_after_its_last_word_a_peer_gets_answers_for_a_while(accept):
    accepted = accept(closing=5.0)

    accepted.connection.readConnectionLost()
    accepted.pass_time(4)
    accepted.flow.send(b"an answer")
    before = list(accepted.wire.events)
    accepted.pass_time(1)

    assert (before, accepted.wire.events) == ([], ["close"])
    assert accepted.wire.written == b"an answer"
    with pytest.raises(FlowClosed):
        accepted.flow.send(b"too late")


def test_what_came_whole_before_the_break_is_answered(accept, house, options):
    accepted = accept(closing=5.0)

    accepted.receive(options + options.replace(b"h: 0", b"h: -1") + options)
    accepted.flow.send(b"an answer")
    accepted.pass_time(5)

    assert house.messages == [options]
    assert accepted.wire.written.startswith(b"SIP/2.0 400 ")
    assert accepted.wire.written.endswith(b"an answer")
    assert accepted.wire.events == ["shut"]


@pytest.mark.parametrize(
    ("length", "status"),
    [(b"", b"400"), (b"Content-Length: 9999999\r\n", b"413")],
    ids=["no length", "too long a body"],
)
def test_what_is_wrong_with_a_request_is_said(length, status, accept, options):
    accepted = accept()

    accepted.receive(options.replace(b"Content-Length: 0\r\n", length))

    assert accepted.wire.written.split(b" ")[1] == status


def test_what_cannot_be_answered_is_not(accept):
    accepted = accept()

    accepted.receive(b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n")

    assert accepted.wire.written == b""
    assert accepted.wire.events == ["shut"]


def test_answers_to_broken_requests_are_shown(accept, house, options):
    accepted = accept()
    shown = []
    house.tap.listen(shown.append)

    accepted.receive(options.replace(b"Content-Length: 0\r\n", b""))

    assert [(each.direction, each.data) for each in shown] == [
        ("out", accepted.wire.written)
    ]


@given(st.lists(st.binary(max_size=60) | st.just(b"\r\n\r\n") | st.just(b"SIP/2.0")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_comes_in_fails(accept, reads):
    accepted = accept()

    for read in reads:
        accepted.receive(read)
    accepted.connection.connectionLost()

    assert len(accepted.streams) == 0
