"""What a presproxy that runs holds: its memory, its tables, and what the system lent it."""

from __future__ import annotations

import re
import sqlite3
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import attrs

from bench.processes import memory_of
from bench.servers.server import LOOPBACK

#: What must be zero when nobody is there any more.  Without labels, so that those of one
#: name are added up.
TABLES = (
    "publications",
    "subscriptions",
    "registrations",
    "resources",
    "expiries",
    "client_transactions",
    "server_transactions",
    "answers_remembered",
    "answers_remembered_octets",
    "requests_under_way",
    "notices_waiting",
    "connections_open",
    "connections_buffered",
    "storage_waiting_changes",
)

#: What a process holds of the system; it must be what it was at the start.
HANDLES = ("files", "threads")

_SAMPLE = re.compile(r"^presproxy_(\w+)(?:\{.*\})? (\S+)$", re.MULTILINE)


@attrs.frozen
class Sample:
    """
    One look, ``at`` so many seconds after the first.

    ``memory`` (the process's own, see `memory_of`) and ``stored`` (files) are octets,
    ``records`` those in the database.
    """

    at: float
    memory: int
    stored: int
    records: int
    files: int
    threads: int
    tables: Mapping[str, float]

    @property
    def left(self) -> dict[str, float]:
        """Give what is not empty, by name."""
        everything = {"records": float(self.records), **self.tables}
        return {name: count for name, count in everything.items() if count}


@attrs.frozen
class Looker:
    """Looks at one server; ``database`` is its file and ``http`` where it tells of itself."""

    pid: int
    http: int
    database: Path
    began: float = attrs.field(factory=time.monotonic)

    def look(self) -> Sample:
        """Take one sample."""
        process = Path(f"/proc/{self.pid}")
        return Sample(
            at=time.monotonic() - self.began,
            memory=memory_of(self.pid),
            stored=sum(
                path.stat().st_size
                for path in self.database.parent.glob(self.database.name + "*")
            ),
            records=self._records(),
            files=len(list((process / "fd").iterdir())),
            threads=len(list((process / "task").iterdir())),
            tables=self._tables(),
        )

    def _tables(self) -> dict[str, float]:
        return tables_of(metrics_of(self.http))

    def _records(self) -> int:
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as database:
            counted = database.execute("SELECT count(*) FROM record").fetchone()
        database.close()
        return int(counted[0])


def metrics_of(http: int) -> str:
    """Ask a server what it tells of itself."""
    with urllib.request.urlopen(
        f"http://{LOOPBACK}:{http}/metrics", timeout=30
    ) as answer:
        told: str = answer.read().decode()
    return told


def total_of(metrics: str, name: str) -> float:
    """Add up all samples of one name."""
    return sum(float(value) for each, value in _SAMPLE.findall(metrics) if each == name)


def tables_of(metrics: str) -> dict[str, float]:
    """Read the sizes of all `TABLES` from what a server tells of itself."""
    return {name: total_of(metrics, name) for name in TABLES}
