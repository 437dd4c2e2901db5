"""What a soak looks at: what grows, what is left, and who comes by TCP."""

from __future__ import annotations

import attrs
import pytest

from bench.flat import Course, courses_of
from bench.measure import fresh
from bench.servers import SERVERS
from bench.servers.server import Wanted, free_port
from bench.soak import Soak
from bench.soak_report import plot_soak, soak_as_json, write_soak
from bench.tables import TABLES, Looker, Sample, tables_of
from bench.visits import Visits
from presproxy.testing.instance import wait_for

EMPTY = dict.fromkeys(TABLES, 0.0)


def sample(at, **values):
    found = {"memory": 100 << 20, "stored": 0, "records": 0, "files": 9, "threads": 2}
    tables = {name: values.pop(name) for name in list(values) if name in TABLES}
    return Sample(at=at, tables={**EMPTY, **tables}, **{**found, **values})


def growing(courses):
    return [course.name for course in courses if not course.is_flat]


def test_what_settles_in_the_first_quarter_is_flat():
    samples = [sample(at, subscriptions=min(at * 40.0, 1000)) for at in range(101)]

    courses = courses_of(samples, 0, 100)

    assert growing(courses) == []
    assert [one.mean for one in courses if one.name == "subscriptions"] == [1000]


@pytest.mark.parametrize(
    ("name", "at_first", "each_second"),
    [
        ("memory", 100 << 20, 100_000),
        ("subscriptions", 1000.0, 1.0),
        ("files", 9, 1),
        ("answers_remembered_octets", 0.0, 20_000.0),
    ],
)
def test_what_rises_by_more_than_chance_is_seen(name, at_first, each_second):
    samples = [sample(at, **{name: at_first + at * each_second}) for at in range(101)]

    assert growing(courses_of(samples, 0, 100)) == [name]


def test_what_is_swept_now_and_then_is_not_judged_by_a_short_soak():
    samples = [sample(at, records=at * 1000) for at in range(101)]

    assert growing(courses_of(samples, 0, 100)) == []
    assert growing(
        courses_of([attrs.evolve(one, at=one.at * 20) for one in samples], 0, 2000)
    ) == ["records"]


def test_tables_are_read_and_those_of_one_name_added():
    text = (
        "# HELP presproxy_expiries What is to end.\n"
        'presproxy_expiries{kind="publication"} 3.0\n'
        'presproxy_expiries{kind="subscription"} 4.0\n'
        "presproxy_subscriptions 1e+03\n"
        "presproxy_notify_sent_total 7.0\n"
    )

    assert tables_of(text) == {**EMPTY, "expiries": 7.0, "subscriptions": 1000.0}


@pytest.mark.needs("setpriv", "taskset")
def test_visitors_come_and_go_and_are_seen_while_they_are_there():
    http = free_port()
    with fresh(SERVERS[0], 0, Wanted(also_tcp=True, http=http)) as (running, folder):
        looker = Looker(running.process.pid, http, folder / "presproxy.db")
        visits = Visits(running.port, core=0, rate=100.0)

        visits.start()
        came = wait_for(lambda: sum(visits.counted.values()) >= 70, 60.0)
        during = looker.look()
        visits.stop()

        assert came
        assert visits.counted["unanswered"] == 0
        assert min(visits.counted[name] for name in ("fetched", "pinged")) >= 10
        assert during.tables["subscriptions"] > 0
        assert during.records > 0
        assert during.tables["connections_open"] > 0
        assert wait_for(lambda: not looker.look().tables["connections_open"], 30.0)


@pytest.fixture
def soaked():
    samples = [sample(float(at), subscriptions=1000.0) for at in range(101)]
    return Soak(
        server="presproxy",
        seconds=100.0,
        saturation=1000.0,
        rate=500.0,
        samples=samples,
        span=(10.0, 90.0),
        courses=courses_of(samples, 10.0, 90.0),
        visits={"fetched": 7},
        counted={
            "operations": 50_000,
            "notifies": 1,
            "latency": {"operation": {"count": 1, "p50": 1.0, "p99": 2.0}},
        },
        faults={},
        left={},
        after={"memory": 3.0},
    )


def test_the_first_line_says_that_all_was_well(soaked):
    text = write_soak(soaked, {"cores": "2"})

    assert soaked.is_good
    assert text.splitlines()[0] == (
        "soak of presproxy: flat; nothing wrong; nothing left behind"
    )


def test_the_first_line_says_what_was_not(soaked):
    bad = attrs.evolve(
        soaked,
        courses=[Course("memory", 100.0, 50.0, 3.0)],
        faults={"stale": 1},
        left={"subscriptions": 2.0},
    )

    assert not bad.is_good
    assert write_soak(bad, {}).splitlines()[0] == (
        "soak of presproxy: grew: memory; stale 1; subscriptions 2"
    )


def test_a_soak_is_kept_as_values_and_drawn(soaked, tmp_path):
    plot_soak(soaked, tmp_path / "soak.svg")

    assert "answers remembered" in (tmp_path / "soak.svg").read_text()
    assert soak_as_json(soaked, {"cores": "2"})["samples"][5]["at"] == 5.0
