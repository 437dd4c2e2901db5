"""How long a change takes is measured at half of what a server can do."""

from __future__ import annotations

import pytest

from bench.__main__ import two_cores
from bench.driver import build
from bench.faulty import Server
from bench.latency import LATENCY, Audience, Latency, measure_latency
from bench.measure import Bench, Cores
from bench.servers.responder import Responder

pytestmark = pytest.mark.needs("cc", "make", "setpriv", "taskset")

AUDIENCE = Audience(watchers=5, presentities=20, window=2, ways=2, at_most=20.0)


@pytest.fixture
def bench():
    return Bench(build(), Cores(*two_cores()), 0.2, 0.0)


def test_changes_come_at_half_of_saturation(bench):
    found = measure_latency(Responder(), bench, AUDIENCE)

    assert found.rate == found.saturation / 2
    assert found.changes == max(300, round(0.2 * found.rate))
    assert 0 < found.p50 <= found.p99 <= found.longest
    assert found.faults == {}


def test_a_change_counts_from_the_moment_it_was_due(play):
    counted = play(Server(), "fanout", "-p", "1", "-w", "3", "--rate", "1000000")

    assert counted["operations"] == 20
    assert counted["latency"]["operation"]["max"] > counted["seconds"] * 900


@pytest.mark.parametrize(
    ("p99", "faults", "held"),
    [
        (19.0, {}, [True, True]),
        (21.0, {}, [False, True]),
        (19.0, {"lost": 1}, [True, False]),
    ],
    ids=["in time", "late", "not all"],
)
def test_most_changes_are_to_be_in_time_and_all_are_to_come(p99, faults, held):
    found = Latency(10, 200.0, 100.0, 300, 5.0, p99, 30.0, 20.0, faults)

    promises = LATENCY.promises([found])

    assert [promise.holds for promise in promises] == held
