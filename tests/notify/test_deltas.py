"""Who was told what a change is counted from is told the change, everybody else all."""

from __future__ import annotations

import pytest

from presproxy.model.notice import DeltaBody
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.watchers import Line, subscribe

FIRST = DeltaBody("a/b", b"one")
SECOND = DeltaBody("a/b", b"one two", FIRST, b"+two")
THIRD = DeltaBody("a/b", b"one two three", SECOND, b"+three")


def best_effort(line, flow):
    more = "Supported: ms-benotify\r\n"
    return line.watcher(subscribe(transport=flow.transport, more=more), flow)


def test_a_change_is_told_to_whoever_knows_what_was_before(line):
    knows, is_new = line.connected(), line.connected()
    line.tell(FIRST, knows)
    line.answer(line.taken(knows.route.flow)[0])

    line.tell(SECOND, knows, is_new)

    assert (line.told(knows), line.told(is_new)) == ([b"+two"], [b"one two"])


def test_whoever_missed_one_is_told_all(line):
    watcher = line.connected()
    line.tell(FIRST, watcher)
    (first,) = line.taken(watcher.route.flow)

    line.tell(SECOND, watcher)
    line.tell(THIRD, watcher)
    line.answer(first)

    assert line.told(watcher) == [b"one two three"]


@pytest.mark.parametrize("status", [500, 503])
def test_what_was_refused_is_not_counted_from(line, status):
    watcher = line.connected()
    line.tell(FIRST, watcher)
    (first,) = line.taken(watcher.route.flow)
    fields = [("Retry-After", "1")] if status == 503 else []

    line.answer(first, status, fields)
    line.tell(SECOND, watcher)
    line.sleep(2)

    assert line.told(watcher) == [b"one two"]


def test_what_was_not_answered_is_not_counted_from(line):
    line.notifier.timeouts = 2
    watcher = line.connected()
    line.tell(FIRST, watcher)
    line.taken(watcher.route.flow)
    line.tell(SECOND, watcher)

    line.sleep(33)

    assert line.told(watcher) == [b"one two"]


@pytest.mark.parametrize(
    ("flow", "told"),
    [(RecordingStream(), [b"one", b"+two"]), (RecordingFlow(), [b"one", b"one two"])],
    ids=["a stream", "datagrams, of which one may be lost"],
)
def test_a_benotify_is_counted_from_if_it_cannot_be_lost(line, flow, told):
    watcher = best_effort(line, flow)

    line.tell(FIRST, watcher)
    line.tell(SECOND, watcher)

    assert line.told(watcher) == told


def test_what_could_not_be_sent_is_all_told_later():
    line = Line(most=1)
    watcher, other = line.connected(), line.connected()
    line.tell(FIRST, watcher)
    line.answer(line.taken(watcher.route.flow)[0])
    line.tell(b"busy", other)
    line.tell(SECOND, watcher)
    line.answer(line.taken(other.route.flow)[0])

    line.sleep(1.1)

    assert line.told(watcher) == [b"one two"]
