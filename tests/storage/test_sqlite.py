"""SqliteStorage beyond the contract: one process at a time, sweeping, counting."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogEvent, globalLogPublisher

from presproxy.errors import StorageUnavailable
from presproxy.metrics import Counter
from presproxy.model.record import NEVER, Delete, Put
from presproxy.storage.sqlite import SqliteStorage
from presproxy.storage.sweeping import PAUSE
from presproxy.testing.recorders import FakeHouse
from presproxy.testing.waiting import waiting_fixture, waiting_test

ALICE = "sip:alice@example.test"

_HOLDER = """
import sys
from twisted.internet import task
from twisted.internet.defer import Deferred
from presproxy.storage.sqlite import SqliteStorage
from presproxy.testing.recorders import FakeHouse

async def hold(reactor):
    storage = SqliteStorage(sys.argv[1])
    await storage.start(FakeHouse(reactor=reactor))
    print("held", flush=True)
    await Deferred()

task.react(lambda reactor: Deferred.fromCoroutine(hold(reactor)))
"""


def put(key: str, expires_at: float = NEVER) -> Put:
    return Put("publication", key, ALICE, 0, expires_at, b"open")


class HandClock(Clock):
    """Time goes by hand, threads by themselves."""

    def callFromThread(self, function: Callable[..., Any], *arguments: Any) -> None:
        reactor.callFromThread(function, *arguments)

    async def advanced(self, seconds: float, until: Callable[[], bool]) -> None:
        """Let time pass, and what it set off come to its end."""
        self.advance(seconds)
        while not until():
            await deferLater(reactor, 0)
            self.advance(0)


@attrs.frozen
class Known:
    """A storage and the house it is in."""

    storage: SqliteStorage
    house: FakeHouse

    def count(self, name: str) -> int:
        counter = self.house.metrics.counter(name, "")
        assert isinstance(counter, Counter)
        return counter.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@waiting_fixture
async def known(path: Path) -> AsyncIterator[Known]:
    storage = SqliteStorage(str(path), busy=0.0)
    house = FakeHouse(reactor=HandClock(), storage=storage)
    await storage.start(house)
    yield Known(storage, house)
    await storage.stop()


@pytest.fixture
def logged() -> Any:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


@pytest.mark.parametrize(
    ("synchronous", "durable"), [("full", True), ("normal", False)]
)
def test_it_is_durable_when_each_write_reaches_the_disk(synchronous, durable):
    assert SqliteStorage("x", synchronous=synchronous).durable is durable


def test_an_unknown_synchronous_is_a_mistake():
    with pytest.raises(ValueError, match="synchronous"):
        SqliteStorage("x", synchronous="off")


@waiting_test
async def test_a_second_start_on_one_file_is_refused(known, path):
    second = SqliteStorage(str(path))

    with pytest.raises(StorageUnavailable) as caught:
        await second.start(FakeHouse(reactor=reactor))

    assert caught.value.why == (
        f"{path} is in use by another presproxy, process {os.getpid()}"
    )
    await known.storage.commit([put("a")])


@waiting_test
async def test_the_file_is_free_after_a_kill(path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)],
        stdout=subprocess.PIPE,
        env=environment,
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StorageUnavailable, match=f"process {holder.pid}"):
            await SqliteStorage(str(path)).start(FakeHouse(reactor=reactor))
        holder.send_signal(signal.SIGKILL)

    storage = SqliteStorage(str(path))
    await storage.start(FakeHouse(reactor=reactor))
    await storage.stop()


@waiting_test
async def test_a_missing_folder_is_told(path):
    missing = path.parent / "missing" / "state.db"

    with pytest.raises(StorageUnavailable) as caught:
        await SqliteStorage(str(missing)).start(FakeHouse(reactor=reactor))

    assert caught.value.why == (
        f"{missing} cannot be made: there is no folder {missing.parent}"
    )


@waiting_test
async def test_a_start_that_failed_leaves_neither_thread_nor_lock(path):
    threads = threading.active_count()
    path.write_text("no database " * 100)
    with pytest.raises(StorageUnavailable):
        await SqliteStorage(str(path)).start(FakeHouse(reactor=reactor))
    assert threading.active_count() == threads

    path.unlink()
    storage = SqliteStorage(str(path))
    await storage.start(FakeHouse(reactor=reactor))
    await storage.stop()


@waiting_test
async def test_two_files_are_two_storages(known, path):
    other = SqliteStorage(str(path.with_name("other.db")))
    await other.start(FakeHouse(reactor=reactor))

    await known.storage.commit([put("a")])
    await other.commit([put("a")])
    await other.stop()
    await known.storage.commit([put("b")])

    assert len((await known.storage.read([ALICE])).records) == 2


@waiting_test
async def test_after_the_stop_the_journal_is_in_the_file(path):
    storage = SqliteStorage(str(path))
    await storage.start(FakeHouse(reactor=reactor))
    await storage.commit([put("a")])

    await storage.stop()

    left = sorted(each.name for each in path.parent.iterdir())
    assert left == ["state.db", "state.db.lock"]


@waiting_test
async def test_what_expired_is_swept_after_its_grace(known):
    now = known.house.now()
    await known.storage.commit(
        [put("old", now + PAUSE - 61), put("young", now + PAUSE - 59), put("deleted")]
    )
    await known.storage.commit([Delete("publication", "deleted", ALICE, 1)])

    await known.house.reactor.advanced(
        PAUSE, until=lambda: known.count("storage_swept_records") == 2
    )

    left = (await known.storage.read([ALICE])).records
    assert [each.key for each in left] == ["young"]


@waiting_test
async def test_a_sweep_that_fails_is_made_up_for_by_the_next(known, path, logged):
    await known.storage.commit([put("old", 1.0)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    await known.house.reactor.advanced(
        PAUSE,
        until=lambda: any("kept for now" in each["log_format"] for each in logged),
    )
    other.close()
    await known.house.reactor.advanced(
        PAUSE, until=lambda: known.count("storage_swept_records") == 1
    )

    assert await known.storage.fetch("publication", "old") is None


@waiting_test
async def test_it_stops_in_the_middle_of_a_sweep(path):
    storage = SqliteStorage(str(path))
    house = FakeHouse(reactor=HandClock(), storage=storage)
    await storage.start(house)
    await storage.commit([put(f"{n}", 1.0) for n in range(3000)])

    house.reactor.advance(PAUSE)
    stopped = Deferred.fromCoroutine(storage.stop())
    while not stopped.called:
        await deferLater(reactor, 0)
        house.reactor.advance(0)
    await stopped

    assert house.reactor.getDelayedCalls() == []


@waiting_test
async def test_trouble_is_logged_when_it_comes_and_when_it_goes(known, path, logged):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            await known.storage.commit([put("a")])
    other.close()
    for key in "bc":
        await known.storage.commit([put(key)])

    ours = [each for each in logged if "storage" in each.get("log_namespace", "")]
    assert [each["log_level"].name for each in ours] == ["error", "info"]


@waiting_test
async def test_what_is_written_is_counted(known):
    await known.storage.commit([put("a"), put("b")])
    await known.storage.commit([put("c")])

    took = known.house.metrics.histogram("storage_write_seconds", "")
    assert known.count("storage_writes") == sum(took.counts) == 2
    assert known.count("storage_changes") == 3
