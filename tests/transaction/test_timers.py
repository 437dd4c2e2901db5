from __future__ import annotations

import pytest

from presproxy.transaction.timers import DelayQueue, Timers


def intervals(timers, first, *, longest=None):
    waited, interval, found = 0.0, first, []
    while interval:
        found.append(interval)
        waited += interval
        interval = timers.following(longest or interval, waited)
    return found


def test_intervals_double_up_to_t2_and_end_after_64_t1():
    found = intervals(Timers(), 0.5)

    assert found == [0.5, 1, 2, 4, 4, 4, 4, 4, 4, 4, 0.5]
    assert sum(found) == 32


@pytest.mark.parametrize("t1", [0.05, 0.1, 0.3, 0.5, 1.0, 2.0])
def test_intervals_come_to_64_t1_whatever_t1_is(t1):
    timers = Timers(t1=t1)

    found = intervals(timers, t1)

    assert sum(found) == pytest.approx(64 * t1)
    assert max(found) <= 4.0
    assert min(found) > 0.01


def test_after_a_provisional_response_every_interval_is_t2():
    assert intervals(Timers(), 0.5, longest=4.0) == [0.5, *[4.0] * 7, 3.5]


def test_64_t1_is_the_longest():
    assert Timers(t1=0.1).longest == pytest.approx(6.4)


@pytest.mark.parametrize("wrong", [{"t1": 0.0}, {"t1": -1.0}, {"t2": 0.0}])
def test_a_timer_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        Timers(**wrong)


def test_what_waits_is_due_after_its_delay():
    queue = DelayQueue()
    queue.put("long", 2.0, 0.0)
    queue.put("short", 0.5, 0.0)
    queue.put("later", 0.5, 1.0)

    assert [queue.tick(now) for now in (0.0, 0.25, 0.5, 1.25, 1.5, 2.0, 9.0)] == [
        [],
        [],
        ["short"],
        [],
        ["later"],
        ["long"],
        [],
    ]


def test_what_waits_equally_long_is_due_in_the_order_it_came():
    queue = DelayQueue()
    for number in range(5):
        queue.put(number, 0.5, number / 10)

    assert queue.tick(10.0) == [0, 1, 2, 3, 4]


def test_a_queue_counts_what_waits():
    queue = DelayQueue()
    queue.put("one", 0.5, 0.0)
    queue.put("two", 1.0, 0.0)
    queue.tick(0.5)

    assert len(queue) == 1
