"""Records in memory: what the contract of storages does not reach."""

from __future__ import annotations

import pytest

from presproxy.errors import Conflict
from presproxy.model.record import Delete, Put
from presproxy.storage.records import PAGE, Records


def put(key: str, staged_on: int = 0, expires_at: float = 100.0) -> Put:
    return Put("publication", key, "sip:alice@example.test", staged_on, expires_at, b"")


def delete(key: str, staged_on: int) -> Delete:
    return Delete("publication", key, "sip:alice@example.test", staged_on)


def test_a_sweep_takes_what_ended_before_and_nothing_else():
    records = Records()
    records.commit([put("old", expires_at=50.0), put("young", expires_at=51.0)], 10.0)

    swept = sum(records.sweep(50.5))

    assert swept == 1
    assert records.fetch("publication", "old") is None
    assert records.fetch("publication", "young") is not None


def test_a_deleted_record_is_swept_by_the_moment_of_its_deletion():
    records = Records()
    records.commit([put("early"), put("late")], 10.0)
    records.commit([delete("early", 1)], 20.0)
    records.commit([delete("late", 1)], 30.0)

    swept = sum(records.sweep(25.0))

    assert swept == 1
    assert records.fetch("publication", "early") is None
    with pytest.raises(Conflict):
        records.commit([put("late", 0)], 31.0)


def test_a_sweep_goes_in_slices():
    records = Records()
    records.commit([put(f"{n}") for n in range(2 * PAGE + 1)], 10.0)

    assert list(records.sweep(200.0)) == [PAGE, PAGE, 1]
    assert len(records) == 0


def test_what_changes_during_a_sweep_is_seen_as_it_is_then():
    records = Records()
    records.commit([put(f"{n}") for n in range(2 * PAGE)], 10.0)

    slices = records.sweep(200.0)
    next(slices)
    records.commit([put(f"{PAGE}", 1, expires_at=300.0)], 10.0)
    rest = list(slices)

    assert rest == [PAGE - 1]
    assert len(records) == 1


def test_nothing_of_an_owner_is_left_when_its_records_are_swept():
    records = Records()
    records.commit([put("a"), put("b")], 10.0)

    list(records.sweep(200.0))

    assert records.read(["sip:alice@example.test"]) == []
    assert not records._names
