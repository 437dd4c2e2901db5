"""The statements of `SqliteStorage`; all of it blocks, and runs in one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import attrs

from presproxy.errors import Conflict
from presproxy.model.record import Change, Delete, Record
from presproxy.storage.file import DatabaseFile
from presproxy.storage.records import PAGE

#: Kind, key, owner, version, expires_at, node, payload.
_Row = tuple[str, str, str, int, float, str, bytes]

#: A deleted record keeps its row, see `Records`; here its ``expires_at`` is the moment of
#: the deletion, below zero.
#:
#: ``owner`` is compared and not set: setting it, even to what it is, costs a deletion and
#: an insertion in its index, which is 10 µs of 27.
_PUT = """
INSERT INTO record (kind, key, owner, version, expires_at, node, payload)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, key) DO UPDATE SET
    version = excluded.version, expires_at = excluded.expires_at,
    node = excluded.node, payload = excluded.payload
WHERE record.version = excluded.version - 1 AND record.owner = excluded.owner
"""

_VALUES = "(?, ?, ?, ?, ?, ?, ?)"

#: The same for many rows at once, the most first.  Each statement lets go of the
#: interpreter and asks for it again: beside a busy reactor a hundred statements took 4.7
#: ms and two or three take 1.7.
_PUTS = {
    rows: _PUT.replace(_VALUES, ", ".join([_VALUES] * rows)) for rows in (64, 16, 4, 1)
}

#: For a record that was found at the right version, and may have another owner.
_REPLACE = """
INSERT INTO record (kind, key, owner, version, expires_at, node, payload)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, key) DO UPDATE SET
    owner = excluded.owner, version = excluded.version,
    expires_at = excluded.expires_at, node = excluded.node, payload = excluded.payload
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

#: Without the word the engine takes the index of keys for ``kind``, and reads all of the
#: kind for each page.
_PAGE = f"""
SELECT {_COLUMNS} FROM record NOT INDEXED
WHERE id > ? AND id <= ? AND kind = ? AND expires_at > 0 AND (? IS NULL OR node = ?)
"""

#: Answered from the index of keys alone.
_COUNT = "SELECT count(*) FROM record WHERE kind = ?"

_SWEEP = "DELETE FROM record WHERE id > ? AND id <= ? AND abs(expires_at) < ?"

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


def _put(connection: sqlite3.Connection, rows: Sequence[_Row]) -> int:
    """Write rows in their order, as few statements as can be; say how many fitted."""
    fitted = begin = 0
    for count, statement in _PUTS.items():
        while len(rows) - begin >= count:
            values = [value for row in rows[begin : begin + count] for value in row]
            fitted += connection.execute(statement, values).rowcount
            begin += count
    return fitted


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
    The records in one SQLite file.  ``now`` is the wall clock.

    Every method waits for the disk, and raises `StorageUnavailable` when the file cannot
    be used.
    """

    file: DatabaseFile
    now: Callable[[], float]

    def start(self) -> None:
        """Open the file, made if there is none, and drop what was deleted."""
        with self.file.connection() as connection:
            # No change made before this start can come any more.
            connection.execute("DELETE FROM record WHERE expires_at < 0")

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def write(self, calls: Sequence[Sequence[Change]]) -> Sequence[Exception | None]:
        """Write the changes of many calls in one transaction, see `committer.Write`."""
        now = self.now()
        with self.file.connection() as connection:
            rows = [_row(change, now) for changes in calls for change in changes]
            connection.execute("BEGIN IMMEDIATE")
            try:
                fits = _put(connection, rows) == len(rows)
            except _CALLERS_MISTAKES:
                fits = False
            if fits:
                connection.execute("COMMIT")
                return [None] * len(calls)
            connection.execute("ROLLBACK")
            return self._write_one_by_one(connection, calls, now)

    def fetch(self, kind: str, key: str) -> Record | None:
        """Read one record, deleted or not."""
        with self.file.connection() as connection:
            row = connection.execute(_FETCH, (kind, key)).fetchone()
        return Record(*row) if row else None

    def read(self, owners: Sequence[str]) -> list[Record]:
        """
        Read all records of these owners, as they stand at one moment.

        All rows are looked at: no node but ours is there to ask this.
        """
        with self.file.connection() as connection:
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
        with self.file.connection() as connection:
            (newest,) = connection.execute(_NEWEST).fetchone()
        return newest or 0

    def page(
        self, kind: str, node: str | None, walk: Walk
    ) -> tuple[list[Record], Walk | None]:
        """Read the next records of a kind, perhaps none, and say how to go on."""
        with self.file.connection() as connection:
            end = self._end_of_slice(connection, walk)
            rows = connection.execute(_PAGE, (walk.after, end, kind, node, node))
            return [Record(*row) for row in rows], walk.further(end)

    def count(self, kind: str) -> int:
        """Count the records of a kind, deleted ones included."""
        with self.file.connection() as connection:
            (count,) = connection.execute(_COUNT, (kind,)).fetchone()
        return int(count)

    def sweep(self, before: float, walk: Walk) -> tuple[int, Walk | None]:
        """Take away the next of what ended before a moment: how many, and how to go on."""
        with self.file.connection() as connection:
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
                rows = [_row(change, now) for change in changes]
                connection.executemany(_REPLACE, rows)
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
