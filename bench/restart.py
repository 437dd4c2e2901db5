"""What is left after ``kill -9``, and how long it takes to be there again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import attrs

from bench.check import Check, Promise
from bench.driver import Run
from bench.measure import Bench, faults_of, fresh
from bench.servers.server import Running, Server, Wanted
from bench.size import Size
from bench.text import counts


@attrs.frozen
class Restart:
    """
    A server killed in the middle, with so many publications and subscriptions.

    ``seconds`` pass from the start of the process until it answers again.  ``faults`` are
    what was wrong when every user then published once more by his entity-tag, to all his
    watchers: it is empty when nothing was lost.  ``told_again`` counts the NOTIFYs of
    states that their watchers had been told before.
    """

    publications: int
    subscriptions: int
    seconds: float
    faults: dict[str, int]
    told_again: int = 0


def measure_restart(
    server: Server, bench: Bench, publications: int, subscriptions: int
) -> Restart:
    """Kill the server when nothing is under way, start it again, and look around."""
    took: list[float] = []
    with fresh(server, bench.cores.server, Wanted()) as (running, folder):

        def kill(word: str) -> None:
            if word != "begin":
                return
            running.stop(hard=True)
            began = time.monotonic()
            wanted = Wanted(port=running.port)
            again: Running = server.start(folder, bench.cores.server, wanted)
            running.process = again.process
            took.append(time.monotonic() - began)

        counted = _play(bench, running.port, publications, subscriptions, kill)
    return Restart(
        publications,
        subscriptions,
        took[0],
        faults_of(counted),
        counted["duplicates"],
    )


def _play(
    bench: Bench, port: int, publications: int, subscriptions: int, kill: Any
) -> dict[str, Any]:
    return Run(bench.driver, bench.cores.load, kill).play(
        [
            *("--server", f"127.0.0.1:{port}"),
            *("--presentities", str(publications), "--watchers", str(subscriptions)),
            *("--warmup", "0", "--duration", "100000", "--limit", str(publications)),
            "fanout",
        ]
    )


# -- In the report ---------------------------------------------------------------------


def _measure(server: Server, bench: Bench, size: Size) -> Restart:
    return measure_restart(server, bench, size.publications, size.subscriptions)


def _rows(one: Restart) -> Iterator[list[str]]:
    yield [
        f"{one.publications:,}",
        f"{one.subscriptions:,}",
        f"{one.seconds:.1f} s",
        counts(one.faults) or "nothing",
        f"{one.told_again:,}",
    ]


def _promises(one: Restart) -> Iterator[Promise]:
    row, faults = "after `kill -9` at rest", sum(one.faults.values())
    yield Promise(row, "faults", faults, 0)
    yield Promise(row, "seconds until it answers", one.seconds, 10)


RESTART = Check(
    "restart",
    "After `kill -9`, while nothing is under way",
    ("publications", "subscriptions", "answers again", "lost", "told again"),
    _measure,
    _rows,
    ("presproxy", "kamailio-sqlite", "kamailio-postgresql"),
    promises=_promises,
)
