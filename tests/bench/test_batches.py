"""What a contact costs in a batch is measured against one watched by himself."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.__main__ import two_cores
from bench.batches import AT_MOST, BATCHES, Batches, Roster, measure_batches
from bench.measure import Bench, Cores
from bench.servers import SERVERS

ROSTER = Roster(contacts=30, watchers=2)


@pytest.mark.needs("setpriv", "taskset")
def test_all_are_watched_and_told_in_both_ways():
    bench = Bench(Path(), Cores(*two_cores()), 0.0, 0.0)

    found = measure_batches(SERVERS[0], bench, ROSTER)

    assert found.roster == ROSTER
    assert found.single > 0


@pytest.mark.parametrize(
    ("batched", "held"), [(AT_MOST * 100, True), (AT_MOST * 100 + 1, False)]
)
def test_a_contact_in_a_batch_is_to_cost_a_quarter(batched, held):
    found = Batches(ROSTER, batched, 100.0, 10.0, 20.0)

    (promise,) = BATCHES.promises(found)

    assert promise.holds is held


def test_the_table_has_a_row_for_each_of_both():
    rows = BATCHES.rows(Batches(ROSTER, 20.0, 100.0, 10.0, 20.0))

    assert [row[-1] for row in rows] == ["0.20", "0.50"]
