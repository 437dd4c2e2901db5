"""Whether an operation costs the same where there is much, and how that is told."""

from __future__ import annotations

from typing import Any

import pytest

from bench.__main__ import two_cores
from bench.driver import build
from bench.measure import Bench, Cores
from bench.scale import ROUNDS, TOUR, Size, Tour, measure_tours, table
from bench.servers import SERVERS

SMALL, LARGE = Size(1000, 5000), Size(100_000, 500_000)


def toured(size: Size, *rounds: list[float], **found: Any) -> Tour:
    """A tour that is over."""
    tour = Tour(size, 1, None, None, **found)
    for costs in rounds:
        tour.costs += costs
    return tour


def test_the_last_is_compared_with_the_first_round_by_round():
    small = toured(
        SMALL, [100.0, 9, 9, 9], [120.0, 9, 9, 9], [200.0, 9, 9, 9], memory=61_000_000
    )
    large = toured(
        LARGE,
        [110.0, 9, 9, 9],
        [144.0, 9, 9, 9],
        [250.0, 9, 9, 9],
        memory=1_300_000_000,
        faults={"lost": 2},
    )

    lines = table([small, large]).splitlines()

    assert lines[0] == "| µs of CPU | 1,000 and 5,000 | 100,000 and 500,000 | ratio |"
    assert lines[2] == f"| {TOUR[0]} | 120 (100–200) | 144 (110–250) | 1.20 |"
    assert lines[6] == "| MB of memory | 61 | 1300 |  |"
    assert lines[-1] == "100,000 and 500,000: {'lost': 2}"


@pytest.mark.needs("cc", "make")
def test_two_real_servers_take_turns():
    (server,) = (one for one in SERVERS if one.name == "presproxy")
    bench = Bench(build(), Cores(*two_cores()), 0.0, 0.0)

    tours = measure_tours(server, bench, [Size(2, 20), Size(4, 40)], 4, rest=0.0)

    for tour in tours:
        assert len(tour.costs) == ROUNDS * len(TOUR)
        assert tour.memory > 10_000_000
        assert tour.faults == {}
