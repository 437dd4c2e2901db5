from __future__ import annotations

from presproxy.trace import Bounds, Ring, Seen, Tap

HERE, THERE = ("192.0.2.9", 5060), ("192.0.2.1", 5060)


def entry(at=0.0, data=b"a message", cause=None):
    return (at, cause, "UDP", HERE, THERE, data)


def filled(ring, entries):
    for each in entries:
        ring.append(each)
    return ring


def numbers(ring):
    return [number for number, _ in ring.since(0, 1000)]


def test_nothing_is_recorded_while_nobody_looks():
    assert Tap().record is None


def test_a_single_record_is_called_without_a_detour():
    tap, ring = Tap(), Ring()

    stop = tap.keep(ring.append)

    assert tap.record is ring.append
    stop()
    assert tap.record is None


def test_all_who_look_see_a_message_with_its_cause():
    tap, seen = Tap(), []
    tap.listen(seen.append)
    tap.listen(seen.append)

    tap.record(entry(1.0, cause=0.5))

    assert seen == 2 * [Seen(1.0, 0.5, "UDP", HERE, THERE, b"a message")]
    assert seen[0].direction == "out"


def test_who_stops_looking_sees_no_more_and_the_others_do():
    tap, first, second = Tap(), [], []
    stop = tap.keep(first.append)
    tap.keep(second.append)

    stop()
    tap.record(entry())

    assert (len(first), len(second)) == (0, 1)


def test_a_ring_numbers_what_comes():
    ring = filled(Ring(), [entry(data=b"one"), entry(data=b"two")])

    assert [(number, each[5]) for number, each in ring.since(2, 9)] == [(2, b"two")]
    assert ring.get(1)[5] == b"one"
    assert ring.get(3) is None
    assert ring.next == 3


def test_a_ring_holds_so_many_messages():
    ring = filled(Ring(Bounds(messages=2)), [entry() for _ in range(5)])

    ring.trim(0.0)

    assert numbers(ring) == [4, 5]
    assert ring.get(3) is None


def test_a_ring_holds_so_many_octets():
    ring = filled(Ring(Bounds(octets=10)), [entry(data=b"12345") for _ in range(3)])
    ring.trim(0.0)
    filled(ring, [entry(data=b"1")])

    ring.trim(0.0)

    assert (numbers(ring), ring.octets) == ([3, 4], 6)


def test_a_ring_holds_nothing_that_is_too_old():
    ring = filled(Ring(Bounds(age=10)), [entry(0.0), entry(5.0)])

    ring.trim(11.0)

    assert numbers(ring) == [2]


def test_a_ring_gives_no_more_than_was_asked_for():
    ring = filled(Ring(), [entry() for _ in range(5)])

    assert [number for number, _ in ring.since(2, 2)] == [2, 3]
