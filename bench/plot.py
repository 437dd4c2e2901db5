"""A picture of the costs, when matplotlib is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.results import Report, Result
from bench.scenarios import Scenario
from bench.servers import Server

#: Blue is ours; those who cannot tell colours apart tell these by their lightness.
_COLOURS = {
    ("presproxy", True): "#0072b2",
    ("presproxy", False): "#56b4e9",
    ("kamailio", True): "#8c4a00",
    ("kamailio", False): "#e69f00",
}

_COLUMNS = 2


def can_plot() -> bool:
    """Whether matplotlib is there."""
    return find_spec("matplotlib") is not None


def plot(report: Report, path: Path) -> None:
    """
    Draw a panel for each scenario, each with a scale of its own that begins at zero.

    Dark bars are those of servers that lose nothing by a ``kill -9``.  A line shows what
    presproxy's may cost at most, where that is said.
    """
    from matplotlib.figure import Figure

    rows = -(-len(report.scenarios) // _COLUMNS)
    height = 0.8 + 0.3 * len(report.servers)
    figure = Figure(figsize=(12, rows * height + 0.5), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
    for scenario, panel in zip(report.scenarios, panels, strict=False):
        _draw(panel, report, scenario)
    for panel in list(panels):
        panel.set_visible(False)
    figure.suptitle("CPU microseconds per operation, on one core; less is better")
    figure.savefig(path)


def _draw(panel: Any, report: Report, scenario: Scenario) -> None:
    found = [
        (server, result)
        for server in reversed(report.servers)
        if (result := report.result(scenario.name, server.name))
    ]
    bars = panel.barh(
        [server.title for server, _ in found],
        [result.cost for _, result in found],
        color=[_colour(server) for server, _ in found],
        xerr=_spread(found) if found else None,
        error_kw={"ecolor": "#444444", "elinewidth": 1},
    )
    panel.bar_label(bars, [_label(result) for _, result in found], padding=4)
    limit = report.limit(scenario)
    if limit is not None and found:
        panel.axvline(limit, color="#cc3311", linestyle="--", linewidth=1)
    panel.set_title(_title(report, scenario), loc="left", fontsize="medium")
    panel.margins(x=0.15)
    panel.spines[["top", "right"]].set_visible(False)


def _title(report: Report, scenario: Scenario) -> str:
    """Give the row's, and whether what it is to keep is kept."""
    kept = report.kept(scenario)
    if not kept:
        return scenario.title
    holds = all(promise.holds for promise in kept)
    return f"{scenario.title}: {'holds' if holds else 'DOES NOT HOLD'}"


def _colour(server: Server) -> str:
    return _COLOURS.get((server.family, server.durable), "#999999")


def _spread(found: list[tuple[Server, Result]]) -> list[list[float]]:
    """How far the lowest and the highest run are from the median."""
    below = [result.cost - min(result.costs) for _, result in found]
    above = [max(result.costs) - result.cost for _, result in found]
    return [below, above]


def _label(result: Result) -> str:
    return f"{result.cost:,.0f}" + (" !" if result.faults else "")
