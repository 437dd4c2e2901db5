"""Rows of which the users are at a server behind: Kamailio, beside the load."""

from __future__ import annotations

import attrs
import pytest

from bench.__main__ import two_cores
from bench.driver import build
from bench.measure import Bench, Cores, faults_of, measure
from bench.scenarios import SCENARIOS, population
from bench.servers import SERVERS
from bench.tables import total_of

pytestmark = pytest.mark.needs("cc", "make", "taskset", "setpriv", "kamailio")

SCENARIO = {scenario.name: scenario for scenario in SCENARIOS}
SERVER = {server.name: server for server in SERVERS}

#: Who is there in a run as short as these.
FEW = population(2, 20, 2)


@pytest.fixture
def bench():
    return Bench(build(), Cores(*two_cores()), seconds=0.3, warmup=0.1)


@pytest.mark.parametrize("server", ["presproxy-memory", "kamailio-memory"])
@pytest.mark.parametrize("name", ["call", "call-behind", "call-tcp", "call-behind-tcp"])
def test_calls_go_through(bench, name, server):
    row = attrs.evolve(SCENARIO[name], arguments=FEW)
    counted = measure(row, SERVER[server], bench).counted

    assert counted["operations"] > 0
    assert faults_of(counted) == {}


@pytest.mark.parametrize("shared", [2, 5], ids=["as many as it takes", "others"])
def test_watchers_share_what_is_told_behind(bench, shared):
    row = attrs.evolve(SCENARIO["fanout-1000-behind"], arguments=FEW, shared=shared)
    counted = measure(row, SERVER["presproxy-memory"], bench).counted

    assert counted["notifies"] > 0
    assert faults_of(counted) == ({} if shared == 2 else {"unshared": 3})


def test_samples_of_one_name_are_added_up():
    told = 'presproxy_a{b="c"} 2\npresproxy_a{b="d"} 3\npresproxy_ab 7\n'

    assert total_of(told, "a") == 5
