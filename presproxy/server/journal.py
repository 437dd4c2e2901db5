"""Committing what was staged: the one place where a request waits for the storage."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from presproxy.errors import PresproxyError, StorageUnavailable
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

    async def _write(
        self, staged: Staged, changes: Sequence[Change], answer: Deferred[None]
    ) -> None:
        """Write, and tell whoever still waits; the root of its coroutine."""
        began = self.ticks()
        try:
            await self.storage.commit(changes)
        except Exception as error:
            self.failures.value += 1
            staged.take_back()
            if not isinstance(error, PresproxyError):
                self._defect()
                error = StorageUnavailable("the storage failed")
            if not answer.called:
                answer.errback(error)
            return
        self.took.observe(self.ticks() - began)
        try:
            staged.live()
        except Exception:
            self._defect()
        if not answer.called:
            answer.callback(None)

    def tick(self, now: float) -> None:
        """Let go of those who have waited long enough, or need not any more."""
        waits = self._waits
        while waits and (waits[0].answer.called or waits[0].deadline <= now):
            wait = waits.popleft()
            if not wait.answer.called:
                self.failures.value += 1
                wait.answer.errback(
                    StorageUnavailable(f"no answer within {self.limit:g} seconds")
                )

    def _defect(self) -> None:
        """The storage broke its promise, or making something live failed."""
        self.defects.value += 1
        if self.defects.value & (self.defects.value - 1) == 0:
            _log.failure("A commit went wrong in a way it must not")
