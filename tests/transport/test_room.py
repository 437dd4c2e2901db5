"""A stream whose peer reads slowly: whoever can wait is told when there is room."""

from __future__ import annotations

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from presproxy.testing.flows import RecordingFlow
from presproxy.transport.where import Where


def test_datagrams_always_have_room():
    assert not RecordingFlow().is_full


def test_a_flow_is_full_while_the_peer_does_not_read(accept):
    accepted = accept()
    seen = [accepted.flow.is_full]
    told = []

    accepted.connection.pauseProducing()
    seen.append(accepted.flow.is_full)
    for number in range(2):
        accepted.flow.when_room(lambda number=number: told.append(number))
    before = list(told)
    accepted.connection.resumeProducing()
    accepted.connection.pauseProducing()
    accepted.connection.resumeProducing()

    assert (seen, accepted.flow.is_full) == ([False, True], False)
    assert (before, told) == ([], [0, 1])


def test_there_is_no_room_while_what_was_held_fills_it_again(accept):
    accepted = accept()
    told = []
    accepted.connection.pauseProducing()
    accepted.flow.send(b"an answer")
    accepted.flow.when_room(lambda: told.append(accepted.wire.written))
    accepted.wire.write = lambda data: accepted.connection.pauseProducing()

    accepted.connection.resumeProducing()
    before = list(told)
    del accepted.wire.write
    accepted.connection.resumeProducing()

    assert (before, told) == ([], [b""])


def test_what_was_held_goes_before_what_waited_for_room(accept):
    accepted = accept()
    accepted.connection.pauseProducing()
    accepted.flow.send(b"one,")
    accepted.flow.when_room(lambda: accepted.flow.send(b"two"))

    accepted.connection.resumeProducing()

    assert accepted.wire.written == b"one,two"


def test_the_end_is_told_to_who_waits(accept):
    accepted = accept()
    told = []
    accepted.connection.pauseProducing()
    accepted.flow.when_room(lambda: told.append(accepted.flow.is_open))

    accepted.connection.connectionLost()

    assert told == [False]
    assert not accepted.flow.is_full


def test_a_peer_that_reads_nothing_at_all_loses_its_connection(accept, house):
    accepted = accept(unread=32.0, idle=600.0)
    accepted.flow.keep(3600)
    accepted.connection.pauseProducing()

    accepted.pass_time(31)
    before = list(accepted.wire.events)
    accepted.pass_time(1)

    assert (before, accepted.wire.events) == ([], ["abort"])
    assert house.count("connections_ended", transport="tcp", why="unread") == 1


def test_a_peer_that_reads_now_and_then_does_not(accept):
    accepted = accept(unread=32.0, idle=600.0)

    for _ in range(10):
        accepted.connection.pauseProducing()
        accepted.pass_time(31)
        accepted.connection.resumeProducing()

    assert accepted.wire.events == []


@pytest_twisted.ensureDeferred
async def test_over_a_socket_as_much_goes_as_is_read(house, open_house, call, options):
    [where] = await open_house().listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)
    peer.send(options)
    _, flow = await house.received.get()
    peer.transport.pauseProducing()
    sent, told = 0, []
    while not flow.is_full:
        flow.send(bytes(10_000))
        sent += 10_000
        await deferLater(reactor, 0)
    flow.when_room(lambda: told.append(flow.is_full))
    before = list(told)

    peer.transport.resumeProducing()
    await peer.read(sent)
    while not told:
        await deferLater(reactor, 0)

    assert (before, told, flow.is_open) == ([], [False], True)
