"""
The blocking half of `SqliteStorage`: one connection, used by one thread.

After whatever went wrong with it the connection is closed and opened again, so the first
write after the cause has gone succeeds.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs
from twisted.logger import Logger

from presproxy.errors import Conflict, StorageUnavailable
from presproxy.model.record import Change, Delete, Record
from presproxy.storage.records import PAGE
from presproxy.storage.schema import prepare

_log = Logger()

#: Kind, key, owner, version, expires_at, node, payload.
_Row = tuple[str, str, str, int, float, str, bytes]

#: A deleted record keeps its row, see `Records`; here its ``expires_at`` is the moment of
#: the deletion, below zero.
_PUT = """
INSERT INTO record (kind, key, owner, version, expires_at, node, payload)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, key) DO UPDATE SET
    owner = excluded.owner, version = excluded.version,
    expires_at = excluded.expires_at, node = excluded.node, payload = excluded.payload
WHERE record.version = excluded.version - 1
"""

_COLUMNS = "kind, key, owner, version, max(expires_at, 0.0), payload, node"

_FETCH = f"SELECT {_COLUMNS} FROM record WHERE kind = ? AND key = ?"

_READ = f"SELECT {_COLUMNS} FROM record WHERE owner = ?"

#: A scan and a sweep walk through the rows as they lie in the file, since a cold disk
#: reads a million that way in seconds, and by the index of keys in minutes.
_SLICE_END = f"""
SELECT max(id) FROM (
    SELECT id FROM record WHERE id > ? AND id <= ? ORDER BY id LIMIT {PAGE})
"""

_NEWEST = "SELECT max(id) FROM record"

_PAGE = f"""
SELECT {_COLUMNS} FROM record
WHERE id > ? AND id <= ? AND kind = ? AND expires_at > 0 AND (? IS NULL OR node = ?)
"""

_SWEEP = "DELETE FROM record WHERE id > ? AND id <= ? AND abs(expires_at) < ?"

#: After these the connection is as good as before.
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}

#: What is wrong with the values that one caller gave, and not with the file.
_CALLERS_MISTAKES = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    ValueError,
    OverflowError,
    TypeError,
)


def _row(change: Change, now: float) -> _Row:
    if isinstance(change, Delete):
        version = change.staged_on + 1
        return (change.kind, change.key, change.owner, version, -now, "", b"")
    return (
        change.kind,
        change.key,
        change.owner,
        change.staged_on + 1,
        change.expires_at,
        change.node,
        change.payload,
    )


@attrs.frozen
class Walk:
    """A way through all rows: where the next step begins, and where the last ends."""

    last: int
    after: int = 0

    def further(self, end: int) -> Walk | None:
        """Give the way from ``end``, None when that is all."""
        return Walk(self.last, end) if end < self.last else None


@attrs.define(eq=False)
class Database:
    """
    The records in one SQLite file.

    ``now`` is the wall clock; ``busy`` says for how many seconds another process may
    hold the file.  Every method raises `StorageUnavailable` with the engine's words.
    """

    path: str
    synchronous: str
    busy: float
    now: Callable[[], float]
    _connection: sqlite3.Connection | None = attrs.field(default=None, init=False)
    _inode: tuple[int, int] = attrs.field(default=(0, 0), init=False)

    def start(self) -> None:
        """Open the file, made if there is none, and drop what was deleted."""
        with self._engine() as connection:
            # No change made before this start can come any more.
            connection.execute("DELETE FROM record WHERE expires_at < 0")

    def close(self) -> None:
        """Close the file; it is opened again when something is asked of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def write(self, calls: Sequence[Sequence[Change]]) -> Sequence[Exception | None]:
        """Write the changes of many calls in one transaction, see `committer.Write`."""
        now = self.now()
        with self._engine() as connection:
            rows = [_row(change, now) for changes in calls for change in changes]
            connection.execute("BEGIN IMMEDIATE")
            try:
                fits = connection.executemany(_PUT, rows).rowcount == len(rows)
            except _CALLERS_MISTAKES:
                fits = False
            if fits:
                connection.execute("COMMIT")
                return [None] * len(calls)
            connection.execute("ROLLBACK")
            return self._write_one_by_one(connection, calls, now)

    def fetch(self, kind: str, key: str) -> Record | None:
        """Read one record, deleted or not."""
        with self._engine() as connection:
            row = connection.execute(_FETCH, (kind, key)).fetchone()
        return Record(*row) if row else None

    def read(self, owners: Sequence[str]) -> list[Record]:
        """Read all records of these owners, as they stand at one moment."""
        with self._engine() as connection:
            connection.execute("BEGIN")
            records = [
                Record(*row)
                for owner in dict.fromkeys(owners)
                for row in connection.execute(_READ, (owner,))
            ]
            connection.execute("COMMIT")
        return records

    def newest(self) -> int:
        """Give the place of the last record there is now: where a walk may end."""
        with self._engine() as connection:
            (newest,) = connection.execute(_NEWEST).fetchone()
        return newest or 0

    def page(
        self, kind: str, node: str | None, walk: Walk
    ) -> tuple[list[Record], Walk | None]:
        """Read the next records of a kind, perhaps none, and say how to go on."""
        with self._engine() as connection:
            end = self._end_of_slice(connection, walk)
            rows = connection.execute(_PAGE, (walk.after, end, kind, node, node))
            return [Record(*row) for row in rows], walk.further(end)

    def sweep(self, before: float, walk: Walk) -> tuple[int, Walk | None]:
        """Take away the next of what ended before a moment: how many, and how to go on."""
        with self._engine() as connection:
            end = self._end_of_slice(connection, walk)
            swept = connection.execute(_SWEEP, (walk.after, end, before)).rowcount
        return swept, walk.further(end)

    def _end_of_slice(self, connection: sqlite3.Connection, walk: Walk) -> int:
        (end,) = connection.execute(_SLICE_END, (walk.after, walk.last)).fetchone()
        return walk.last if end is None else int(end)

    def _write_one_by_one(
        self,
        connection: sqlite3.Connection,
        calls: Sequence[Sequence[Change]],
        now: float,
    ) -> Sequence[Exception | None]:
        """Write what fits; at least one call of the batch does not."""
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [self._write_one(connection, changes, now) for changes in calls]
        connection.execute("COMMIT")
        return outcomes

    def _write_one(
        self, connection: sqlite3.Connection, changes: Sequence[Change], now: float
    ) -> Exception | None:
        outcome: Exception | None = None
        connection.execute("SAVEPOINT one")
        try:
            lost = self._lost(connection, changes)
            if lost:
                outcome = Conflict(lost)
            else:
                connection.executemany(_PUT, [_row(change, now) for change in changes])
        except _CALLERS_MISTAKES as mistake:
            outcome = mistake
            connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        return outcome

    def _lost(
        self, connection: sqlite3.Connection, changes: Sequence[Change]
    ) -> list[tuple[str, str]]:
        """Name the records which have another version than their change expects."""
        lost = []
        versions: dict[tuple[str, str], int] = {}
        for change in changes:
            name = (change.kind, change.key)
            version = versions.get(name)
            if version is None:
                row = connection.execute(_FETCH, name).fetchone()
                version = Record(*row).version if row else change.staged_on
            if version != change.staged_on:
                lost.append(name)
            versions[name] = change.staged_on + 1
        return lost

    @contextmanager
    def _engine(self) -> Iterator[sqlite3.Connection]:
        """Give the connection; afterwards there is one without a transaction, or none."""
        try:
            yield self._opened()
        except (sqlite3.Error, OSError) as error:
            self._settle(error)
            raise StorageUnavailable(f"{self.path}: {error}") from error
        except Exception:
            self.close()
            raise

    def _settle(self, error: Exception) -> None:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _PASSING and self._connection is not None:
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                return
        self.close()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._is_deleted():
            self._write_anew(self._connection)
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        if not os.path.exists(self.path):
            # SQLite would let others read it, and gives its journal the same mode.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self.path, timeout=self.busy, isolation_level=None)
        try:
            prepare(connection, self.path)
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        self._inode = _inode(self.path)
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StorageUnavailable(f"{self.path} cannot have a write-ahead log here")
        connection.execute(f"PRAGMA synchronous = {self.synchronous}")
        # A file that can only be read is opened without complaint.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")

    def _is_deleted(self) -> bool:
        """
        Say whether the file's name is gone: SQLite goes on with the nameless file.

        Raises `StorageUnavailable` when another file has the name: its records are not
        those in memory.
        """
        try:
            inode = _inode(self.path)
        except FileNotFoundError:
            return True
        if inode != self._inode:
            raise StorageUnavailable(
                f"{self.path} was replaced by another file; it is read after a restart"
            )
        return False

    def _write_anew(self, connection: sqlite3.Connection) -> None:
        """Write all records to a new file of the old name."""
        copy = f"{self.path}.copy"
        Path(copy).unlink(missing_ok=True)
        handle = os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            connection.execute("VACUUM INTO ?", (copy,))
            os.fsync(handle)
        finally:
            os.close(handle)
        self.close()
        # A journal left behind would be taken for the new file's.
        for suffix in ("-wal", "-shm"):
            Path(self.path + suffix).unlink(missing_ok=True)
        os.rename(copy, self.path)
        _log.warn("{path} had been deleted and was written anew", path=self.path)


def _inode(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
