"""A picture of the costs, when matplotlib is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from bench.results import Report


def can_plot() -> bool:
    """Whether matplotlib is there."""
    return find_spec("matplotlib") is not None


def plot(report: Report, path: Path) -> None:
    """Draw bars, a group for each scenario; the longer, the dearer."""
    from matplotlib.figure import Figure  # type: ignore[import-not-found]  # optional

    scenarios = list(reversed(report.scenarios))
    figure = Figure(figsize=(9, 1.5 + 0.9 * len(scenarios)), layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / max(len(report.servers), 1)
    for number, server in enumerate(report.servers):
        found = [report.result(one.name, server.name) for one in scenarios]
        places = [row + 0.4 - (number + 0.5) * height for row in range(len(scenarios))]
        costs = [result.cost if result else 0.0 for result in found]
        axes.barh(places, costs, height, label=server.title)
    axes.set_yticks(range(len(scenarios)), [one.title for one in scenarios])
    axes.set_xlabel("CPU microseconds per operation")
    axes.set_xscale("log")
    axes.legend()
    figure.savefig(path)
