"""``python -m bench``: measure, and print a table."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from bench.checks import CHECKS
from bench.driver import DriverFailed, build
from bench.growth import NotAllCame
from bench.machine import describe_machine, describe_versions
from bench.markdown import write_markdown
from bench.measure import Bench, Cores, Measurement, measure
from bench.plot import can_plot, plot
from bench.results import Report, Skipped, summarise
from bench.scenarios import QUICK as QUICK_SCENARIOS
from bench.scenarios import SCENARIOS
from bench.servers import ALL, SERVERS, USUAL, DidNotStart, Server
from bench.servers import QUICK as QUICK_SERVERS
from bench.size import FULL, QUICK, Size
from bench.soak import soak
from bench.soak_report import plot_soak, soak_as_json, write_soak

#: What can be asked for.
_ALL = (*(one.name for one in SCENARIOS), *(one.name for one in CHECKS))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; the status is 1 when nothing could be."""
    asked = parser().parse_args(arguments)
    size = _size_of(asked)
    names = asked.only or _names_of(asked.quick)
    peers = asked.peers or (QUICK_SERVERS if asked.quick else USUAL)
    machine = describe_machine()
    if asked.soak:
        return _soak(asked, size, machine)
    present, skipped = _present(peers)
    report = Report(
        machine,
        describe_versions(present),
        {
            **attrs.asdict(size),
            "cores": f"server {asked.cores[0]}, load {asked.cores[1]}",
        },
        [server for server in present if server in SERVERS],
        [one for one in SCENARIOS if one.name in names],
        skipped=skipped,
    )
    bench = Bench(build(), Cores(*asked.cores), size.seconds, size.warmup)
    began = time.monotonic()
    _measure_costs(report, bench, size)
    _measure_checks(report, bench, size, names, present)
    minutes = (time.monotonic() - began) / 60
    report.settings = {**report.settings, "took": f"{minutes:.0f} minutes"}
    _write(report, asked)
    return 0 if report.results or any(report.checked.values()) else 1


def _soak(asked: argparse.Namespace, size: Size, machine: Mapping[str, str]) -> int:
    """Run a soak instead; the status is 1 when not all was well."""
    server = SERVERS[0]
    bench = Bench(build(), Cores(*asked.cores), size.seconds, size.warmup)
    soaked = soak(server, bench, asked.soak, asked.rate)
    about = {**machine, **describe_versions([server])}
    text = write_soak(soaked, about)
    print(text, end="")
    if asked.markdown:
        asked.markdown.write_text(text)
    if asked.json:
        found = soak_as_json(soaked, about)
        asked.json.write_text(json.dumps(found, indent=1) + "\n")
    if asked.plot and can_plot():
        plot_soak(soaked, asked.plot)
    return 0 if soaked.is_good else 1


def _measure_costs(report: Report, bench: Bench, size: Size) -> None:
    """
    Measure all cells of the table, run by run.

    The servers take turns, so that what else the machine does meets all of them.
    """
    runs: dict[tuple[str, str], list[Measurement]] = {}
    broken: set[tuple[str, str]] = set()
    for number in range(size.runs):
        for scenario in report.scenarios:
            for server in report.servers:
                cell = (scenario.name, server.name)
                if cell in broken or not scenario.is_for(server):
                    continue
                _say(f"run {number + 1} of {size.runs}: {scenario.name}, {server.name}")
                try:
                    one = measure(scenario, server, bench)
                except (DidNotStart, DriverFailed) as error:
                    report.skipped.append(Skipped(", ".join(cell), str(error)))
                    broken.add(cell)
                    continue
                runs.setdefault(cell, []).append(one)
                _say(f"    {one.cost:.1f} µs")
    for scenario in report.scenarios:
        for server in report.servers:
            if found := runs.get((scenario.name, server.name)):
                report.results.append(summarise(scenario, server, found))


def _measure_checks(
    report: Report,
    bench: Bench,
    size: Size,
    names: Sequence[str],
    servers: Sequence[Server],
) -> None:
    """Do all checks that were asked for, with the servers they are for."""
    for check in CHECKS:
        if check.name not in names:
            continue
        found = report.checked[check] = {}
        for server in servers:
            if server.name in check.servers:
                with _noted(report, f"{check.name}, {server.name}"):
                    found[server.name] = check.measure(server, bench, size)


@contextmanager
def _noted(report: Report, what: str) -> Iterator[None]:
    """Say what is done, and keep why it was not."""
    _say(what)
    try:
        yield
    except (DidNotStart, DriverFailed, NotAllCame) as error:
        report.skipped.append(Skipped(what, str(error)))


def _present(peers: Sequence[str]) -> tuple[list[Server], list[Skipped]]:
    present, skipped = [], []
    for server in ALL:
        if server.name not in peers:
            continue
        why = server.missing()
        if why is None:
            present.append(server)
        else:
            skipped.append(Skipped(server.name, why))
    return present, skipped


def _write(report: Report, asked: argparse.Namespace) -> None:
    text = write_markdown(report)
    print(text, end="")
    if asked.markdown:
        asked.markdown.write_text(text)
    if asked.json:
        asked.json.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    if asked.plot and can_plot():
        plot(report, asked.plot)
    elif asked.plot:
        _say("no picture: matplotlib is not installed")


def _names_of(is_quick: bool) -> Sequence[str]:
    """Give what is measured when nothing is asked for by its name."""
    if not is_quick:
        return _ALL
    checks = [one.name for one in CHECKS if one.is_quick]
    return [*(one.name for one in QUICK_SCENARIOS), *checks]


def _size_of(asked: argparse.Namespace) -> Size:
    size = QUICK if asked.quick else FULL
    names = ("runs", "seconds", "publications", "subscriptions", "kills")
    given = {name: getattr(asked, name) for name in names}
    return attrs.evolve(size, **{name: value for name, value in given.items() if value})


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Take names with commas between, and tell the ones that are not known."""
    known = list(known)

    def take(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(
                    f"there is no {name!r}; there are {', '.join(known)}"
                )
        return names

    return take


def two_cores() -> tuple[int, int]:
    """Give two of ours; twice the same when there is one, and the figures are worth less."""
    ours = sorted(os.sched_getaffinity(0))
    return ours[0], ours[1] if len(ours) > 1 else ours[0]


def _cores(text: str) -> tuple[int, int]:
    server, _, load = text.partition(",")
    return int(server), int(load)


def parser() -> argparse.ArgumentParser:
    """Give what reads the command line."""
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    add = parser.add_argument
    add(
        "--quick",
        action="store_true",
        help="one short run of the usual, within a minute",
    )
    add(
        "--only",
        type=_names(_ALL),
        help=", ".join(_ALL),
    )
    servers = [server.name for server in ALL]
    add("--peers", type=_names(servers), help=", ".join(servers))
    add("--runs", type=int, help="of each [3; 1 when quick]")
    add("--kills", type=int, help="of each server, while it is busy [20; 3 when quick]")
    add("--seconds", type=float, help="measured in each [3; 1 when quick]")
    add("--publications", type=int, help="there at the restart [2000; 500 when quick]")
    add("--subscriptions", type=int, help="the same [10000; 5000 when quick]")
    add(
        "--soak",
        type=float,
        metavar="SECONDS",
        help="instead: users come and go at half of saturation, and what is left of them",
    )
    add("--rate", type=float, help="operations a second of a soak [measured]")
    add(
        "--cores",
        type=_cores,
        default=two_cores(),
        metavar="SERVER,LOAD",
        help="where each of the two runs [the first two]",
    )
    add("--json", type=Path, metavar="FILE")
    add("--markdown", type=Path, metavar="FILE")
    add("--plot", type=Path, metavar="FILE", help="needs matplotlib")
    return parser


if __name__ == "__main__":
    # So that servers are ended by a kill of ours as well as by an interrupt.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
