"""Records in one SQLite file, for one process."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from presproxy.errors import StorageUnavailable
from presproxy.extend.maker import option
from presproxy.interfaces import IHouse, IStorage
from presproxy.metrics import Counter, Histogram
from presproxy.model.record import Change, Record, Snapshot
from presproxy.storage.alone import Alone
from presproxy.storage.committer import GroupCommitter
from presproxy.storage.database import Database, Walk
from presproxy.storage.file import DatabaseFile
from presproxy.storage.lock import FileLock
from presproxy.storage.records import GRACE
from presproxy.storage.sweeping import Sweeping

_log = Logger()


@implementer(IStorage)
@attrs.define(eq=False)
class SqliteStorage(Alone):
    """
    Keeps records in an SQLite file.

    Nobody else writes to it while the server runs; reading it is nobody's trouble.
    """

    path: str = option("The file to keep records in; made if there is none.")
    synchronous: str = option(
        "When a change counts as written: `full`, it survives a power failure; "
        "`normal`, the latest ones may be lost then.",
        default="full",
        validator=attrs.validators.in_(("full", "normal")),
    )
    busy: float = option(
        "Seconds to wait while another program holds the file.",
        default=1.0,
        validator=attrs.validators.ge(0),
    )

    _house: IHouse = attrs.field(init=False)
    _database: Database = attrs.field(init=False)
    _committer: GroupCommitter = attrs.field(init=False)
    _sweeping: Sweeping = attrs.field(init=False)
    _lock: FileLock = attrs.field(init=False)
    _writes: Counter = attrs.field(init=False)
    _changes: Counter = attrs.field(init=False)
    _seconds: Histogram = attrs.field(init=False)
    _is_well: bool = attrs.field(default=True, init=False)

    @property
    def durable(self) -> bool:
        return self.synchronous == "full"

    async def start(self, house: IHouse) -> None:
        self._house = house
        path = os.path.abspath(self.path)
        file = DatabaseFile(path, self.synchronous, self.busy)
        self._database = Database(file, house.now)
        self._committer = GroupCommitter(
            write=self._database.write,
            reactor=house.reactor,
            written=self._written,
            close=self._database.close,
        )
        self._sweeping = Sweeping(house, self._sweep)
        self._count()
        self._lock = _taken(path)
        self._committer.start()
        try:
            await self._committer.run(self._database.start)
        except BaseException:
            await self._committer.stop()
            self._lock.release()
            raise
        _log.info("records are kept in {path}", path=path)
        self._sweeping.start()

    async def stop(self) -> None:
        await self._sweeping.stop()
        await self._committer.stop()
        self._lock.release()

    def commit(self, changes: Sequence[Change]) -> Deferred[None]:
        return self._committer.commit(changes)

    def fetch(self, kind: str, key: str) -> Deferred[Record | None]:
        return self._committer.run(self._database.fetch, kind, key)

    async def read(self, owners: Sequence[str]) -> Snapshot:
        return Snapshot(0, await self._committer.run(self._database.read, owners))

    async def scan(
        self, kind: str, node: str | None = None
    ) -> AsyncIterator[Sequence[Record]]:
        walk: Walk | None = await self._walk()
        while walk is not None:
            records, walk = await self._committer.run(
                self._database.page, kind, node, walk
            )
            if records:
                yield records

    def count(self, kind: str) -> Deferred[int]:
        return self._committer.run(self._database.count, kind)

    async def _sweep(self) -> AsyncIterator[int]:
        before = self._house.now() - GRACE
        walk: Walk | None = await self._walk()
        while walk is not None:
            count, walk = await self._committer.run(self._database.sweep, before, walk)
            yield count

    async def _walk(self) -> Walk:
        """Begin a way through the records there are now, and not those to come."""
        return Walk(await self._committer.run(self._database.newest))

    def _count(self) -> None:
        metrics = self._house.metrics
        self._writes = metrics.counter("storage_writes", "Transactions written.")
        self._changes = metrics.counter(
            "storage_changes", "Changes in them, whether they fitted or not."
        )
        self._seconds = metrics.histogram(
            "storage_write_seconds", "How long a transaction took."
        )
        metrics.gauge(
            "storage_waiting_changes",
            "Changes which wait to be written.",
            self._committer.__len__,
        )

    def _written(
        self, outcomes: Sequence[Exception | None], changes: int, took: float
    ) -> None:
        self._writes.value += 1
        self._changes.value += changes
        self._seconds.observe(took)
        trouble = outcomes[0] if isinstance(outcomes[0], StorageUnavailable) else None
        if trouble is not None and self._is_well:
            _log.error("nothing can be written: {why}", why=trouble.why)
        elif trouble is None and not self._is_well:
            _log.info("{path} can be written again", path=self.path)
        self._is_well = trouble is None


def _taken(path: str) -> FileLock:
    """Take the lock beside the file; say it in words when that cannot be."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise StorageUnavailable(f"{path} cannot be made: there is no folder {folder}")
    lock = FileLock(path)
    try:
        lock.take()
    except OSError as error:
        raise StorageUnavailable(f"{path} cannot be locked: {error}") from error
    return lock
