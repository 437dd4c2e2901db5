"""Committing what was staged: the one place where a request waits for the storage."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from presproxy.errors import Conflict, PresproxyError, StorageUnavailable
from presproxy.events.staging import Staged
from presproxy.interfaces import IStorage
from presproxy.metrics import Counter, Histogram
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
        Deferred.fromCoroutine(self._write(staged, changes, answer))
        if not answer.called:
            self._waits.append(_Wait(self.ticks() + self.limit, answer))
        return answer

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

    async def _write(
        self, staged: Staged, changes: Sequence[Change], answer: Deferred[None]
    ) -> None:
        """Write, and tell whoever still waits; the root of its coroutine."""
        began = self.ticks()
        try:
            await self.storage.commit(changes)
        except Exception as error:
            self._take_back(staged, error, answer)
            return
        self.took.observe(self.ticks() - began)
        try:
            staged.live()
        except Exception:
            self._defect()
        if not answer.called:
            answer.callback(None)

    def _take_back(
        self, staged: Staged, error: Exception, answer: Deferred[None]
    ) -> None:
        if not isinstance(error, PresproxyError):
            self._defect()
            error = StorageUnavailable("the storage failed")
        # Who loses a race tries again; the storage is well.
        if not isinstance(error, Conflict):
            self.failures.value += 1
        try:
            staged.take_back()
        except Exception:
            self._defect()
        if not answer.called:
            answer.errback(error)

    def _defect(self) -> None:
        """The storage broke its promise, or making something live or undone failed."""
        self.defects.value += 1
        if self.defects.value & (self.defects.value - 1) == 0:
            _log.failure("A commit went wrong in a way it must not")
