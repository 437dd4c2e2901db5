"""
An SQLite file and the one connection to it, used by one thread.

After whatever went wrong with it the connection is closed and opened again, so the first
use after the cause has gone succeeds.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs
from twisted.logger import Logger

from presproxy.errors import StorageUnavailable
from presproxy.storage.schema import prepare

_log = Logger()

#: Pages of 2 kB after which the journal is carried into the file: some 10 ms, for which
#: one write of a hundred changes in twenty waits.  Four times as many pages make that
#: four times as long, and save 3 % of the CPU time.
_CHECKPOINT = 2000

#: Bytes the journal is cut down to, if somebody who read for long let it grow.
_JOURNAL = 16 * 2**20

#: After these the connection is as good as before.
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}


@attrs.define(eq=False)
class DatabaseFile:
    """
    The file at ``path``, opened when it is needed.

    ``busy`` says for how many seconds another process may hold it.
    """

    path: str
    synchronous: str
    busy: float
    _held: sqlite3.Connection | None = attrs.field(default=None, init=False)
    #: Of the file that was opened: another one of its name holds other records.
    _inode: tuple[int, int] | None = attrs.field(default=None, init=False)

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """
        Give the connection; afterwards there is one without a transaction, or none.

        Raises `StorageUnavailable`, with the engine's words, for what goes wrong with it.
        """
        try:
            yield self._opened()
        except StorageUnavailable:
            raise
        except (sqlite3.Error, OSError) as error:
            self._settle(error)
            raise StorageUnavailable(f"{self.path}: {_words(error)}") from error
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        held, self._held = self._held, None
        if held is not None:
            with suppress(sqlite3.Error, OSError):
                if _inode(self.path) != self._inode:
                    _leave(held)
            with suppress(sqlite3.Error):
                held.close()

    def _settle(self, error: Exception) -> None:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _PASSING and self._held is not None:
            with suppress(sqlite3.Error):
                if self._held.in_transaction:
                    self._held.execute("ROLLBACK")
                return
        self.close()

    def _opened(self) -> sqlite3.Connection:
        """
        Give the connection to the file which has the name now.

        SQLite goes on with a file whose name is gone, and says nothing.
        """
        inode = _inode(self.path)
        if inode is not None and self._inode not in (None, inode):
            if self._held is not None:
                _leave(self._held)
            raise StorageUnavailable(
                f"{self.path} was replaced by another file; it is read after a restart"
            )
        if inode is None and self._held is not None:
            self._write_anew(self._held)
        if self._held is None:
            self._held = self._open()
            self._inode = _inode(self.path)
        return self._held

    def _open(self) -> sqlite3.Connection:
        # SQLite would let others read a new file, and would open one that can only be
        # read.  The journal gets the file's mode.
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self.path, timeout=self.busy, isolation_level=None)
        try:
            prepare(connection, self.path)
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StorageUnavailable(f"{self.path} cannot have a write-ahead log here")
        connection.execute(f"PRAGMA synchronous = {self.synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL}")
        # Whoever holds the file is found out at the start.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")

    def _write_anew(self, connection: sqlite3.Connection) -> None:
        """
        Write all records to a new file of the name that is gone.

        Until that succeeds the connection to the nameless file is kept, as nobody else
        has them.
        """
        copy = Path(f"{self.path}.copy")
        try:
            copy.unlink(missing_ok=True)
            copy.touch(0o600)
            connection.execute("VACUUM INTO ?", (str(copy),))
            _flush(copy)
        except (sqlite3.Error, OSError) as error:
            raise StorageUnavailable(f"{self.path} is gone: {_words(error)}") from error
        # A journal left behind would be taken for the new file's.
        for suffix in ("-wal", "-shm"):
            Path(self.path + suffix).unlink(missing_ok=True)
        copy.rename(self.path)
        _flush(copy.parent)
        self.close()
        self._inode = None
        _log.warn("{path} was gone and has been written anew", path=self.path)


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _leave(connection: sqlite3.Connection) -> None:
    """
    Carry the journal into the file, which may have another name by now.

    A journal is found by its name, and would be carried into whatever has ours next.
    """
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _words(error: Exception) -> str:
    """Give what the system or the engine says, without number and name."""
    return str(getattr(error, "strerror", None) or error)


def _flush(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
