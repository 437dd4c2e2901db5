"""Results: medians of several runs, and the ratios between servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import attrs

from bench.check import Check, Promise
from bench.measure import Measurement, extras_of, faults_of
from bench.scenarios import TO_DURABLE, TO_MEMORY, Goal, Scenario
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
    #: What was found beside, by check and name of the server.
    checked: dict[Check, dict[str, Any]] = attrs.field(factory=dict)
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

    def promises(self) -> list[Promise]:
        """Say what presproxy is to keep, and what of it was found."""
        kept = [one for scenario in self.scenarios for one in self.kept(scenario)]
        ours = [result for result in self.results if result.server == OURS]
        if ours:
            wrong = sum(_wrong_in(result) for result in ours)
            kept.append(Promise("all rows", "faults and duplicates", wrong, 0))
        for check, found in self.checked.items():
            if OURS in found:
                kept += check.promises(found[OURS])
        return kept

    def kept(self, scenario: Scenario) -> list[Promise]:
        """Say it of one row, as far as it was measured."""
        return [
            promise
            for goal in scenario.goals
            if (promise := self._promise(scenario, goal))
        ]

    def _promise(self, scenario: Scenario, goal: Goal) -> Promise | None:
        """Hold one row against its goal; None when it was not measured."""
        if goal.to in RATIOS:
            ratio = self.ratios(scenario.name).get(goal.to)
            what = f"presproxy ÷ Kamailio, {goal.to}"
        else:
            ratio = self._to_our_own(scenario.name, goal.to)
            what = f"÷ {goal.to}, presproxy"
        if ratio is None:
            return None
        return Promise(scenario.title, what, ratio, goal.at_most)

    def _to_our_own(self, scenario: str, other: str) -> float | None:
        ours, theirs = self.result(scenario, OURS), self.result(other, OURS)
        if not ours or not theirs or ours.faults or theirs.faults:
            return None
        return ours.cost / theirs.cost

    def limit(self, scenario: Scenario) -> float | None:
        """Give the most microseconds that keep all goals of a row; None without any."""
        limits = [
            cost * goal.at_most
            for goal in scenario.goals
            if (cost := self._held_against(scenario, goal))
        ]
        return min(limits, default=None)

    def _held_against(self, scenario: Scenario, goal: Goal) -> float | None:
        if goal.to in RATIOS:
            return self._cheapest(scenario.name, "kamailio", RATIOS[goal.to][1])
        other = self.result(goal.to, OURS)
        return other.cost if other else None

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
                    "goals": [attrs.asdict(goal) for goal in scenario.goals],
                }
                for scenario in self.scenarios
            },
            "results": [attrs.asdict(result) for result in self.results],
            "promises": [
                {**attrs.asdict(promise), "holds": promise.holds}
                for promise in self.promises()
            ],
            "checks": {
                check.name: {name: _plain(value) for name, value in found.items()}
                for check, found in self.checked.items()
            },
            "skipped": [attrs.asdict(skipped) for skipped in self.skipped],
        }


#: Which of presproxy's variants stands to which of Kamailio's: durable or not.
RATIOS = {
    TO_DURABLE: (True, True),
    "both in memory": (False, False),
    TO_MEMORY: (True, False),
}

#: Whose costs are held against goals.
OURS = "presproxy"


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


def _wrong_in(result: Result) -> int:
    """Count what went wrong, and what was told twice."""
    return sum(result.faults.values()) + result.extras.get("duplicates", 0)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return attrs.asdict(value)


def _sum(faults: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for some in faults:
        total.update(some)
    return dict(total)
