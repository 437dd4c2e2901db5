"""Where Kamailio keeps publications, and subscriptions when it writes them."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

SCHEMAS = Path("/usr/share/kamailio")

#: The tables' files, in the order they must be made.
TABLES = ("standard-create.sql", "presence-create.sql")

Helpers = list["subprocess.Popen[bytes]"]


class Database(ABC):
    """A database by one of Kamailio's modules."""

    #: The module; None loads none.
    module: str | None = None
    #: Lines of the configuration.
    settings: str = ""

    @abstractmethod
    def missing(self) -> str | None:
        """Say what is not installed."""

    @abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Name the database and its version."""

    @abstractmethod
    def start(self, folder: Path, core: int) -> tuple[Helpers, str]:
        """Make or open the database; give its processes and its URL."""

    def place(self, folder: Path) -> Path:
        """Say where its files are: in ``folder``, unless it says otherwise."""
        return folder

    def clean(self, folder: Path) -> None:  # noqa: B027  # most have nothing to do
        """Put away what lies outside ``folder``, and end what runs."""


class NoDatabase(Database):
    """
    None: publications are kept in the cache that otherwise stands before a database.

    A URL that is set and empty is what its presence module wants to see for that.
    """

    settings = 'modparam("presence", "publ_cache", 2)'

    def missing(self) -> str | None:
        """Say nothing: the presence module has all it takes."""
        return None

    def versions(self) -> Mapping[str, str]:
        """Name nothing."""
        return {}

    def start(self, folder: Path, core: int) -> tuple[Helpers, str]:
        """Start nothing."""
        return [], ""


class SqliteDatabase(Database):
    """
    SQLite with a write-ahead log and SQLite's default ``synchronous=FULL``.

    ``in_memory`` keeps the file in a file system in memory, where a write costs little
    and lasts as long as the machine.
    """

    module = "db_sqlite"

    def __init__(self, *, in_memory: bool) -> None:
        self._in_memory = in_memory

    def missing(self) -> str | None:
        """Say whether its schema, and memory to keep a file in, are there."""
        if self._in_memory and not Path("/dev/shm").is_dir():
            return "there is no /dev/shm"
        return missing_schema(SCHEMAS / "db_sqlite" / "presence-create.sql")

    def versions(self) -> Mapping[str, str]:
        """Name SQLite; Kamailio takes the system's."""
        said = (
            subprocess.run(
                ["sqlite3", "--version"], capture_output=True, text=True, check=False
            )
            if shutil.which("sqlite3")
            else None
        )
        return {"SQLite of Kamailio": said.stdout.split()[0]} if said else {}

    def start(self, folder: Path, core: int) -> tuple[Helpers, str]:
        """Make the file."""
        path = self.place(folder) / "kamailio.sqlite"
        if not path.exists():
            with sqlite3.connect(path) as database:
                database.execute("PRAGMA journal_mode = WAL")
                for table in TABLES:
                    database.executescript((SCHEMAS / "db_sqlite" / table).read_text())
        return [], f"sqlite:///{path}"

    def place(self, folder: Path) -> Path:
        """Give the folder of the file, in memory when that is wanted."""
        if not self._in_memory:
            return folder
        place = Path("/dev/shm") / f"presproxy-bench-{folder.name}"
        place.mkdir(exist_ok=True)
        return place

    def clean(self, folder: Path) -> None:
        """Remove the file in memory."""
        if self._in_memory:
            shutil.rmtree(self.place(folder), ignore_errors=True)


def missing_schema(path: Path) -> str | None:
    """Say whether a file of Kamailio's tables is not installed."""
    return None if path.exists() else f"{path} is not installed"
