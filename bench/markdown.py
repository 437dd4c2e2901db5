"""The report for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.results import RATIOS, Report, Result


def write_markdown(report: Report) -> str:
    """Give the whole report, tables first."""
    parts = [
        _costs(report),
        _latencies(report),
        _rates(report),
        _growth(report),
        _restarts(report),
        _overloads(report),
        _faults(report),
        _skipped(report),
        _about(report),
    ]
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"


def _costs(report: Report) -> Iterator[str]:
    """One row a scenario: microseconds, and the ratios behind."""
    if not report.results:
        return
    yield "## CPU microseconds per operation, on one core"
    yield ""
    titles = [f"presproxy ÷ Kamailio, {title}" for title in RATIOS]
    yield from _head(["", *(server.title for server in report.servers), *titles])
    for scenario in report.scenarios:
        cells = [
            _cost(report.result(scenario.name, server.name))
            for server in report.servers
        ]
        ratios = report.ratios(scenario.name)
        behind = [f"{ratios[title]:.2f}" if title in ratios else "" for title in RATIOS]
        yield _row([scenario.title, *cells, *behind])
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
    text = _figure(result.cost)
    if len(result.costs) > 1:
        text += f" ({_figure(min(result.costs))}–{_figure(max(result.costs))})"
    return text + (" !" if result.faults else "")


def _latencies(report: Report) -> Iterator[str]:
    """What a NOTIFY, or an answer, takes; the operations in flight wait for each other."""
    if not report.results:
        return
    yield "## Milliseconds, half and 99 of 100"
    yield ""
    yield from _head(["", *(server.title for server in report.servers)])
    for scenario in report.scenarios:
        for kind in ("operation", "notify"):
            cells = [
                _latency(report.result(scenario.name, server.name), kind)
                for server in report.servers
            ]
            if any(cell != "–" for cell in cells):
                what = "" if kind == "operation" else ", PUBLISH to NOTIFY"
                yield _row([scenario.title + what, *cells])


def _latency(result: Result | None, kind: str) -> str:
    if result is None or kind not in result.latency:
        return "–"
    return " / ".join(_figure(result.latency[kind][name]) for name in ("p50", "p99"))


def _figure(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _rates(report: Report) -> Iterator[str]:
    if not report.results:
        return
    yield "## A second, and microseconds of the driver's own CPU"
    yield ""
    yield from _head(["", *(server.title for server in report.servers)])
    for scenario in report.scenarios:
        found = [report.result(scenario.name, one.name) for one in report.servers]
        cells = [
            f"{one.rate:,.0f} / {_figure(one.driver)}" if one else "–" for one in found
        ]
        yield _row([scenario.title, *cells])


def _growth(report: Report) -> Iterator[str]:
    if not report.growth:
        return
    yield "## Octets of memory, and in files"
    yield ""
    yield from _head(["", "idle", "a publication", "a subscription", "of each"])
    for name, grown in report.growth.items():
        idle, count = f"{grown.idle / 2**20:.0f} MB", f"{grown.count:,}"
        weights = (grown.publication, grown.subscription)
        cells = [f"{weight.memory:,.0f} / {weight.files:,.0f}" for weight in weights]
        yield _row([name, idle, *cells, count])


def _restarts(report: Report) -> Iterator[str]:
    if not report.restarts:
        return
    yield "## After `kill -9`"
    yield ""
    yield from _head(
        ["", "publications", "subscriptions", "answers again", "lost", "told again"]
    )
    for name, one in report.restarts.items():
        yield _row(
            [
                name,
                f"{one.publications:,}",
                f"{one.subscriptions:,}",
                f"{one.seconds:.1f} s",
                _counts(one.faults) or "nothing",
                f"{one.told_again:,}",
            ]
        )


def _overloads(report: Report) -> Iterator[str]:
    if not report.overloads:
        return
    yield "## More than can be served"
    yield ""
    yield from _head(
        [
            "",
            "can be served",
            "offered",
            "served",
            "of what can be",
            "503, ms p50 / p99",
            "served, ms p50 / p99",
            "NOTIFYs",
            "memory",
            "all current after",
            "wrong",
        ]
    )
    for one in report.overloads:
        memory = " – ".join(f"{each / 2**20:.0f}" for each in one.memory_range)
        yield _row(
            [
                f"{one.load}, {one.server}, {one.seconds:.0f} s",
                *(f"{each:,.0f}" for each in (one.peak, one.offered, one.answered)),
                f"{one.kept:.0%}",
                _percentiles(one.refusal),
                _percentiles(one.latency),
                f"{one.notifies:,.0f}",
                f"{memory} MB",
                f"{one.caught_up:.2f} s",
                _counts(one.faults) or "nothing",
            ]
        )
    yield ""
    yield (
        "A second; one core of the server's.  What is served of what can be is told for "
        "as much of the core, which others may have used, too.  The clock of an operation "
        "begins when it is due.  Memory is the least and the most of the server's in the "
        "second half."
    )


def _percentiles(latency: Mapping[str, float]) -> str:
    return " / ".join(_figure(latency.get(name, 0.0)) for name in ("p50", "p99"))


def _faults(report: Report) -> Iterator[str]:
    if not report.results:
        return
    yield "## What went wrong"
    yield ""
    faulty = [result for result in report.results if result.faults]
    if not faulty:
        yield "- nothing was lost, stale, out of order or wrong in the end"
    yield from (f"- {_where(result)}: {_counts(result.faults)}" for result in faulty)
    for result in report.results:
        if result.extras:
            yield f"- told without need: {_where(result)}: {_counts(result.extras)}"
        if result.retransmissions:
            yield f"- sent again: {_where(result)}: {result.retransmissions}"


def _where(result: Result) -> str:
    return f"{result.scenario}, {result.server}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


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


def _head(titles: Sequence[str]) -> Iterator[str]:
    yield _row(titles)
    yield _row(["---"] + ["---:"] * (len(titles) - 1))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
