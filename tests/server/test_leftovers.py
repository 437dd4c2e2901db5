"""Records of no use: deleted, or tried again."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from presproxy.errors import Conflict, StorageUnavailable
from presproxy.metrics import Counter, Metrics
from presproxy.model.record import Delete, Put
from presproxy.server.journal import Journal
from presproxy.server.leftovers import Leftovers
from presproxy.testing.recorders import RecordingStorage

DELETIONS = [Delete("category", f"k{n}", "sip:a@b.test", 1) for n in range(3)]


@pytest.fixture
def storage():
    storage = RecordingStorage()
    puts = [Put("category", f"k{n}", "sip:a@b.test", 0, 9e9, b"") for n in range(3)]
    storage.commit(puts)
    storage.commits.clear()
    return storage


@pytest.fixture
def leftovers(storage):
    took = Metrics().histogram("took", "How long.")
    journal = Journal(storage, lambda: 0.0, took, Counter(), Counter())
    return Leftovers(journal, Deferred.fromCoroutine)


def test_what_is_of_no_use_is_deleted_at_once(storage, leftovers):
    leftovers.forget(DELETIONS)

    assert storage.changes == DELETIONS
    assert len(leftovers) == 0


def test_what_could_not_be_deleted_is_tried_again(storage, leftovers):
    storage.failure = StorageUnavailable("full")
    leftovers.forget(DELETIONS)
    leftovers.tick()
    assert len(leftovers) == 3

    storage.failure = None
    leftovers.tick()

    assert storage.changes == DELETIONS
    assert len(leftovers) == 0


def test_what_somebody_wrote_meanwhile_is_left(storage, leftovers):
    storage.failure = Conflict([("category", "k1")])

    leftovers.forget(DELETIONS)

    assert len(leftovers) == 0
