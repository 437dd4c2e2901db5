"""One scenario against one server: a fresh server, a warm-up, and what it used."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import attrs

from bench.driver import Run
from bench.processes import cpu_of
from bench.scenarios import Scenario
from bench.servers.server import Server

#: What the driver counts that a correct server leaves at zero.
FAULTS = (
    "failed",
    "lost",
    "stale",
    "duplicates",
    "out_of_order",
    "impossible",
    "wrong_final",
)


@attrs.frozen
class Measurement:
    """What one run came to; microseconds of CPU, and the driver's counters."""

    cost: float
    parts: dict[str, float]
    counted: dict[str, Any]

    @property
    def faults(self) -> dict[str, int]:
        """What went wrong, by name."""
        return {name: self.counted[name] for name in FAULTS if self.counted[name]}


@attrs.frozen
class Cores:
    """Where the server runs, and where the load."""

    server: int
    load: int


def measure(
    scenario: Scenario,
    server: Server,
    driver: Path,
    cores: Cores,
    seconds: float,
    warmup: float,
) -> Measurement:
    """Start the server, load it, end it, and say what an operation cost it."""
    with tempfile.TemporaryDirectory(prefix="presproxy-bench-") as name:
        folder = Path(name)
        try:
            running = server.start(folder, cores.server, scenario.wanted)
            try:
                used: list[list[float]] = []
                run = Run(
                    driver,
                    cores.load,
                    lambda: used.append([cpu_of(pid) for pid in running.pids]),
                )
                counted = run.play(scenario.command(running.port, seconds, warmup))
            finally:
                running.stop()
        finally:
            server.clean(folder)
    before, after = used
    count = counted[scenario.per] or 1
    each = [(late - early) / count * 1e6 for early, late in zip(before, after, strict=True)]
    return Measurement(sum(each), {"server": each[0], "helpers": sum(each[1:])}, counted)
