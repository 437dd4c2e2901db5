"""Rapid changes of one presentity, which several workers may tell in another order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs

from bench.check import Check, Promise
from bench.driver import Run
from bench.measure import Bench, faults_of, fresh
from bench.scenarios import population
from bench.servers.server import Server, Wanted
from bench.size import Size
from bench.text import counts

_WATCHERS = 400

#: One change at a time, each from another socket as soon as the last one is answered.
_LOAD = population(1, _WATCHERS, 1, 8)


@attrs.frozen
class Interleaving:
    """
    What the watchers of one presentity saw, in all runs.

    ``stale`` NOTIFYs told older state under a higher CSeq, and ``wrong`` of the
    ``watchers`` ended on a state that is not the last.  ``faults`` are all that was wrong.
    """

    watchers: int
    changes: int
    notifies: int
    stale: int
    wrong: int
    faults: dict[str, int]


def measure_interleaving(server: Server, bench: Bench, runs: int) -> Interleaving:
    """Change the state as fast as it is answered, and see what is told."""
    counted = [_play(server, bench) for _ in range(runs)]
    faults: Counter[str] = Counter()
    for run in counted:
        faults.update(faults_of(run))
    return Interleaving(
        _WATCHERS * runs,
        sum(run["operations"] for run in counted),
        sum(run["notifies"] for run in counted),
        faults["stale"],
        faults["wrong_final"],
        dict(faults),
    )


def _play(server: Server, bench: Bench) -> dict[str, Any]:
    with fresh(server, bench.cores.server, Wanted()) as (running, _):
        return Run(bench.driver, bench.cores.load, lambda word: None).play(
            [
                *("--server", f"127.0.0.1:{running.port}"),
                *("--duration", str(bench.seconds), "--warmup", "0"),
                *_LOAD,
                "interleave",
            ]
        )


# -- In the report ---------------------------------------------------------------------


def _measure(server: Server, bench: Bench, size: Size) -> Interleaving:
    return measure_interleaving(server, bench, size.runs)


def _rows(seen: Interleaving) -> Iterator[list[str]]:
    yield [
        f"{seen.changes:,}",
        f"{seen.notifies:,}",
        f"{seen.stale:,}",
        f"{seen.wrong:,} of {seen.watchers:,}",
        counts(seen.faults) or "nothing",
    ]


def _promises(seen: Interleaving) -> Iterator[Promise]:
    row = "rapid changes of one presentity"
    yield Promise(row, "older state under a higher CSeq", seen.stale, 0)
    yield Promise(row, "watchers with a wrong state in the end", seen.wrong, 0)
    yield Promise(row, "faults", sum(seen.faults.values()), 0)


INTERLEAVE = Check(
    "interleave",
    "Rapid changes of one presentity",
    (
        "changes",
        "NOTIFYs",
        "older state under a higher CSeq",
        "wrong in the end",
        "all that was wrong",
    ),
    _measure,
    _rows,
    ("presproxy", "kamailio-memory", "kamailio-workers"),
    promises=_promises,
    is_quick=True,
)
