"""
``python -m bench.scale``: whether an operation costs the same where there is much.

A server of each size is filled with presentities and their watchers.  Then the operations
of a tour are measured, each spread over all who are there, and the servers take turns
operation by operation, so that what else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import attrs

from bench.__main__ import two_cores
from bench.driver import DriverFailed, build
from bench.measure import Bench, Cores, faults_of, fresh
from bench.processes import memory_of
from bench.servers import SERVERS
from bench.servers.server import Running, Server, Wanted

#: The operations of the driver's tour, in its order, and how often it goes round.
TOUR = (
    "SUBSCRIBE, new, with its NOTIFY",
    "PUBLISH with the NOTIFYs to all watchers",
    "SUBSCRIBE, refresh, with its NOTIFY",
    "PUBLISH, refresh",
)
ROUNDS = 5

#: Transactions over UDP are remembered for 32 s: those that filled the server are
#: forgotten before the tour.
_REST = 35.0


@attrs.frozen
class Size:
    """How many presentities and subscriptions there are."""

    presentities: int
    subscriptions: int

    def __str__(self) -> str:
        return f"{self.presentities:,} and {self.subscriptions:,}"


@attrs.define(eq=False)
class Tour:
    """
    One server and the driver that has filled it.

    ``costs`` are microseconds of CPU of each operation, in the order of the tour and round
    by round; ``memory`` is what the server has when it is filled.
    """

    size: Size
    count: int
    running: Running
    driver: subprocess.Popen[str]
    costs: list[float] = attrs.field(factory=list)
    memory: int = 0
    faults: dict[str, int] = attrs.field(factory=dict)

    def fill(self) -> None:
        """Wait until everybody is there."""
        self._expect("begin")
        self.memory = memory_of(self.running.process.pid)

    def go_on(self) -> None:
        """Measure the next operation."""
        before = _fine_cpu_of(self.running.process.pid)
        self._tell()
        self._expect("end")
        used = _fine_cpu_of(self.running.process.pid) - before
        self.costs.append(used / self.count * 1e6)
        self._tell()
        if len(self.costs) < ROUNDS * len(TOUR):
            self._expect("begin")

    def finish(self) -> None:
        """Hear what went wrong."""
        counted: dict[str, Any] = json.loads(self._line())
        self.faults = faults_of(counted)

    def of(self, number: int) -> list[float]:
        """Give what one operation of the tour cost in each round."""
        return self.costs[number :: len(TOUR)]

    def _expect(self, word: str) -> None:
        line = self._line().strip()
        if line != word:
            raise DriverFailed(f"it said {line!r} instead of {word!r}")

    def _line(self) -> str:
        assert self.driver.stdout is not None
        return self.driver.stdout.readline()

    def _tell(self) -> None:
        assert self.driver.stdin is not None
        self.driver.stdin.write("\n")
        self.driver.stdin.flush()


def _fine_cpu_of(pid: int) -> float:
    """
    Give the seconds of CPU of a process's threads so far, to the nanosecond.

    A phase takes a tenth of a second, of which the ticks of `cpu_of` are a tenth.
    """
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e9


@contextmanager
def touring(server: Server, bench: Bench, size: Size, count: int) -> Iterator[Tour]:
    """Begin to fill a fresh server."""
    with fresh(server, bench.cores.server, Wanted()) as (running, _):
        command = [
            *("taskset", "--cpu-list", str(bench.cores.load), str(bench.driver)),
            *("--server", f"127.0.0.1:{running.port}", "--sync"),
            *("--presentities", str(size.presentities)),
            *("--watchers", str(size.subscriptions)),
            *("--limit", str(count), "tour"),
        ]
        driver = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            yield Tour(size, count, running, driver)
        finally:
            driver.kill()
            driver.communicate()


def measure_tours(
    server: Server,
    bench: Bench,
    sizes: Sequence[Size],
    count: int,
    rest: float = _REST,
) -> list[Tour]:
    """Fill a server of each size, rest, and measure ``count`` of each operation a round."""
    with ExitStack() as stack:
        tours = []
        for size in sizes:
            tour = stack.enter_context(touring(server, bench, size, count))
            tour.fill()
            tours.append(tour)
        time.sleep(rest)
        for _ in range(ROUNDS * len(TOUR)):
            for tour in tours:
                tour.go_on()
        for tour in tours:
            tour.finish()
    return tours


def table(tours: Sequence[Tour]) -> str:
    """
    Write medians as Markdown.

    Behind them stands the ratio of the last to the first, the median of the ratios of the
    rounds: the two of a round were measured one right after the other.
    """
    lines = [
        _row(["µs of CPU", *(str(tour.size) for tour in tours), "ratio"]),
        _row(["---", *("---:" for _ in tours), "---:"]),
    ]
    for number, title in enumerate(TOUR):
        rounds = [tour.of(number) for tour in tours]
        cells = [f"{median(one):.0f} ({min(one):.0f}–{max(one):.0f})" for one in rounds]
        ratios = [
            late / early for early, late in zip(rounds[0], rounds[-1], strict=True)
        ]
        lines.append(_row([title, *cells, f"{median(ratios):.2f}"]))
    memory = [f"{tour.memory / 1e6:.0f}" for tour in tours]
    lines.append(_row(["MB of memory", *memory, ""]))
    faults = [f"{tour.size}: {tour.faults}" for tour in tours if tour.faults]
    return "\n".join([*lines, "", *(faults or ["nothing went wrong"]), ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _sizes(text: str) -> list[Size]:
    pairs = (one.split(":") for one in text.split(","))
    return [Size(int(presentities), int(watchers)) for presentities, watchers in pairs]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser("python -m bench.scale", description=__doc__)
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default=[Size(1_000, 5_000), Size(100_000, 500_000)],
        metavar="PRESENTITIES:SUBSCRIPTIONS,…",
        help="the smallest first [1000:5000,100000:500000]",
    )
    parser.add_argument(
        "--count", type=int, default=800, help="operations measured at a time [800]"
    )
    parser.add_argument("--server", default="presproxy", help="[presproxy]")
    asked = parser.parse_args(arguments)
    server = next(one for one in SERVERS if one.name == asked.server)
    bench = Bench(build(), Cores(*two_cores()), 0.0, 0.0)
    print(table(measure_tours(server, bench, asked.sizes, asked.count)), end="")


if __name__ == "__main__":
    # So that servers are ended by a kill of ours as well as by an interrupt.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    main()
