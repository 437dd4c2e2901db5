"""How long a change takes to reach the last watcher, at half of what a server can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from bench.check import Check, Promise
from bench.driver import Run
from bench.measure import Bench, faults_of, fresh
from bench.scenarios import population
from bench.servers.server import Server, Wanted
from bench.size import Size
from bench.text import counts, figure

_HALF = 0.5

#: Changes measured at least, so that 99 of 100 of them are more than a few.
_CHANGES = 300


@attrs.frozen
class Audience:
    """
    So many watchers for each of so many presentities.

    ``at_most`` is what 99 of 100 changes may take, in milliseconds.  ``window`` changes
    are under way where the most that a server can do is measured.
    """

    watchers: int
    presentities: int
    window: int
    ways: int
    at_most: float

    @property
    def load(self) -> Sequence[str]:
        """Say who is there."""
        everybody = self.watchers * self.presentities
        return population(self.presentities, everybody, self.window, self.ways)


#: More presentities than are changed at once, so that nobody waits for his own last change.
AUDIENCES = (Audience(10, 200, 32, 8, 20.0), Audience(1000, 10, 2, 16, 150.0))


@attrs.frozen
class Latency:
    """
    What a change took at ``rate`` of them a second, half of ``saturation``.

    In milliseconds, from the moment its PUBLISH was due until the last watcher was told.
    """

    watchers: int
    saturation: float
    rate: float
    changes: int
    p50: float
    p99: float
    longest: float
    at_most: float
    faults: dict[str, int]


def measure_latency(server: Server, bench: Bench, audience: Audience) -> Latency:
    """Measure what the server can do, then half of that with a clock."""
    busy = _play(server, bench, audience, ["--duration", str(bench.seconds)])
    saturation = busy["operations"] / busy["seconds"]
    rate = saturation * _HALF
    changes = max(_CHANGES, round(bench.seconds * rate))
    # All that are due are measured, however late the last of them begins.
    due = ["--rate", f"{rate:.3f}", "--limit", str(changes), "--duration", "100000"]
    calm = _play(server, bench, audience, due)
    taken = calm["latency"]["operation"]
    return Latency(
        audience.watchers,
        saturation,
        rate,
        calm["operations"],
        taken.get("p50", 0.0),
        taken.get("p99", 0.0),
        taken.get("max", 0.0),
        audience.at_most,
        faults_of(calm),
    )


def _play(
    server: Server, bench: Bench, audience: Audience, how_long: Sequence[str]
) -> dict[str, Any]:
    """Let every change be a round: from when it was due until all were told."""
    with fresh(server, bench.cores.server, Wanted()) as (running, _):
        return Run(bench.driver, bench.cores.load, lambda word: None).play(
            [
                *("--server", f"127.0.0.1:{running.port}"),
                *("--warmup", str(bench.warmup)),
                *how_long,
                *audience.load,
                "fanout",
            ]
        )


# -- In the report ---------------------------------------------------------------------


def _measure(server: Server, bench: Bench, size: Size) -> list[Latency]:
    return [measure_latency(server, bench, audience) for audience in AUDIENCES]


def _rows(found: Sequence[Latency]) -> Iterator[list[str]]:
    for one in found:
        yield [
            f"{one.watchers:,}",
            f"{figure(one.rate)} of {figure(one.saturation)}",
            f"{one.changes:,}",
            f"{figure(one.p50)} / {figure(one.p99)}",
            figure(one.longest),
            counts(one.faults) or "nothing",
        ]


def _promises(found: Sequence[Latency]) -> Iterator[Promise]:
    for one in found:
        row = f"PUBLISH to the last NOTIFY of {one.watchers:,}"
        yield Promise(row, "milliseconds, 99 of 100", one.p99, one.at_most)
        yield Promise(row, "faults", sum(one.faults.values()), 0)


LATENCY = Check(
    "latency",
    "Milliseconds from PUBLISH to the last NOTIFY, at half of saturation",
    (
        "watchers",
        "changes a second",
        "changes",
        "half / 99 of 100",
        "the longest",
        "what was wrong",
    ),
    _measure,
    _rows,
    ("presproxy", "kamailio-memory"),
    note=(
        "Each server at half of its own saturation, so that one that can do more has more "
        "to do.  A change counts from the moment it was due."
    ),
    promises=_promises,
)
