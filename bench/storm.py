"""
A storm: many presentities change at once, each watched by many, some of whom do badly.

One watcher is silent: he answers no NOTIFY, by UDP.  Two are deaf: their connections are
open and they read nothing, one told by NOTIFY and one by BENOTIFY.  The first two are gone
when nobody answered in time.  The last may stay until he expires: nobody waits for what he
says.  Meanwhile others ask.

``python -m bench.storm`` runs the acts and says what the others noticed.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from bench.bystanders import Asking, BadWatcher, quantile, sampled
from bench.driver import Run, build
from bench.machine import describe_machine
from bench.measure import Bench, Cores, faults_of, fresh
from bench.processes import cpu_of, resident
from bench.servers import SERVERS
from bench.servers.server import Running, Server, Wanted, free_port
from bench.tables import Looker

#: Watchers of each presentity who do badly.
BAD = 3

#: Seconds in which a watcher who does not answer is gone: 32 of timer F, and for one who
#: was told just then 32 more; and those the storm itself may take.
_GONE, _LONGEST = 90.0, 600.0


@attrs.frozen
class Act:
    """
    One storm.  All ``presentities`` change ``times`` at once, each watched by ``watchers``.

    With ``is_bad`` there are the `BAD` ones among these.
    """

    name: str
    load: str
    times: int
    is_bad: bool


#: Each has its own server.
ACTS = (
    Act("calm", "fanout", 1, is_bad=False),
    Act("bad", "fanout", 1, is_bad=True),
    Act("again", "changes", 3, is_bad=True),
)


@attrs.frozen
class Storm:
    """
    What an act came to.

    ``seconds`` is until all PUBLISHes, or rounds of NOTIFYs, were answered; ``notifies``
    that told something new came until all were current.

    Latencies are in milliseconds, [half, 99 of 100, the longest]: ``told`` from a PUBLISH
    to its NOTIFYs, ``asked`` of those who asked meanwhile.  ``memory`` is in octets:
    [before, at the most].  ``subscriptions`` were there before and at the end: those of
    bad watchers are gone.
    """

    act: Act
    presentities: int
    watchers: int
    seconds: float
    cpu: float
    notifies: int
    told: list[float]
    asked: list[float]
    asked_count: int
    memory: list[int]
    subscriptions: list[int]
    faults: dict[str, int]


def measure_storm(
    server: Server,
    bench: Bench,
    act: Act,
    presentities: int,
    watchers: int,
    late: float = 0.0,
) -> Storm:
    """
    Let one storm blow over a fresh server.

    ``late`` is how many seconds a PUBLISH may have to wait before it is refused, 0 for
    what the server says by itself: a refused one makes no storm.
    """
    wanted = Wanted(also_tcp=True, http=free_port(), late=late)
    with fresh(server, bench.cores.server, wanted) as (running, folder):
        looker = Looker(running.process.pid, wanted.http, folder / "presproxy.db")
        asking = Asking(running.port, bench.cores.load)
        pid = running.process.pid
        cpu: list[float] = []
        memory: list[int] = []
        count = [0, 0]
        with _crowd(running, act, presentities) as bad:

            def between(word: str) -> None:
                if word == "end":
                    return
                for each in bad:
                    each.subscribe(presentities)
                count[0] = int(looker.look().tables["subscriptions"])
                cpu.append(cpu_of(pid))
                memory.append(resident(pid))
                asking.start()

            seen, end = sampled(lambda: resident(pid), 0.1)
            good = watchers - (BAD if act.is_bad else 0)
            counted = Run(bench.driver, bench.cores.load, between).play(
                _load(running, act, presentities, presentities * good)
            )
            asking.stop()
            end()
            cpu.append(cpu_of(pid))
            may_stay = presentities * (good + act.is_bad)
            count[1] = _left(looker, may_stay)
    faults = faults_of(counted)
    if asking.unanswered or asking.refused:
        faults["not_answered"] = asking.unanswered + asking.refused
    if count[1] > may_stay:
        faults["not_ended"] = count[1] - may_stay
    told = counted["latency"]["notify"]
    return Storm(
        act,
        presentities,
        watchers,
        counted["seconds"],
        cpu[1] - cpu[0],
        told["count"],
        [told.get(name, 0.0) for name in ("p50", "p99", "max")],
        [1e3 * quantile(asking.waits, share) for share in (0.5, 0.99, 1.0)],
        len(asking.waits),
        [memory[0], max(seen)],
        count,
        faults,
    )


@contextmanager
def _crowd(
    running: Running, act: Act, presentities: int
) -> Iterator[Sequence[BadWatcher]]:
    """Give the watchers who do badly, not yet subscribed."""
    kinds = (
        ("silent", "udp", False, ""),
        ("deaf", "tcp", True, ""),
        ("deafer", "tcp", True, "Supported: ms-benotify"),
    )
    crowd = [BadWatcher(running.port, *kind) for kind in kinds] if act.is_bad else []
    try:
        yield crowd
    finally:
        for each in crowd:
            each.go()


def _load(running: Running, act: Act, presentities: int, watchers: int) -> list[str]:
    return [
        *("--server", f"127.0.0.1:{running.port}"),
        *("--presentities", str(presentities), "--watchers", str(watchers)),
        *("--window", str(presentities), "--limit", str(act.times * presentities)),
        *("--warmup", "0", "--duration", str(_LONGEST)),
        *("--timeout", str(_LONGEST), "--drain", str(_LONGEST)),
        act.load,
    ]


def _left(looker: Looker, expected: int) -> int:
    """Give how many subscriptions are left once the bad ones should be gone."""
    end = time.monotonic() + _GONE
    while True:
        left = int(looker.look().tables["subscriptions"])
        if left <= expected or time.monotonic() > end:
            return left
        time.sleep(1.0)


def write_storms(storms: Sequence[Storm]) -> str:
    """Give a table in Markdown."""
    lines = [
        "| storm | NOTIFYs | s | CPU s | PUBLISH to NOTIFY, ms "
        "| others' answers, ms | memory, MB | subscriptions | wrong |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for one in storms:
        memory = " → ".join(f"{octets / 2**20:.0f}" for octets in one.memory)
        wrong = ", ".join(f"{name} {n}" for name, n in one.faults.items())
        cells = (
            f"{one.act.name}: {one.presentities} × {one.watchers} × {one.act.times}",
            f"{one.notifies:,}",
            f"{one.seconds:.1f}",
            f"{one.cpu:.1f}",
            _three(one.told),
            f"{_three(one.asked)} of {one.asked_count}",
            memory,
            " → ".join(f"{each:,}" for each in one.subscriptions),
            wrong or "nothing",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _three(values: Sequence[float]) -> str:
    return " / ".join(f"{each:.0f}" for each in values)


def main() -> int:
    """Run the acts that are asked for; the status is 1 when something went wrong."""
    parser = argparse.ArgumentParser("python -m bench.storm", description=__doc__)
    add = parser.add_argument
    names = [act.name for act in ACTS]
    add("--presentities", type=int, default=1000)
    add("--watchers", type=int, default=100, help="of each [100]")
    add("--acts", default=",".join(names), help=", ".join(names))
    add("--late", type=float, default=0.0, help="seconds that nobody is refused for")
    add("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    bench = Bench(build(), Cores(0, 1), 0.0, 0.0)
    storms = []
    for act in ACTS:
        if act.name in asked.acts.split(","):
            print(f"storm: {act.name}", file=sys.stderr, flush=True)
            storms.append(
                measure_storm(
                    SERVERS[0],
                    bench,
                    act,
                    asked.presentities,
                    asked.watchers,
                    asked.late,
                )
            )
    print(write_storms(storms), end="")
    if asked.json:
        found: dict[str, Any] = {
            "machine": describe_machine(),
            "storms": [attrs.asdict(one) for one in storms],
        }
        asked.json.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if any(one.faults for one in storms) else 0


if __name__ == "__main__":
    # So that servers are ended by a kill of ours as well as by an interrupt.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
