"""
A soak: hours at half of saturation with users who come and go, and what is left of them.

The load is the driver's ``lives`` by UDP, and visitors by TCP beside it.  All intervals
are a minute, so that in an hour everything ends and begins anew some sixty times.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from bench.driver import Run
from bench.flat import Course, courses_of
from bench.measure import Bench, faults_of, fresh
from bench.servers.server import Running, Server, Wanted, free_port
from bench.tables import HANDLES, Looker, Sample
from bench.visits import Visits

#: The interval asked for everywhere, in seconds: the shortest that is granted.
EXPIRES = 60

#: Seconds until everybody has come.
_ARRIVAL = 75.0

#: Seconds for which the rate at saturation is measured, once everybody has come.
_SATURATED, _WARM = 10.0, 6.0

#: Shares of saturation.
_HALF = 0.5

#: Of the operations, those by publishers and by watchers.
_PUBLISHING = _WATCHING = 0.3

#: Seconds until it is somebody's turn again: well below what he asked for.
_PUBLISHERS_TURN, _WATCHERS_TURN = 8.0, 16.0

#: Seconds that everything may take to be forgotten, after the last interval and the 32 s
#: of RFC 3261's timers; and that records may: they are swept every five minutes.
_FORGOTTEN, _SWEPT = 60.0, 480.0

#: What the driver counts that must be zero here, beside `FAULTS`.
_MORE_FAULTS = ("ended", "unknown_notifies", "unreadable")


@attrs.frozen
class Soak:
    """
    What a soak showed.

    ``left`` is what was not forgotten after all had left, by name; ``after`` how many
    seconds it took to find nothing left in memory, and in the database, if nothing was.
    """

    server: str
    seconds: float
    #: Operations a second, at saturation and of the soak.
    saturation: float | None
    rate: float
    samples: list[Sample]
    #: Seconds on the samples' clock: measured from, and until.
    span: tuple[float, float]
    courses: list[Course]
    visits: dict[str, int]
    counted: dict[str, Any]
    faults: dict[str, int]
    left: dict[str, float]
    after: dict[str, float]

    @property
    def is_good(self) -> bool:
        """Whether nothing grew, nothing was wrong and nothing is left."""
        return not (self.faults or self.left) and all(
            course.is_flat for course in self.courses
        )


def soak(server: Server, bench: Bench, seconds: float, rate: float | None) -> Soak:
    """Run it; without a ``rate``, at half of what the server can do in the same mix."""
    saturation = None
    if rate is None:
        saturation = _saturation(server, bench)
        rate = saturation * _HALF
    http = free_port()
    wanted = Wanted(also_tcp=True, http=http)
    with fresh(server, bench.cores.server, wanted) as (running, folder):
        looker = Looker(running.process.pid, http, folder / "presproxy.db")
        visits = Visits(running.port, bench.cores.load)
        samples: list[Sample] = []
        first = looker.look()
        marks: list[float] = []

        def between(word: str) -> None:
            marks.append(time.monotonic() - looker.began)
            if word == "end":
                visits.stop()

        with _sampled(looker, samples, seconds):
            visits.start()
            counted = Run(bench.driver, bench.cores.load, between).play(
                _lives(running, rate, seconds, linger=EXPIRES + 10.0)
            )
        left, after = _wait_until_empty(looker, first, samples)
    faults = {
        **faults_of(counted),
        **{name: counted[name] for name in _MORE_FAULTS if counted[name]},
    }
    for how in ("refused", "unanswered"):
        if visits.counted[how]:
            faults[f"visitors_{how}"] = visits.counted[how]
    return Soak(
        server.name,
        seconds,
        saturation,
        rate,
        samples,
        (marks[0], marks[1]),
        courses_of(samples, marks[0], marks[1]),
        dict(visits.counted),
        counted,
        faults,
        left,
        after,
    )


def _saturation(server: Server, bench: Bench) -> float:
    """Give the operations a second of the same lives, as many as the server can do."""
    with fresh(server, bench.cores.server, Wanted()) as (running, _):
        counted = Run(bench.driver, bench.cores.load, lambda word: None).play(
            [
                *("--server", f"127.0.0.1:{running.port}", "--expires", str(EXPIRES)),
                *("--presentities", "3000", "--watchers", "6000"),
                *("--warmup", str(_WARM), "--duration", str(_SATURATED)),
                "lives",
            ]
        )
    return float(counted["operations"] / counted["seconds"])


def _lives(
    running: Running, rate: float, seconds: float, *, linger: float
) -> list[str]:
    publishers = max(1, round(rate * _PUBLISHING * _PUBLISHERS_TURN))
    watchers = max(1, round(rate * _WATCHING * _WATCHERS_TURN))
    return [
        *("--server", f"127.0.0.1:{running.port}", "--expires", str(EXPIRES)),
        *("--presentities", str(publishers), "--watchers", str(watchers)),
        *("--ways", "8", "--rate", str(rate)),
        *("--warmup", str(_ARRIVAL), "--duration", str(seconds)),
        *("--linger", str(linger)),
        "lives",
    ]


@contextmanager
def _sampled(looker: Looker, samples: list[Sample], seconds: float) -> Iterator[None]:
    """Take samples in a thread, about 360 in all and at most one a second."""
    pause = max(1.0, min(10.0, seconds / 360))
    ended = threading.Event()

    def look() -> None:
        samples.append(looker.look())
        while not ended.wait(pause):
            samples.append(looker.look())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _wait_until_empty(
    looker: Looker, first: Sample, samples: list[Sample]
) -> tuple[dict[str, float], dict[str, float]]:
    """Look until nothing is left, or for as long as that may take."""
    began = time.monotonic()
    after: dict[str, float] = {}
    while True:
        sample = looker.look()
        samples.append(sample)
        left = sample.left | _handles_above(sample, first)
        waited = time.monotonic() - began
        in_memory = {name: count for name, count in left.items() if name != "records"}
        if not in_memory:
            after.setdefault("memory", waited)
        elif waited > _FORGOTTEN:
            return left, after
        if not left:
            after["records"] = waited
        if not left or waited > _SWEPT:
            return left, after
        time.sleep(1.0)


def _handles_above(sample: Sample, first: Sample) -> dict[str, float]:
    """Give what the process holds of the system more than at its start."""
    above = {name: getattr(sample, name) - getattr(first, name) for name in HANDLES}
    return {name: float(count) for name, count in above.items() if count > 0}
