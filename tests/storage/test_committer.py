"""What comes while one write runs goes together in the next."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import attrs
import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults

from presproxy.errors import StorageUnavailable
from presproxy.model.record import Change, Put
from presproxy.storage.committer import GroupCommitter
from presproxy.testing.waiting import waiting_fixture, waiting_test


def put(key: str, payload: bytes = b"") -> Put:
    return Put("publication", key, "sip:alice@example.test", 0, 1.0, payload)


@attrs.define(eq=False)
class RecordingWriter:
    """
    A writer which keeps the keys it was given, one list per write and call.

    It waits at `gate`, and tells ``arrived`` in the reactor's thread that it does.
    """

    batches: list[list[list[str]]] = attrs.field(factory=list)
    gate: threading.Event = attrs.field(factory=threading.Event)
    arrived: Deferred[None] = attrs.field(factory=Deferred)
    outcome: Callable[[Sequence[Change]], Exception | None] = lambda changes: None
    raised: list[Exception] = attrs.field(factory=list)
    intervals: list[float] = attrs.field(factory=list)

    def write(self, calls: Sequence[Sequence[Change]]) -> list[Exception | None]:
        self.batches.append([[change.key for change in call] for call in calls])
        self.intervals.append(sys.getswitchinterval())
        arrived, self.arrived = self.arrived, Deferred()
        reactor.callFromThread(arrived.callback, None)
        assert self.gate.wait(10)
        if self.raised:
            raise self.raised.pop()
        return [self.outcome(call) for call in calls]


@attrs.define(eq=False)
class CountingReactor:
    """Counts how often a thread called into the reactor."""

    count: int = 0

    def callFromThread(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.count += 1
        reactor.callFromThread(function, *arguments)


@pytest.fixture
def writer() -> RecordingWriter:
    return RecordingWriter()


@waiting_fixture
async def committer(writer: RecordingWriter) -> AsyncIterator[GroupCommitter]:
    committer = GroupCommitter(
        writer.write, CountingReactor(), batch=4, waiting=6, waiting_bytes=100
    )
    committer.start()
    yield committer
    writer.gate.set()
    await committer.stop()


async def busy(committer: GroupCommitter, writer: RecordingWriter) -> Deferred[None]:
    """Let the writer stand at its gate with one call."""
    arrived = writer.arrived
    first = committer.commit([put("first")])
    await arrived
    return first


@waiting_test
async def test_a_change_goes_at_once_when_nothing_is_written(committer, writer):
    writer.gate.set()

    await committer.commit([put("a")])
    await committer.commit([put("b")])

    assert writer.batches == [[["a"]], [["b"]]]


@waiting_test
async def test_what_comes_during_a_write_goes_together(committer, writer):
    first = await busy(committer, writer)

    rest = [committer.commit([put(key)]) for key in "abc"]
    writer.gate.set()
    await gatherResults([first, *rest])

    assert writer.batches == [[["first"]], [["a"], ["b"], ["c"]]]


@waiting_test
async def test_a_batch_is_bounded_and_never_cuts_a_call(committer, writer):
    first = await busy(committer, writer)

    calls = [("a", "b", "c"), ("d", "e"), ("f",)]
    rest = [committer.commit([put(key) for key in keys]) for keys in calls]
    writer.gate.set()
    await gatherResults([first, *rest])

    assert writer.batches[1:] == [[["a", "b", "c"], ["d", "e"]], [["f"]]]


@waiting_test
async def test_more_than_may_wait_is_refused_at_once(committer, writer):
    first = await busy(committer, writer)
    rest = [committer.commit([put(f"{n}")]) for n in range(6)]

    with pytest.raises(StorageUnavailable, match="6 changes wait"):
        await committer.commit([put("too many")])

    writer.gate.set()
    await gatherResults([first, *rest])
    await committer.commit([put("later")])

    assert writer.batches[-1] == [["later"]]


@waiting_test
async def test_more_bytes_than_may_wait_are_refused_at_once(committer, writer):
    first = await busy(committer, writer)
    rest = committer.commit([put("a", b"x" * 60)])

    with pytest.raises(StorageUnavailable):
        await committer.commit([put("b", b"x" * 60)])

    writer.gate.set()
    await gatherResults([first, rest])
    assert len(committer) == 0


@waiting_test
async def test_a_call_larger_than_all_bounds_goes_alone(committer, writer):
    writer.gate.set()

    await committer.commit([put(f"{n}", b"x" * 60) for n in range(10)])

    assert [len(batch[0]) for batch in writer.batches] == [10]


@waiting_test
async def test_what_was_cancelled_before_it_was_written_is_not(committer, writer):
    first = await busy(committer, writer)
    rest = [committer.commit([put(key)]) for key in "abc"]

    rest[1].cancel()
    writer.gate.set()
    with pytest.raises(CancelledError):
        await rest[1]
    await gatherResults([first, rest[0], rest[2]])

    assert writer.batches[1] == [["a"], ["c"]]


@waiting_test
async def test_what_is_cancelled_while_it_is_written_is_written(committer, writer):
    first = await busy(committer, writer)

    first.cancel()
    writer.gate.set()
    with pytest.raises(CancelledError):
        await first
    await committer.commit([put("a")])

    assert writer.batches == [[["first"]], [["a"]]]


@waiting_test
async def test_a_call_that_fails_fails_alone(committer, writer):
    first = await busy(committer, writer)
    writer.outcome = lambda call: KeyError() if call[0].key == "b" else None

    good, bad = committer.commit([put("a")]), committer.commit([put("b")])
    writer.gate.set()

    await gatherResults([first, good])
    with pytest.raises(KeyError):
        await bad


@waiting_test
async def test_a_write_that_fails_fails_for_all_its_calls_and_no_other(
    committer, writer
):
    first = await busy(committer, writer)
    writer.raised.append(StorageUnavailable("disk full"))
    writer.gate.set()

    errors = []
    for call in (first, committer.commit([put("a")])):
        try:
            await call
        except StorageUnavailable as error:
            errors.append(str(error))

    assert errors == ["disk full"]


@waiting_test
async def test_callers_of_a_failed_write_share_no_traceback(committer, writer):
    first = await busy(committer, writer)
    rest = [committer.commit([put(key)]) for key in "ab"]
    failures = []
    for call in rest:
        call.addErrback(failures.append)
    writer.raised += [StorageUnavailable("second"), StorageUnavailable("first")]
    writer.gate.set()

    with pytest.raises(StorageUnavailable):
        await first
    await gatherResults(rest)

    assert [str(each.value) for each in failures] == ["second", "second"]
    assert failures[0].value is not failures[1].value


@waiting_test
async def test_a_batch_that_gathers_behind_another_costs_one_call_of_the_reactor(
    committer, writer
):
    """The first costs two: one at the end of its turn, and one with its answers."""
    first = await busy(committer, writer)
    rest = [committer.commit([put(key)]) for key in "abcd"]
    writer.gate.set()

    await gatherResults([first, *rest])

    assert committer.reactor.count == 2 + 1


@waiting_test
async def test_what_comes_in_one_turn_is_one_batch(committer, writer):
    writer.gate.set()

    await gatherResults([committer.commit([put(key)]) for key in "abc"])

    assert writer.batches == [[["a"], ["b"], ["c"]]]


@waiting_test
async def test_an_errand_is_run_in_the_thread_between_two_writes(committer, writer):
    first = await busy(committer, writer)

    rest = [committer.commit([put(f"{n}")]) for n in range(6)]
    errand = committer.run(lambda: (len(writer.batches), threading.current_thread()))
    writer.gate.set()
    writes, thread = await errand
    await gatherResults([first, *rest])

    assert (writes, thread.name) == (1, "storage")
    assert len(writer.batches) == 3


@waiting_test
async def test_more_errands_than_may_wait_are_refused_at_once(committer, writer):
    first = await busy(committer, writer)
    errands = [committer.run(lambda: 1) for _ in range(6)]

    with pytest.raises(StorageUnavailable, match="6 readers wait"):
        await committer.run(lambda: 2)

    writer.gate.set()
    assert await gatherResults([first, *errands]) == [None] + [1] * 6


@waiting_test
async def test_an_errand_that_fails_tells_why(committer, writer):
    with pytest.raises(ZeroDivisionError):
        await committer.run(lambda: 1 // 0)


@waiting_test
async def test_a_cancelled_errand_stops_nobody(committer, writer):
    writer.gate.set()
    errand = committer.run(lambda: 1)
    errand.cancel()

    with pytest.raises(CancelledError):
        await errand

    assert await committer.run(lambda: 2) == 2


@waiting_test
async def test_stopping_writes_what_waits_and_ends_the_thread(writer):
    threads = threading.active_count()
    committer = GroupCommitter(writer.write, reactor, batch=2)
    committer.start()
    first = await busy(committer, writer)
    rest = [committer.commit([put(key)]) for key in "abc"]

    stopped = committer.stop()
    writer.gate.set()
    await stopped
    await gatherResults([first, *rest])

    assert writer.batches == [[["first"]], [["a"], ["b"]], [["c"]]]
    assert threading.active_count() == threads


@waiting_test
async def test_nothing_is_taken_after_the_stop(writer):
    committer = GroupCommitter(writer.write, reactor)
    committer.start()
    await committer.stop()

    with pytest.raises(StorageUnavailable, match="stopped"):
        await committer.commit([put("a")])
    with pytest.raises(StorageUnavailable, match="stopped"):
        await committer.run(lambda: 1)


@waiting_test
async def test_the_thread_closes_what_it_opened(writer):
    closed: list[str] = []
    committer = GroupCommitter(
        writer.write,
        reactor,
        close=lambda: closed.append(threading.current_thread().name),
    )
    committer.start()

    await committer.stop()

    assert closed == ["storage"]


@waiting_test
async def test_threads_change_sooner_while_there_is_work_and_only_then(
    committer, writer
):
    usual = sys.getswitchinterval()

    first = await busy(committer, writer)
    rest = committer.commit([put("a")])
    writer.gate.set()
    await gatherResults([first, rest])
    await committer.stop()

    assert max(writer.intervals) < usual
    assert sys.getswitchinterval() == usual
