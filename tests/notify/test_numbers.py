"""The numbers of NOTIFYs are reserved before they go (RFC 3261 §12.2.2)."""

from __future__ import annotations

import pytest

from presproxy.model.subscription import State
from presproxy.notify.route import RESERVED, read_route
from presproxy.testing.flows import RecordingFlow
from presproxy.testing.watchers import flow_of


def bodies(notifies):
    return [each.body for each in notifies]


class Life:
    """A watcher who answers everything, and what numbers he saw."""

    def __init__(self, line):
        self.line = line
        self.numbers = []

    def take(self, watcher, flow=None):
        for notify in self.line.taken(flow or flow_of(watcher)):
            self.numbers.append(notify.cseq.number)
            self.line.answer(notify)

    def tell(self, watcher, times):
        for number in range(times):
            self.line.tell(b"%d" % number, watcher)
            self.take(watcher)


def lasting(line, watcher):
    """The last number that a start would count as used."""
    return read_route(line.house.lasting[watcher.key]).dialog.local_cseq


def test_the_next_numbers_are_reserved_in_time(line):
    watcher = line.watcher(version=1)
    life = Life(line)

    for _ in range(3 * RESERVED):
        life.tell(watcher, 1)
        assert life.numbers[-1] <= lasting(line, watcher)

    assert life.numbers == list(range(1, 3 * RESERVED + 1))
    assert len(line.house.kept) == 3


def test_what_lives_in_memory_only_reserves_nothing(line):
    watcher = line.watcher()

    Life(line).tell(watcher, RESERVED + 10)

    assert line.house.kept == []


def test_no_number_goes_before_it_is_lasting(line):
    watcher = line.watcher(version=1)
    life = Life(line)
    line.house.hold()

    life.tell(watcher, RESERVED + 10)
    stopped = life.numbers[-1]
    line.house.release()
    life.take(watcher)

    assert stopped == RESERVED
    assert life.numbers[-1] == RESERVED + 1
    assert len(line.house.kept) == 1


def test_a_storage_that_fails_is_asked_again_and_again_and_nothing_goes(line):
    watcher = line.watcher(version=1)
    life = Life(line)
    line.house.is_failing = True
    life.tell(watcher, RESERVED + 10)
    line.sleep(3)
    life.take(watcher)

    stopped, asked = life.numbers[-1], len(line.house.kept)
    line.house.is_failing = False
    line.sleep(1.1)
    life.take(watcher)

    assert (stopped, life.numbers[-1]) == (RESERVED, RESERVED + 1)
    assert 2 <= asked <= 6


def test_a_house_that_keeps_nothing_is_not_asked_without_end(line):
    watcher = line.watcher(version=1)
    life = Life(line)

    class Forgetful:
        def kept(self, route, payload):
            pass

        def write(self, route):
            return route.write()

    line.house.keeper = Forgetful()
    life.tell(watcher, RESERVED + 10)
    stopped, asked = life.numbers[-1], len(line.house.kept)
    line.sleep(10)

    assert (stopped, life.numbers[-1]) == (RESERVED, RESERVED)
    assert asked == 1
    assert 9 <= len(line.house.kept) <= 11


@pytest.mark.parametrize("sent", [0, 1, 500, 799, 800, RESERVED, RESERVED + 300])
def test_after_a_start_all_numbers_are_higher_than_any_before(line, sent):
    watcher = line.watcher(version=1)
    life = Life(line)
    life.tell(watcher, sent)

    watcher.route = read_route(line.house.lasting[watcher.key])
    way = RecordingFlow()
    line.ways.append(way)
    line.tell(b"after", watcher)
    life.take(watcher, way)

    assert life.numbers == sorted(set(life.numbers))
    assert life.numbers[-1] > sent
    assert life.numbers[-1] <= lasting(line, watcher)


def test_after_two_starts_in_a_row_too(line):
    watcher = line.watcher(version=1)
    life = Life(line)
    life.tell(watcher, 3)
    for _ in range(2):
        watcher.route = read_route(line.house.lasting[watcher.key])
        way = RecordingFlow()
        line.ways.append(way)
        line.tell(b"after", watcher)
        life.take(watcher, way)

    assert life.numbers == sorted(set(life.numbers))


def test_nothing_goes_after_a_start_before_its_number_is_lasting(line):
    watcher = line.watcher(version=1)
    watcher.route = read_route(line.house.lasting[watcher.key])
    way = RecordingFlow()
    line.ways.append(way)
    line.house.hold()

    line.tell(b"one", watcher)
    line.tell(b"two", watcher)
    before = line.taken(way)
    line.house.release()

    assert before == []
    assert bodies(line.taken(way)) == [b"two"]


def test_a_last_notify_waits_for_no_number(line):
    watcher = line.watcher(version=1)
    watcher.route = read_route(line.house.lasting[watcher.key])
    way = RecordingFlow()
    line.ways.append(way)
    line.house.is_failing = True

    watcher.state = State.TERMINATED
    line.tell(b"nobody", watcher)

    (last,) = line.taken(way)
    assert last.cseq.number == RESERVED + 1
    assert line.house.kept == []


def test_a_last_notify_goes_before_what_waits_for_a_number(line):
    watcher = line.watcher(version=1)
    watcher.route = read_route(line.house.lasting[watcher.key])
    way = RecordingFlow()
    line.ways.append(way)
    line.house.hold()
    line.tell(b"away", watcher)

    watcher.state = State.TERMINATED
    line.tell(b"nobody", watcher)
    line.house.release()
    line.answer(line.taken(way)[0])

    assert bodies(line.taken(way)) == []
