"""Committing what was staged: the one place where a request waits for the storage."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from presproxy.errors import Conflict, PresproxyError, StorageUnavailable
from presproxy.events.staging import Staged
from presproxy.interfaces import IStorage
from presproxy.metrics import Counter, Histogram, has_doubled
from presproxy.model.record import Change

_log = Logger()


@attrs.define(eq=False)
class _Wait:
    deadline: float
    answer: Deferred[None]


@attrs.define(eq=False)
class Journal:
    """
    Brings staged changes into the storage, and then to life or back.

    Whoever waits is told `StorageUnavailable` after ``limit`` seconds.  What the engine
    says later still counts: a change that was written after all becomes live, so that
    memory and storage never part.
    """

    storage: IStorage
    ticks: Callable[[], float]
    took: Histogram
    failures: Counter
    defects: Counter
    limit: float = 10.0
    _waits: deque[_Wait] = attrs.field(factory=deque)

    def commit(self, staged: Staged) -> Deferred[None]:
        """
        Commit, and make live.

        Raises what the storage raised, after the change has been taken back.
        """
        changes = staged.changes
        answer: Deferred[None] = Deferred()
        if not changes:
            staged.live()
            answer.callback(None)
            return answer
        began = self.ticks()
        # Without a coroutine of its own, which most storages' answers do not need.
        self._begin(changes).addCallbacks(
            self._written,
            self._failed,
            callbackArgs=(staged, answer, began),
            errbackArgs=(staged, answer),
        )
        if not answer.called:
            self._waits.append(_Wait(began + self.limit, answer))
        return answer

    def waited(self, now: float) -> float:
        """Say for how many seconds the oldest commit waits; 0 if none does."""
        waits = self._waits
        while waits and waits[0].answer.called:
            waits.popleft()
        return now - waits[0].deadline + self.limit if waits else 0.0

    def tick(self, now: float) -> None:
        """Let go of those who have waited long enough, or need not any more."""
        waits = self._waits
        while waits and (waits[0].answer.called or waits[0].deadline <= now):
            self._let_go(waits.popleft(), f"no answer within {self.limit:g} seconds")

    def close(self) -> None:
        """Let go of all who wait, since the server stops."""
        while self._waits:
            self._let_go(self._waits.popleft(), "the server stops")

    def _let_go(self, wait: _Wait, why: str) -> None:
        if not wait.answer.called:
            self.failures.value += 1
            wait.answer.errback(StorageUnavailable(why))

    def _begin(self, changes: Sequence[Change]) -> Deferred[None]:
        try:
            written = self.storage.commit(changes)
        except Exception:
            return fail(Failure())
        if isinstance(written, Deferred):
            return written
        return Deferred.fromCoroutine(_awaited(written))

    def _written(
        self, _: None, staged: Staged, answer: Deferred[None], began: float
    ) -> None:
        self.took.observe(self.ticks() - began)
        try:
            staged.live()
        except Exception:
            self._defect(Failure())
        if not answer.called:
            answer.callback(None)

    def _failed(self, failure: Failure, staged: Staged, answer: Deferred[None]) -> None:
        error: Exception = failure.value  # type: ignore[assignment]  # no other is caught
        if not isinstance(error, PresproxyError):
            self._defect(failure)
            error = StorageUnavailable("the storage failed")
        # Who loses a race tries again; the storage is well.
        if not isinstance(error, Conflict):
            self.failures.value += 1
        try:
            staged.take_back()
        except Exception:
            self._defect(Failure())
        if not answer.called:
            answer.errback(error)

    def _defect(self, failure: Failure) -> None:
        """The storage broke its promise, or making something live or undone failed."""
        self.defects.value += 1
        if has_doubled(self.defects.value):
            _log.failure("A commit went wrong in a way it must not", failure=failure)


async def _awaited(answer: Awaitable[None]) -> None:
    await answer
