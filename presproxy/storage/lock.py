"""One process at a time."""

from __future__ import annotations

import fcntl
import os

import attrs

from presproxy.errors import StorageUnavailable


@attrs.define(eq=False)
class FileLock:
    """
    A lock which the kernel lets go when its holder dies, however that happens.

    It lies in a file beside the one it guards: closing any handle of a database gives up
    all locks that SQLite holds on it in this process.  The file stays, as removing it
    would let two holders lock two files of one name.
    """

    guarded: str
    _handle: int | None = attrs.field(default=None, init=False)

    def take(self) -> None:
        """Take the lock, or raise `StorageUnavailable`, which says who has it."""
        path = f"{self.guarded}.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 20).decode("ascii", "replace").strip()
            os.close(handle)
            raise StorageUnavailable(
                f"{self.guarded} is in use by another presproxy, process {holder}"
            ) from None
        except OSError:
            os.close(handle)
            raise
        os.truncate(handle, 0)
        os.write(handle, b"%d\n" % os.getpid())
        self._handle = handle

    def release(self) -> None:
        """Give the lock up, if it is held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
