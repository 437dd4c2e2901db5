"""Committing what was staged."""

from __future__ import annotations

import attrs
import pytest

from presproxy.errors import Conflict, StorageUnavailable
from presproxy.metrics import Counter, Histogram
from presproxy.model.record import NEVER, Put
from presproxy.server.journal import Journal
from presproxy.testing.recorders import RecordingStorage

PUT = Put("kind", "key", "owner", 0, NEVER, b"")


@attrs.define(eq=False)
class Staged:
    """Something staged, which keeps what became of it."""

    changes: tuple[Put, ...] = (PUT,)
    became: list[str] = attrs.field(factory=list)
    failure: Exception | None = None

    def live(self) -> None:
        self._become("live")

    def take_back(self) -> None:
        self._become("taken back")

    def _become(self, what: str) -> None:
        self.became.append(what)
        if self.failure is not None:
            raise self.failure


@attrs.define(eq=False)
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def storage():
    return RecordingStorage()


@pytest.fixture
def journal(storage, clock):
    return Journal(storage, clock, Histogram(), Counter(), Counter(), limit=10.0)


def watch(answer):
    """Give a list in which the outcome will be: a value or an error."""
    found = []
    answer.addCallbacks(found.append, lambda failure: found.append(failure.value))
    return found


def outcome(answer):
    """Give what was answered, which must have been."""
    (found,) = watch(answer)
    return found


def counts(journal):
    return journal.failures.value, journal.defects.value


def test_what_is_committed_is_live(journal, storage):
    staged = Staged()

    assert outcome(journal.commit(staged)) is None
    assert staged.became == ["live"]
    assert storage.changes == [PUT]


def test_what_changes_nothing_is_live_without_the_storage(journal, storage):
    staged = Staged(())

    assert outcome(journal.commit(staged)) is None
    assert (staged.became, storage.commits) == (["live"], [])


def test_nothing_is_live_before_it_is_committed(journal, storage):
    storage.hold()
    staged = Staged()
    answered = watch(journal.commit(staged))

    assert (answered, staged.became) == ([], [])


@pytest.mark.parametrize(
    ("failure", "raised", "counted"),
    [
        (StorageUnavailable("full"), StorageUnavailable, (1, 0)),
        (Conflict([("a", "b")]), Conflict, (0, 0)),
        (RuntimeError("a broken promise"), StorageUnavailable, (1, 1)),
    ],
)
def test_what_was_not_written_is_taken_back(journal, storage, failure, raised, counted):
    storage.failure = failure
    staged = Staged()

    assert isinstance(outcome(journal.commit(staged)), raised)
    assert staged.became == ["taken back"]
    assert counts(journal) == counted


def test_a_storage_that_raises_at_once_is_no_different(journal, storage):
    def commit(changes):
        raise RuntimeError("not even a Deferred")

    storage.commit = commit
    staged = Staged()

    assert isinstance(outcome(journal.commit(staged)), StorageUnavailable)
    assert staged.became == ["taken back"]


@pytest.mark.parametrize("failure", [None, StorageUnavailable("full")])
def test_a_defect_in_what_follows_is_counted_and_answered_all_the_same(
    journal, storage, failure
):
    storage.failure = failure
    staged = Staged(failure=RuntimeError("cannot"))

    answered = outcome(journal.commit(staged))

    assert answered is None if failure is None else answered is failure
    assert journal.defects.value == 1


def test_nobody_waits_longer_than_the_limit(journal, storage, clock):
    storage.hold()
    first = watch(journal.commit(Staged()))
    clock.now = 5.0
    second = watch(journal.commit(Staged()))

    lengths = []
    for now in (9.9, 10.1, 15.0):
        journal.tick(now)
        lengths.append((len(first), len(second)))

    assert lengths == [(0, 0), (1, 0), (1, 1)]
    assert str(first[0]) == "no answer within 10 seconds"
    assert isinstance(second[0], StorageUnavailable)
    assert journal.failures.value == 2


def test_what_is_written_too_late_is_live_all_the_same(journal, storage):
    storage.hold()
    staged = Staged()
    watch(journal.commit(staged))
    journal.tick(11.0)
    before = staged.became[:]

    storage.release()

    assert (before, staged.became) == ([], ["live"])


def test_what_fails_too_late_is_taken_back(journal, storage):
    storage.hold()
    staged = Staged()
    watch(journal.commit(staged))
    journal.tick(11.0)
    storage.failure = StorageUnavailable("full")

    storage.release()

    assert staged.became == ["taken back"]


def test_all_who_wait_are_let_go_at_the_end(journal, storage):
    storage.hold()
    answers = [watch(journal.commit(Staged())) for _ in range(3)]

    journal.close()

    assert [str(each) for (each,) in answers] == ["the server stops"] * 3


def test_those_who_were_answered_are_not_kept(journal, storage):
    storage.hold()
    for key in ("a", "b", "c"):
        journal.commit(Staged((attrs.evolve(PUT, key=key),)))
    storage.release()

    journal.tick(1.0)

    assert len(journal._waits) == 0
