"""How often an endpoint is told that its versions are old."""

from __future__ import annotations

from presproxy.server.lync.conflicts import Conflicts

ALICE, BOB = "sip:alice@example.test", "sip:bob@example.test"


def test_a_row_is_broken_by_what_is_accepted():
    conflicts = Conflicts(patience=2)

    for _ in range(2):
        assert not conflicts.is_enough(ALICE, "e1", 0.0)
        assert conflicts.happened(ALICE, "e1", 0.0)
    assert conflicts.is_enough(ALICE, "e1", 0.0)
    assert not conflicts.is_enough(ALICE, "e2", 0.0)
    assert not conflicts.is_enough(BOB, "e1", 0.0)
    conflicts.accepted(ALICE, "e1")

    assert not conflicts.is_enough(ALICE, "e1", 0.0)


def test_too_many_within_a_second_are_too_many_until_it_is_over():
    conflicts = Conflicts(patience=1, in_a_second=3)

    told = [conflicts.happened(ALICE, "e1", moment / 10) for moment in range(12)]

    assert told == [True] * 3 + [False] * 7 + [True] * 2
    assert not conflicts.is_enough(ALICE, "e1", 1.15)
    assert conflicts.is_enough(ALICE, "e1", 2.3)


def test_what_cannot_be_accepted_is_counted_and_begins_no_row():
    conflicts = Conflicts(patience=1, in_a_second=3)

    told = [conflicts.may_be_told(ALICE, "e1", 0.0) for _ in range(4)]

    assert told == [True, True, True, False]
    assert not conflicts.is_enough(ALICE, "e1", 2.0)
    assert conflicts.happened(ALICE, "e1", 2.0)


def test_who_was_told_longest_ago_makes_room():
    conflicts = Conflicts(patience=1, most=2)

    for epid in ("e1", "e2", "e1", "e3"):
        conflicts.happened(ALICE, epid, 0.0)

    assert len(conflicts) == 2
    assert [conflicts.is_enough(ALICE, epid, 0.0) for epid in ("e1", "e2", "e3")] == [
        True,
        False,
        True,
    ]
