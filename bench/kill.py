"""Whether what was answered is there after ``kill -9`` in the middle of all the work."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

import attrs

from bench.check import Check, Promise
from bench.driver import Run
from bench.measure import Bench, faults_of, fresh
from bench.scenarios import population
from bench.servers.server import Running, Server, Wanted
from bench.size import Size
from bench.text import counts

#: Each is watched by ten at first; and more watchers than can subscribe before the end.
_LOAD = population(20, 20_000, 32)

#: Seconds of all the work before, and until nothing more is waited for.  The kill is
#: somewhere between, and late enough before the end for all answers to be read.
_WARM, _BUSY, _MARGIN = 0.3, 0.8, 0.2

#: Seconds until an answer or a NOTIFY is given up.
_PATIENCE = 2.0


@attrs.frozen
class Killed:
    """
    A server that was killed ``kills`` times, each time a new one.

    ``publications`` and ``subscriptions`` were answered with 200, and ``lost_...`` of them
    were not there after the start: a fetch shows an older state or none, or a watcher is
    not told of the next change.  ``faults`` are all that was wrong, these not among them.
    """

    kills: int
    publications: int
    lost_publications: int
    subscriptions: int
    lost_subscriptions: int
    faults: dict[str, int]


class Killer:
    """Kills a server after some seconds, and starts it again on its files."""

    def __init__(
        self, server: Server, running: Running, folder: Path, core: int, after: float
    ) -> None:
        self._start_again = partial(
            server.start, folder, core, Wanted(port=running.port)
        )
        self._running = running
        self._timer = threading.Timer(after, running.stop, kwargs={"hard": True})

    def at(self, word: str) -> None:
        """Begin to wait, or start it again, as the driver says where it is."""
        if word == "begin":
            self._timer.start()
        else:
            self._timer.join()
            self._running.process = self._start_again().process

    def cancel(self) -> None:
        """Kill it no more."""
        self._timer.cancel()


def measure_kills(server: Server, bench: Bench, kills: int) -> Killed:
    """Kill so many servers, at moments which are the same in every run."""
    total: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    moments = Random(kills)
    for _ in range(kills):
        after = moments.uniform(0.1, _BUSY - _MARGIN)
        counted = _kill_one(server, bench, after)
        total.update(counted)
        faults.update(faults_of(counted))
    return Killed(
        kills,
        total["acknowledged_publications"],
        total["lost_publications"],
        total["acknowledged_subscriptions"],
        total["lost_subscriptions"],
        dict(faults),
    )


def _kill_one(server: Server, bench: Bench, after: float) -> dict[str, int]:
    with fresh(server, bench.cores.server, Wanted()) as (running, folder):
        killer = Killer(server, running, folder, bench.cores.server, after)
        try:
            counted = Run(bench.driver, bench.cores.load, killer.at).play(
                [
                    *("--server", f"127.0.0.1:{running.port}"),
                    *("--warmup", str(_WARM), "--duration", str(_BUSY)),
                    *("--timeout", str(_PATIENCE), "--drain", "1"),
                    *_LOAD,
                    "kill",
                ]
            )
        finally:
            killer.cancel()
    return {name: count for name, count in counted.items() if isinstance(count, int)}


# -- In the report ---------------------------------------------------------------------


def _measure(server: Server, bench: Bench, size: Size) -> Killed:
    return measure_kills(server, bench, size.kills)


def _rows(one: Killed) -> Iterator[list[str]]:
    yield [
        f"{one.kills}",
        f"{one.lost_publications:,} of {one.publications:,}",
        f"{one.lost_subscriptions:,} of {one.subscriptions:,}",
        counts(one.faults) or "nothing",
    ]


def _promises(one: Killed) -> Iterator[Promise]:
    row = "after `kill -9` at full speed"
    yield Promise(row, "publications answered and lost", one.lost_publications, 0)
    yield Promise(row, "subscriptions answered and lost", one.lost_subscriptions, 0)
    yield Promise(row, "other faults", sum(one.faults.values()), 0)


KILL = Check(
    "kill",
    "After `kill -9` at full speed",
    (
        "kills",
        "publications answered and lost",
        "subscriptions answered and lost",
        "what else was wrong",
    ),
    _measure,
    _rows,
    ("presproxy", "kamailio-sqlite", "kamailio-postgresql"),
    promises=_promises,
    is_quick=True,
)
