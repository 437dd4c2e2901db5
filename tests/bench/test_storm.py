"""A storm for people: what the bad watchers do, and what is told of it all."""

from __future__ import annotations

import tomllib

import attrs
import pytest

from bench.bystanders import Asking, BadWatcher, quantile
from bench.measure import fresh
from bench.servers import SERVERS
from bench.servers.server import Wanted
from bench.storm import ACTS, Storm, write_storms
from presproxy.testing.instance import wait_for
from presproxy.testing.peer import Peer
from presproxy.testing.wire import pidf

P0 = "sip:p0@bench.test"


@pytest.fixture(scope="module")
def port():
    with fresh(SERVERS[0], 0, Wanted(also_tcp=True)) as (running, _):
        yield running.port


@pytest.mark.parametrize("by", ["udp", "tcp"])
@pytest.mark.parametrize("fields", ["", "Supported: ms-benotify"])
def test_a_bad_watcher_subscribes_and_does_no_more(port, by, fields):
    bad = BadWatcher(port, f"bad{by}{len(fields)}", by, True, fields)
    good = Peer(("127.0.0.1", port), "good@bench.test", "udp")
    bob = Peer(("127.0.0.1", port), "p0@bench.test", "udp")
    bad.subscribe(3)
    watching = good.subscribe(P0)

    bob.publish(pidf(P0, f"storm {by} {fields}"))
    watching.notified(f"storm {by} {fields}")
    bad.go()

    good.close()
    bob.close()


def test_a_server_that_is_to_be_patient_is_told_so(tmp_path):
    patient = SERVERS[0]._options(tmp_path, 5060, Wanted(late=60.0))
    usual = SERVERS[0]._options(tmp_path, 5060, Wanted())

    file = tmp_path / "presproxy.toml"
    assert patient == [*usual, "--config", str(file)]
    assert tomllib.loads(file.read_text())["limits"]["late"] == 60.0


def test_who_asks_is_answered_and_his_wait_is_known(port):
    asking = Asking(port, 0)
    asking.start()
    enough = wait_for(lambda: len(asking.waits) >= 10, 10.0)
    asking.stop()

    assert enough
    assert (asking.refused, asking.unanswered) == (0, 0)
    assert 0 < quantile(asking.waits, 0.5) <= quantile(asking.waits, 1.0) < 10


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.5, 3), (0.99, 5), (1.0, 5)], ids=str
)
def test_a_quantile_is_one_of_the_values(share, value):
    assert quantile([5, 1, 4, 2, 3], share) == value
    assert quantile([], share) == 0


STORM = Storm(
    act=ACTS[1],
    presentities=1000,
    watchers=100,
    seconds=5.5,
    cpu=2.25,
    notifies=97_000,
    told=[2751.0, 5369.0, 5478.0],
    asked=[12.0, 89.0, 270.0],
    asked_count=161,
    memory=[300 << 20, 310 << 20],
    subscriptions=[100_000, 98_000],
    faults={},
)


def test_the_table_tells_all_and_what_went_wrong():
    wrong = attrs.evolve(STORM, faults={"lost": 3})

    *_, good, bad = write_storms([STORM, wrong]).splitlines()

    assert good == (
        "| bad: 1000 × 100 × 1 | 97,000 | 5.5 | 2.2 | 2751 / 5369 / 5478 "
        "| 12 / 89 / 270 of 161 | 300 → 310 | 100,000 → 98,000 | nothing |"
    )
    assert bad.endswith("| lost 3 |")
