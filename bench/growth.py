"""What a publication and a subscription weigh, in the memory of a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from bench.check import Check, Promise
from bench.driver import Run
from bench.measure import Bench, fresh
from bench.processes import memory_of
from bench.servers.server import Server, Wanted
from bench.size import Size

#: Users that subscriptions are spread over.
_PRESENTITIES = 1000


class NotAllCame(Exception):
    """A server did not take as many as its memory was to be measured with."""


@attrs.frozen
class Weight:
    """Octets."""

    memory: float
    files: float


@attrs.frozen
class Growth:
    """
    Octets that each of ``count`` took, in memory and in files.

    ``idle`` is the whole server before any came.
    """

    count: int
    idle: int
    publication: Weight
    subscription: Weight


def measure_growth(server: Server, bench: Bench, count: int, rest: float) -> Growth:
    """
    Measure both, each on a fresh server.

    Transactions over UDP are remembered for 32 s after their end.  So that their memory
    is not counted, as many fetches go before, and ``rest`` seconds pass until it is free
    to be used again.
    """
    idle, publication = _grow(server, bench, count, rest, _publish(count))
    _, subscription = _grow(server, bench, count, rest, _subscribe(count))
    return Growth(count, idle, publication, subscription)


def _grow(
    server: Server, bench: Bench, count: int, rest: float, load: list[str]
) -> tuple[int, Weight]:
    seen: list[tuple[int, int]] = []
    with fresh(server, bench.cores.server, Wanted()) as (running, folder):
        idle = memory_of(running.process.pid)

        def look(word: str) -> None:
            files = size_of(server.place(folder))
            seen.append((memory_of(running.process.pid), files))

        where = ["--server", f"127.0.0.1:{running.port}", "--warmup", "0"]
        Run(bench.driver, bench.cores.load, lambda word: None).play(
            [*where, *_fetch(count)]
        )
        time.sleep(rest)
        counted = Run(bench.driver, bench.cores.load, look).play([*where, *load])
    if counted["operations"] != count:
        raise NotAllCame(f"only {counted['operations']} of {count} came")
    before, after = seen
    memory, files = (
        (late - early) / count for early, late in zip(before, after, strict=True)
    )
    return idle, Weight(memory, files)


def size_of(folder: Path) -> int:
    """Give the octets of all files below ``folder``."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


_FOREVER = ("--duration", "100000")


def _fetch(count: int) -> list[str]:
    return [*_FOREVER, *_people(1000), "--limit", str(count), "poll"]


def _publish(count: int) -> list[str]:
    return [*_FOREVER, "--presentities", str(count), "publish-new"]


def _subscribe(count: int) -> list[str]:
    return [*_FOREVER, *_people(count), "subscribe"]


def _people(watchers: int) -> list[str]:
    return ["--presentities", str(_PRESENTITIES), "--watchers", str(watchers)]


# -- In the report ---------------------------------------------------------------------


def _measure(server: Server, bench: Bench, size: Size) -> Growth:
    return measure_growth(server, bench, size.grown, size.rest)


def _rows(grown: Growth) -> Iterator[list[str]]:
    weights = (grown.publication, grown.subscription)
    yield [
        f"{grown.idle / 2**20:.0f} MB",
        *(f"{weight.memory:,.0f} / {weight.files:,.0f}" for weight in weights),
        f"{grown.count:,}",
    ]


def _promises(grown: Growth) -> Iterator[Promise]:
    yield Promise("a publication", "octets of memory", grown.publication.memory, 3000)
    yield Promise("a subscription", "octets of memory", grown.subscription.memory, 2000)


#: One of each is weighed, of those that take many users in good time.
MEMORY = Check(
    "memory",
    "Octets of memory, and in files",
    ("idle", "a publication", "a subscription", "of each"),
    _measure,
    _rows,
    ("presproxy", "kamailio-memory"),
    promises=_promises,
)
