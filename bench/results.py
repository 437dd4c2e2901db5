"""Results: medians of several runs, and the ratios between servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import attrs

from bench.growth import Growth
from bench.measure import Measurement, extras_of, faults_of
from bench.overload import Overload
from bench.restart import Restart
from bench.scenarios import Scenario
from bench.servers import Server


@attrs.frozen
class Result:
    """What one scenario costs one server: medians over its runs."""

    scenario: str
    server: str
    #: Microseconds of CPU for each operation or NOTIFY, and in every run.
    cost: float
    costs: tuple[float, ...]
    #: What of it its database used in processes of its own.
    helped: float
    #: Operations (or NOTIFYs) a second.
    rate: float
    #: Microseconds of the driver's own CPU for each.
    driver: float
    #: Milliseconds: "p50", "p99" and "max" of an operation, and of a NOTIFY.
    latency: Mapping[str, Mapping[str, float]]
    #: Sums over all runs; empty when nothing went wrong.
    faults: Mapping[str, int]
    #: NOTIFYs without news.
    extras: Mapping[str, int]
    retransmissions: int


@attrs.frozen
class Skipped:
    """What was not measured, and why."""

    what: str
    why: str


@attrs.define(eq=False)
class Report:
    """All that was found out."""

    machine: Mapping[str, str]
    versions: Mapping[str, str]
    settings: Mapping[str, Any]
    servers: Sequence[Server]
    scenarios: Sequence[Scenario]
    results: list[Result] = attrs.field(factory=list)
    growth: dict[str, Growth] = attrs.field(factory=dict)
    restarts: dict[str, Restart] = attrs.field(factory=dict)
    overloads: list[Overload] = attrs.field(factory=list)
    skipped: list[Skipped] = attrs.field(factory=list)

    def result(self, scenario: str, server: str) -> Result | None:
        """Give one cell of the table; None when it was not measured."""
        return next(
            (
                result
                for result in self.results
                if (result.scenario, result.server) == (scenario, server)
            ),
            None,
        )

    def ratios(self, scenario: str) -> dict[str, float]:
        """Say how presproxy stands to Kamailio's best, below one when it costs less."""
        found = {
            title: (
                self._cheapest(scenario, "presproxy", ours),
                self._cheapest(scenario, "kamailio", theirs),
            )
            for title, (ours, theirs) in RATIOS.items()
        }
        return {
            title: ours / theirs
            for title, (ours, theirs) in found.items()
            if ours and theirs
        }

    def _cheapest(self, scenario: str, family: str, is_durable: bool) -> float | None:
        """Give the least cost among a family; one that lost something does not count."""
        costs = [
            result.cost
            for server in self.servers
            if server.family == family and server.durable == is_durable
            if (result := self.result(scenario, server.name)) and not result.faults
        ]
        return min(costs, default=None)

    def as_json(self) -> dict[str, Any]:
        """Give all of it as plain values."""
        return {
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "settings": dict(self.settings),
            "servers": {
                server.name: {"title": server.title, "durable": server.durable}
                for server in self.servers
            },
            "scenarios": {
                scenario.name: {
                    "title": scenario.title,
                    "per": scenario.per,
                    "ratios": self.ratios(scenario.name),
                }
                for scenario in self.scenarios
            },
            "results": [attrs.asdict(result) for result in self.results],
            "growth": {
                name: attrs.asdict(grown) for name, grown in self.growth.items()
            },
            "restarts": {
                name: attrs.asdict(one) for name, one in self.restarts.items()
            },
            "overloads": [attrs.asdict(one) for one in self.overloads],
            "skipped": [attrs.asdict(skipped) for skipped in self.skipped],
        }


#: Which of presproxy's variants stands to which of Kamailio's: durable or not.
RATIOS = {
    "both durable": (True, True),
    "both in memory": (False, False),
    "durable to in memory": (True, False),
}


def summarise(
    scenario: Scenario, server: Server, runs: Sequence[Measurement]
) -> Result:
    """Make one result of all runs."""
    counted = [run.counted for run in runs]
    counts = [max(run[scenario.per], 1) for run in counted]
    return Result(
        scenario=scenario.name,
        server=server.name,
        cost=median(run.cost for run in runs),
        costs=tuple(run.cost for run in runs),
        helped=median(run.helped for run in runs),
        rate=median(
            count / run["seconds"] for count, run in zip(counts, counted, strict=True)
        ),
        driver=median(
            run["own_cpu"] / count * 1e6
            for count, run in zip(counts, counted, strict=True)
        ),
        latency=_latency(counted),
        faults=_sum(faults_of(run) for run in counted),
        extras=_sum(extras_of(run) for run in counted),
        retransmissions=sum(
            run["retransmissions_sent"] + run["retransmissions_received"]
            for run in counted
        ),
    )


def _latency(counted: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    return {
        kind: {
            name: median(run["latency"][kind].get(name, 0.0) for run in counted)
            for name in ("p50", "p99", "max")
        }
        for kind in ("operation", "notify")
        if all(run["latency"][kind]["count"] for run in counted)
    }


def _sum(faults: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for some in faults:
        total.update(some)
    return dict(total)
