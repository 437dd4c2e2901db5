"""
One write for many calls: while one runs, the next changes gather.

There is no timer.  What comes in one turn of the reactor goes together at its end, and
what comes while that is written goes as soon as it has ended; an idle server waits for
nothing.  Without the turn's end the thread would be off with the first of a hundred
requests that were read at once: with a hundred PUBLISHes in flight that took 203 µs of
CPU each where this takes 161 (medians of three, in turn, both on one core).

Writing happens in a thread, since a disk may take its time and retransmissions may not.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Generic, TypeVar

import attrs
from twisted.internet.defer import Deferred, fail, succeed

from presproxy.errors import StorageUnavailable
from presproxy.model.record import Change, Put
from presproxy.storage.haste import Haste

T = TypeVar("T")

#: Writes the changes of many calls at once and says of each call what went wrong with
#: it, or None.  What it raises went wrong for all.
Write = Callable[[Sequence[Sequence[Change]]], Sequence[Exception | None]]

#: Changes in one write.  Twice as many save another tenth of the CPU time and double
#: what each caller waits.
BATCH = 256

#: Changes which may wait; chosen: at 30 µs each, what a second of patience allows is
#: three times as many.
WAITING = 10_000

#: Bytes of payload which may wait: what `WAITING` allows at some 3 kB a record.
WAITING_BYTES = 32 * 2**20


@attrs.define(eq=False)
class _Call:
    """One caller's changes and the answer he waits for."""

    changes: Sequence[Change]
    size: int
    answer: Deferred[None] = attrs.field()
    is_cancelled: bool = False

    @answer.default
    def _make_answer(self) -> Deferred[None]:
        return Deferred(self._cancel)

    def _cancel(self, answer: Deferred[None]) -> None:
        self.is_cancelled = True


@attrs.define(eq=False)
class _Errand(Generic[T]):
    """Something else to be done in the thread."""

    function: Callable[[], T]
    answer: Deferred[T] = attrs.field(factory=Deferred)


def _nobody_asks(
    outcomes: Sequence[Exception | None], changes: int, took: float
) -> None:
    """Do nothing with what was written."""


@attrs.define(eq=False)
class GroupCommitter:
    """
    A thread which writes, and the calls that wait for it.

    Everything but ``write`` is called in the reactor's thread; ``write`` is only called
    in the thread that `start` begins.  Several changes to one record may be in a batch,
    in the order of the calls.
    """

    write: Write
    reactor: Any
    name: str = "storage"
    batch: int = BATCH
    waiting: int = WAITING
    waiting_bytes: int = WAITING_BYTES
    #: Told in the reactor's thread of each write: what came of it, call by call, how many
    #: changes it was asked for, and how many seconds it took.
    written: Callable[[Sequence[Exception | None], int, float], None] = _nobody_asks
    #: Called in the thread as its last act.
    close: Callable[[], None] = lambda: None
    _calls: deque[_Call] = attrs.field(factory=deque, init=False)
    _errands: deque[_Errand[Any]] = attrs.field(factory=deque, init=False)
    _changes: int = attrs.field(default=0, init=False)
    _bytes: int = attrs.field(default=0, init=False)
    #: Held by whoever looks at the calls, the errands and their numbers.
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _bell: threading.Condition = attrs.field(init=False)
    _is_handing_over: bool = attrs.field(default=False, init=False)
    _is_idle: bool = attrs.field(default=False, init=False)
    _haste: Haste = attrs.field(factory=Haste, init=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False)
    _ended: Deferred[None] | None = attrs.field(default=None, init=False)

    @_bell.default
    def _make_bell(self) -> threading.Condition:
        return threading.Condition(self._lock)

    def start(self) -> None:
        """Begin the thread.  It does not keep the process alive."""
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> Deferred[None]:
        """End the thread after what waits now has been done."""
        if self._thread is None:
            return succeed(None)
        self._ended = Deferred()
        self._wake()
        return self._ended

    def __len__(self) -> int:
        """How many changes wait to be written."""
        return self._changes

    def commit(self, changes: Sequence[Change]) -> Deferred[None]:
        """
        Write ``changes``, all or none, after those of earlier calls.

        A caller who cancels is not waited for: what is already being written is written
        all the same.  Raises `StorageUnavailable` when too much waits.
        """
        if not changes:
            return succeed(None)
        size = 0
        for change in changes:
            if isinstance(change, Put):
                size += len(change.payload)
        call = _Call(changes, size)
        with self._lock:
            refusal = self._refusal(len(changes), size)
            if refusal is None:
                self._calls.append(call)
                self._changes += len(changes)
                self._bytes += size
                # A thread that is busy looks for more by itself.
                if self._is_idle:
                    self._hand_over_soon()
        return call.answer if refusal is None else fail(StorageUnavailable(refusal))

    def run(self, function: Callable[..., T], *arguments: object) -> Deferred[T]:
        """Call something in the thread, between two writes, and answer what it answers."""
        if self._is_over:
            return fail(StorageUnavailable("the storage is stopped"))
        if len(self._errands) >= self.waiting:
            return fail(StorageUnavailable(f"{self.waiting} readers wait"))
        errand = _Errand(lambda: function(*arguments))
        with self._lock:
            self._errands.append(errand)
            self._ring()
        return errand.answer

    @property
    def _is_over(self) -> bool:
        return self._thread is None or self._ended is not None

    def _refusal(self, changes: int, size: int) -> str | None:
        if self._is_over:
            return "the storage is stopped"
        # A call that is too large by itself is taken when nothing else waits.
        if self._calls and (
            self._changes + changes > self.waiting
            or self._bytes + size > self.waiting_bytes
        ):
            return f"{self._changes} changes wait to be written"
        return None

    def _hand_over_soon(self) -> None:
        if not self._is_handing_over:
            self._is_handing_over = True
            self.reactor.callFromThread(self._hand_over)

    def _hand_over(self) -> None:
        self._is_handing_over = False
        with self._lock:
            # A thread that ends has taken them already, and would not rest again.
            if self._calls:
                self._ring()

    def _wake(self) -> None:
        with self._lock:
            self._ring()

    def _ring(self) -> None:
        """Wake the thread if it sleeps.  The lock is held."""
        self._haste.begin()
        if self._is_idle:
            self._is_idle = False
            self._bell.notify()

    def _work(self) -> None:
        """Be the thread: what waits is written, then one errand is run, and so on."""
        while self._wait():
            calls = self._gather()
            if calls:
                started = perf_counter()
                outcomes = self._outcomes(calls)
                took = perf_counter() - started
                self.reactor.callFromThread(self._answer, calls, outcomes, took)
            if self._errands:
                self._go(self._errands.popleft())
        try:
            self.close()
        finally:
            self.reactor.callFromThread(self._finish)

    def _wait(self) -> bool:
        """Sleep until there is work; say whether there is any, or only the end."""
        with self._bell:
            while not (self._calls or self._errands):
                self._haste.end()
                if self._ended is not None:
                    return False
                self._is_idle = True
                self._bell.wait()
            self._is_idle = False
            return True

    def _gather(self) -> list[_Call]:
        """Take the calls of the next write, without those nobody waits for."""
        calls: list[_Call] = []
        changes = 0
        with self._lock:
            while self._calls and changes < self.batch:
                call = self._calls.popleft()
                self._changes -= len(call.changes)
                self._bytes -= call.size
                if not call.is_cancelled:
                    calls.append(call)
                    changes += len(call.changes)
        return calls

    def _outcomes(self, calls: Sequence[_Call]) -> Sequence[Exception | None]:
        try:
            return self.write([call.changes for call in calls])
        except StorageUnavailable as error:
            # Each caller raises his own, or all would share one traceback.
            return [StorageUnavailable(error.why) for _ in calls]
        except Exception as error:
            return [error] * len(calls)

    def _answer(
        self, calls: Sequence[_Call], outcomes: Sequence[Exception | None], took: float
    ) -> None:
        self.written(outcomes, sum(len(call.changes) for call in calls), took)
        for call, outcome in zip(calls, outcomes, strict=True):
            if call.is_cancelled:
                continue
            if outcome is None:
                call.answer.callback(None)
            else:
                call.answer.errback(outcome)

    def _go(self, errand: _Errand[Any]) -> None:
        try:
            result = errand.function()
        except Exception as error:
            self.reactor.callFromThread(self._fail, errand, error)
        else:
            self.reactor.callFromThread(self._tell, errand, result)

    def _tell(self, errand: _Errand[Any], result: object) -> None:
        if not errand.answer.called:
            errand.answer.callback(result)

    def _fail(self, errand: _Errand[Any], error: Exception) -> None:
        if not errand.answer.called:
            errand.answer.errback(error)

    def _finish(self) -> None:
        assert self._thread is not None
        assert self._ended is not None
        self._thread.join()
        self._thread = None
        self._ended.callback(None)
