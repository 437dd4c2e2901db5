"""One scenario against one server: a fresh server, a warm-up, and what it used."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from bench.driver import Run
from bench.processes import cpu_of
from bench.scenarios import Scenario
from bench.servers.databases import NoDatabase
from bench.servers.kamailio import Kamailio
from bench.servers.server import Running, Server, Wanted, free_port
from bench.tables import metrics_of, total_of

#: The server behind the one that is measured; what it costs is not counted.
BEHIND = Kamailio("behind", "Kamailio", NoDatabase(), allocator="fm", durable=False)

#: What the driver counts that a correct server leaves at zero; and what it has behind.
FAULTS = (
    "failed",
    "lost",
    "stale",
    "out_of_order",
    "reused_cseq",
    "astray",
    "impossible",
    "unasked",
    "wrong_final",
    "unshared",
)

#: What a server need not do, and may: tell a watcher again what he was told before.
EXTRAS = ("duplicates", "without_state")


def extras_of(counted: Mapping[str, Any]) -> dict[str, int]:
    """Give what was done without need, by name."""
    return {name: counted[name] for name in EXTRAS if counted[name]}


def faults_of(counted: Mapping[str, Any]) -> dict[str, int]:
    """Give what went wrong, by name; empty when nothing did."""
    return {name: counted[name] for name in FAULTS if counted.get(name)}


@attrs.frozen
class Measurement:
    """What one run came to; microseconds of CPU, and the driver's counters."""

    cost: float
    #: What of it the server's helpers used, such as its database.
    helped: float
    counted: dict[str, Any]


@attrs.frozen
class Cores:
    """Where the server runs, and where the load."""

    server: int
    load: int


@attrs.frozen
class Bench:
    """All that measurements have in common."""

    driver: Path
    cores: Cores
    seconds: float
    warmup: float


def measure(scenario: Scenario, server: Server, bench: Bench) -> Measurement:
    """Start the server, load it, end it, and say what an operation cost it."""
    used: list[list[float]] = []
    with ExitStack() as stack:
        wanted = scenario.wanted
        if scenario.behind:
            beside = stack.enter_context(fresh(BEHIND, bench.cores.load, wanted))
            wanted = attrs.evolve(wanted, behind=beside[0].port, http=free_port())
        running, _ = stack.enter_context(fresh(server, bench.cores.server, wanted))
        counted = Run(
            bench.driver,
            bench.cores.load,
            lambda word: used.append([cpu_of(pid) for pid in running.pids]),
        ).play(
            scenario.command(running.port, bench.seconds, bench.warmup, wanted.behind)
        )
        if scenario.shared is not None:
            counted["unshared"] = _unshared(wanted.http, scenario.shared)
    before, after = used
    count = counted[scenario.per] or 1
    parts = [
        (late - early) / count * 1e6 for early, late in zip(before, after, strict=True)
    ]
    return Measurement(sum(parts), sum(parts[1:]), counted)


def _unshared(http: int, shared: int) -> int:
    """Count the subscriptions behind that are too many, or too few."""
    return abs(int(total_of(metrics_of(http), "behind_subscriptions")) - shared)


@contextmanager
def fresh(server: Server, core: int, wanted: Wanted) -> Iterator[tuple[Running, Path]]:
    """Run a new server with its state in a folder, and put both away afterwards."""
    with tempfile.TemporaryDirectory(prefix="presproxy-bench-") as name:
        folder = Path(name)
        try:
            running = server.start(folder, core, wanted)
            try:
                yield running, folder
            finally:
                running.stop()
        finally:
            server.clean(folder)
