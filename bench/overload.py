"""Twice as much as can be served: what is answered, what is refused, and how soon."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

from bench.check import Check, Promise
from bench.driver import Run
from bench.measure import Bench, faults_of, fresh
from bench.processes import cpu_of, memory_of
from bench.servers.server import Running, Server, Wanted
from bench.size import Size
from bench.text import counts, figure

#: What is offered: a mix of all, and only what nobody can be spared for long.
LOADS = ("mixed", "publish-modify", "resubscribe")

#: How many users there are: enough that one is free for each operation which is due.
_PRESENTITIES, _WATCHERS = 5_000, 20_000

#: Operations in flight while the most is looked for that can be served.
_WINDOW = 64

#: Seconds for which that is looked for.
_PEAK = 5.0

#: Seconds between two looks at the server's memory.
_LOOK = 1.0


@attrs.frozen
class Overload:
    """
    A server with ``offered`` operations a second, of which ``peak`` can be served.

    ``offered`` is what the load really began, and less than it should where the load had
    too little of its own core; latencies are worth nothing then.

    ``busy`` is the part of the time in which it had the core, at the peak and in the
    storm: less than all of it is what something else on the machine took.  ``answered``
    and ``refused`` are per second.  ``refusal`` and ``latency`` are the milliseconds of a
    503 and of what was served.  ``memory`` are the octets of the server, every second.  ``caught_up`` is how many seconds after the last operation
    everybody knew the last state; ``faults`` what was wrong, refusals not counted.
    """

    server: str
    load: str
    seconds: float
    peak: float
    busy: tuple[float, float]
    offered: float
    answered: float
    refused: float
    notifies: float
    latency: dict[str, float]
    refusal: dict[str, float]
    notify: dict[str, float]
    memory: tuple[int, ...]
    caught_up: float
    retransmissions: int
    driver: float
    faults: dict[str, int]

    @property
    def memory_range(self) -> tuple[int, int]:
        """The least and the most memory in the second half."""
        half = self.memory[len(self.memory) // 2 :] or (0,)
        return min(half), max(half)

    @property
    def kept(self) -> float:
        """What part of the peak is still answered, with as much of the core."""
        at_peak, in_storm = self.busy
        return (self.answered / in_storm) / (self.peak / at_peak)


def measure_overload(
    server: Server, bench: Bench, load: str, seconds: float, times: float = 2
) -> Overload:
    """Find out what the server can serve, and offer it ``times`` as much."""
    peak, at_peak = _peak(server, bench, load)
    offered = times * peak
    storm = ["--rate", str(round(offered)), "--duration", str(seconds)]
    with fresh(server, bench.cores.server, Wanted()) as (running, _):
        memory: list[int] = []
        with _looking(running.pids, memory):
            counted, in_storm = _play(
                bench, running, load, *storm, *("--warmup", "0", "--drain", "30")
            )
    elapsed, latency = counted["seconds"], counted["latency"]
    return Overload(
        server.name,
        load,
        seconds,
        peak,
        (at_peak, in_storm),
        (counted["operations"] + counted["failed"]) / elapsed,
        counted["operations"] / elapsed,
        counted["refused"] / elapsed,
        counted["notifies"] / elapsed,
        latency["operation"],
        latency["refused"],
        latency["notify"],
        tuple(memory),
        counted["caught_up"],
        counted["retransmissions_sent"],
        counted["own_cpu"] / elapsed,
        _faults_of(counted),
    )


def _faults_of(counted: Mapping[str, Any]) -> dict[str, int]:
    """Give what went wrong; to be refused is not wrong."""
    return faults_of({**counted, "failed": counted["failed"] - counted["refused"]})


def _peak(server: Server, bench: Bench, load: str) -> tuple[float, float]:
    """Give the most operations a second that are served, and the part of the core."""
    with fresh(server, bench.cores.server, Wanted()) as (running, _):
        wanted = ["--window", str(_WINDOW), "--duration", str(_PEAK), "--warmup", "1"]
        counted, busy = _play(bench, running, load, *wanted)
    return counted["operations"] / counted["seconds"], busy


def _play(
    bench: Bench, running: Running, load: str, *arguments: str
) -> tuple[dict[str, Any], float]:
    used: list[float] = []
    counted = Run(
        bench.driver,
        bench.cores.load,
        lambda word: used.append(sum(map(cpu_of, running.pids))),
    ).play(
        [
            *("--server", f"127.0.0.1:{running.port}"),
            *("--presentities", str(_PRESENTITIES), "--watchers", str(_WATCHERS)),
            *arguments,
            load,
        ]
    )
    return counted, (used[1] - used[0]) / counted["seconds"]


@contextmanager
def _looking(pids: Sequence[int], memory: list[int]) -> Iterator[None]:
    """Look at the memory of processes until what is within has ended."""
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(_LOOK):
            memory.append(sum(map(memory_of, pids)))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


# -- In the report ---------------------------------------------------------------------


def _measure(server: Server, bench: Bench, size: Size) -> list[Overload]:
    return [measure_overload(server, bench, load, size.storm) for load in LOADS]


def _rows(found: Sequence[Overload]) -> Iterator[list[str]]:
    for one in found:
        memory = " – ".join(f"{each / 2**20:.0f}" for each in one.memory_range)
        yield [
            f"{one.load}, {one.seconds:.0f} s",
            *(f"{each:,.0f}" for each in (one.peak, one.offered, one.answered)),
            f"{one.kept:.0%}",
            _percentiles(one.refusal),
            _percentiles(one.latency),
            f"{one.notifies:,.0f}",
            f"{memory} MB",
            f"{one.caught_up:.2f} s",
            counts(one.faults) or "nothing",
        ]


def _percentiles(latency: Mapping[str, float]) -> str:
    return " / ".join(figure(latency.get(name, 0.0)) for name in ("p50", "p99"))


def _promises(found: Sequence[Overload]) -> Iterator[Promise]:
    for one in found:
        row = f"twice as much as can be served, {one.load}"
        yield Promise(row, "share of the most that is not served", 1 - one.kept, 0.2)
        yield Promise(row, "seconds until all is current", one.caught_up, 5.0)
        yield Promise(row, "faults", sum(one.faults.values()), 0)


OVERLOAD = Check(
    "overload",
    "More than can be served",
    (
        "load",
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
    ),
    _measure,
    _rows,
    ("presproxy",),
    note=(
        "A second; one core of the server's.  What is served of what can be is told for as "
        "much of the core, which others may have used, too.  The clock of an operation "
        "begins when it is due.  Memory is the least and the most of the server's in the "
        "second half."
    ),
    promises=_promises,
)
