"""A stream whose watchers read slowly: each is told the latest state when there is room."""

from __future__ import annotations

import pytest

from presproxy.errors import PresproxyError
from presproxy.model.subscription import State
from presproxy.testing.flows import RecordingStream
from presproxy.testing.watchers import flow_of, subscribe

WANTED = "Supported: ms-benotify\r\n"


class Unreachable(PresproxyError):
    """Nobody knows the way."""


@pytest.fixture(params=["", WANTED], ids=["NOTIFY", "BENOTIFY"])
def crowd(request, line):
    """Makes watchers who all are behind one stream."""

    def make(count, room=None):
        stream = RecordingStream(room=room)
        return stream, [
            line.watcher(
                subscribe(f"w{n}", transport="TCP", more=request.param), stream
            )
            for n in range(count)
        ]

    return make


def come(line, stream):
    """Give (watcher, body) of what came, and answer it."""
    notifies = line.taken(stream)
    for notify in notifies:
        if notify.method == "NOTIFY":
            line.answer(notify)
    return [(notify.call_id, notify.body) for notify in notifies]


def test_who_finds_no_room_is_told_the_latest_once_there_is(line, crowd):
    stream, watchers = crowd(1, room=0)

    for word in (b"one", b"two", b"three"):
        line.tell(word, *watchers)
    before = come(line, stream)
    stream.read()

    assert before == []
    assert come(line, stream) == [("w0", b"three")]
    assert line.counted("notify_replaced") == 2


def test_all_get_their_turn_in_their_order(line, crowd):
    stream, watchers = crowd(7, room=2)

    line.tell(b"one", *watchers)
    turns = [come(line, stream)]
    for _ in range(4):
        stream.read(room=2)
        turns.append(come(line, stream))

    assert [[name for name, _ in turn] for turn in turns] == [
        ["w0", "w1"],
        ["w2", "w3"],
        ["w4", "w5"],
        ["w6"],
        [],
    ]


def test_nobody_is_told_an_older_state_after_a_newer_one(line, crowd):
    stream, watchers = crowd(4, room=1)
    line.tell(b"one", *watchers)
    seen = come(line, stream)
    stream.read(room=1)
    seen += come(line, stream)
    line.tell(b"two", *watchers)
    while not seen[-4:] or {body for _, body in seen[-4:]} != {b"two"}:
        stream.read(room=1)
        seen += come(line, stream)

    assert seen == [
        ("w0", b"one"),
        ("w1", b"one"),
        ("w2", b"two"),
        ("w3", b"two"),
        ("w0", b"two"),
        ("w1", b"two"),
    ]


def test_somebody_elses_stream_is_not_waited_for(line, crowd):
    _, stuck = crowd(3, room=0)
    stream, others = crowd(3)

    line.tell(b"one", *stuck, *others)

    assert len(come(line, stream)) == 3


def test_a_watcher_who_left_for_another_stream_is_told_there(line, crowd):
    stuck, (watcher,) = crowd(1, room=0)
    line.tell(b"one", watcher)
    other = RecordingStream()
    watcher.route.follow(subscribe("w0", transport="TCP", cseq=2), other)

    line.tell(b"two", watcher)
    told = come(line, other)
    stuck.read()

    assert told == [("w0", b"two")]
    assert (come(line, stuck), come(line, other)) == ([], [])


def test_what_waited_when_the_stream_ended_goes_another_way(line, crowd):
    stream, watchers = crowd(3, room=0)
    other = RecordingStream()
    line.ways += [other] * 3
    line.tell(b"one", *watchers)

    stream.close()

    assert come(line, other) == [("w0", b"one"), ("w1", b"one"), ("w2", b"one")]


def test_nothing_is_left_of_who_cannot_be_reached(line, crowd):
    stream, watchers = crowd(3, room=0)
    line.ways += [Unreachable()] * 3
    for each in watchers:
        each.state = State.TERMINATED
    line.tell(b"nobody", *watchers)

    stream.close()

    assert line.notifier._crowds == {}
    assert not line.house.reactor.getDelayedCalls()


def test_a_last_notify_waits_for_room_as_well(line, crowd):
    stream, (watcher,) = crowd(1, room=0)
    line.tell(b"away", watcher)
    watcher.state = State.TERMINATED
    line.tell(b"nobody", watcher)

    stream.read()

    (last,) = line.taken(flow_of(watcher))
    assert (last.body, last.get("subscription-state")) == (
        b"nobody",
        "terminated;reason=timeout",
    )
