"""The report for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.check import Check
from bench.results import RATIOS, Report, Result
from bench.text import counts, figure, head, row


def write_markdown(report: Report) -> str:
    """Give the whole report, tables first."""
    parts = [
        _promises(report),
        _costs(report),
        _latencies(report),
        _rates(report),
        *(_checked(check, found) for check, found in report.checked.items()),
        _faults(report),
        _skipped(report),
        _about(report),
    ]
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"


def _promises(report: Report) -> Iterator[str]:
    """One row a promise: what was found, and whether it is enough."""
    promises = report.promises()
    if not promises:
        return
    broken = sum(not promise.holds for promise in promises)
    yield f"## What is to hold: {len(promises) - broken} of {len(promises)} do"
    yield ""
    yield from head(["", "of it", "found", "at most", "holds"])
    for promise in promises:
        found, at_most = figure(promise.found), figure(promise.at_most)
        holds = "yes" if promise.holds else "**no**"
        yield row([promise.row, promise.what, found, at_most, holds])


def _costs(report: Report) -> Iterator[str]:
    """One row a scenario: microseconds, and the ratios behind."""
    if not report.results:
        return
    yield "## CPU microseconds per operation, on one core"
    yield ""
    titles = [f"presproxy ÷ Kamailio, {title}" for title in RATIOS]
    yield from head(["", *(server.title for server in report.servers), *titles])
    for scenario in report.scenarios:
        cells = [
            _cost(report.result(scenario.name, server.name))
            for server in report.servers
        ]
        ratios = report.ratios(scenario.name)
        behind = [f"{ratios[title]:.2f}" if title in ratios else "" for title in RATIOS]
        yield row([scenario.title, *cells, *behind])
    yield ""
    yield (
        f"Medians of {report.settings['runs']} runs of {report.settings['seconds']} s, user "
        "and system time of the whole process tree, its database included; in brackets "
        "the lowest and the highest run.  A `!` stands by what was not done right; it "
        "counts in no ratio.  Ratios are to Kamailio's cheapest variant of the kind."
    )


def _cost(result: Result | None) -> str:
    if result is None:
        return "–"
    text = figure(result.cost)
    if len(result.costs) > 1:
        text += f" ({figure(min(result.costs))}–{figure(max(result.costs))})"
    return text + (" !" if result.faults else "")


def _latencies(report: Report) -> Iterator[str]:
    """What a NOTIFY, or an answer, takes; the operations in flight wait for each other."""
    if not report.results:
        return
    yield "## Milliseconds, half and 99 of 100"
    yield ""
    yield from head(["", *(server.title for server in report.servers)])
    for scenario in report.scenarios:
        for kind in ("operation", "notify"):
            cells = [
                _latency(report.result(scenario.name, server.name), kind)
                for server in report.servers
            ]
            if any(cell != "–" for cell in cells):
                what = "" if kind == "operation" else ", PUBLISH to NOTIFY"
                yield row([scenario.title + what, *cells])


def _latency(result: Result | None, kind: str) -> str:
    if result is None or kind not in result.latency:
        return "–"
    return " / ".join(figure(result.latency[kind][name]) for name in ("p50", "p99"))


def _rates(report: Report) -> Iterator[str]:
    if not report.results:
        return
    yield "## A second, and microseconds of the driver's own CPU"
    yield ""
    yield from head(["", *(server.title for server in report.servers)])
    for scenario in report.scenarios:
        found = [report.result(scenario.name, one.name) for one in report.servers]
        cells = [
            f"{one.rate:,.0f} / {figure(one.driver)}" if one else "–" for one in found
        ]
        yield row([scenario.title, *cells])


def _checked(check: Check, found: Mapping[str, Any]) -> Iterator[str]:
    if not found:
        return
    yield f"## {check.title}"
    yield ""
    yield from head(["", *check.columns])
    for name, value in found.items():
        yield from (row([name, *cells]) for cells in check.rows(value))
    if check.note:
        yield ""
        yield check.note


def _faults(report: Report) -> Iterator[str]:
    if not report.results:
        return
    yield "## What went wrong"
    yield ""
    faulty = [result for result in report.results if result.faults]
    if not faulty:
        yield "- nothing was lost, stale, out of order or wrong in the end"
    yield from (f"- {_where(result)}: {counts(result.faults)}" for result in faulty)
    for result in report.results:
        if result.extras:
            yield f"- told without need: {_where(result)}: {counts(result.extras)}"
        if result.retransmissions:
            yield f"- sent again: {_where(result)}: {result.retransmissions}"


def _where(result: Result) -> str:
    return f"{result.scenario}, {result.server}"


def _skipped(report: Report) -> Iterator[str]:
    if report.skipped:
        yield "## Not measured"
        yield ""
        yield from (f"- {skipped.what}: {skipped.why}" for skipped in report.skipped)


def _about(report: Report) -> Iterator[str]:
    yield "## Where and with what"
    yield ""
    for name, what in {**report.machine, **report.versions}.items():
        yield f"- {name}: {what}"
    for name, what in report.settings.items():
        yield f"- {name}: {what}"
