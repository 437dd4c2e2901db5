"""What becomes of measurements: medians, ratios, and tables."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main, parser
from bench.checks import CHECKS
from bench.markdown import write_markdown
from bench.measure import Measurement
from bench.plot import plot
from bench.processes import cpu_of, memory_of, own_memory, stop, tree
from bench.results import RATIOS, Report, Skipped, summarise
from bench.scenarios import SCENARIOS
from bench.servers import ALL, SERVERS
from presproxy.testing.instance import wait_for

SCENARIO = {scenario.name: scenario for scenario in SCENARIOS}

PUBLISH = SCENARIO["publish-modify"]
FANOUT, BENOTIFY = SCENARIO["fanout-100"], SCENARIO["benotify-100"]

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "performance.rst"

SERVER = {server.name: server for server in SERVERS}

GOOD = {
    "failed": 0,
    "lost": 0,
    "stale": 0,
    "out_of_order": 0,
    "reused_cseq": 0,
    "impossible": 0,
    "unasked": 0,
    "astray": 0,
    "wrong_final": 0,
    "duplicates": 0,
    "without_state": 0,
    "retransmissions_sent": 0,
    "retransmissions_received": 0,
    "operations": 100,
    "notifies": 0,
    "seconds": 2.0,
    "own_cpu": 0.001,
    "latency": {
        "operation": {"count": 100, "p50": 1.0, "p99": 2.0, "max": 3.0},
        "notify": {"count": 0},
    },
}


def result_of(name, *costs, scenario=PUBLISH, **counted):
    runs = [Measurement(cost, cost / 2, {**GOOD, **counted}) for cost in costs]
    return summarise(scenario, SERVER[name], runs)


@pytest.fixture
def make_report():
    def make_report(*results):
        return Report(
            machine={"cores": "2"},
            versions={"presproxy": "1"},
            settings={"runs": 3, "seconds": 1.0},
            servers=SERVERS,
            scenarios=[PUBLISH, FANOUT, BENOTIFY],
            results=list(results),
        )

    return make_report


def test_a_result_is_the_median_of_its_runs():
    result = result_of("presproxy", 30.0, 10.0, 20.0)

    assert (result.cost, result.helped) == (20.0, 10.0)
    assert result.costs == (30.0, 10.0, 20.0)
    assert (result.rate, result.driver) == (50.0, 10.0)
    assert result.latency == {"operation": {"p50": 1.0, "p99": 2.0, "max": 3.0}}


def test_faults_of_all_runs_are_added():
    result = result_of("presproxy", 1.0, 1.0, stale=3, duplicates=1)

    assert result.faults == {"stale": 6}
    assert result.extras == {"duplicates": 2}


def test_each_kind_is_held_against_the_cheapest_of_its_kind(make_report):
    report = make_report(
        result_of("presproxy", 60.0),
        result_of("presproxy-memory", 30.0),
        result_of("kamailio-memory", 40.0),
        result_of("kamailio-tmpfs", 20.0),
        result_of("kamailio-sqlite", 120.0),
    )

    assert report.ratios(PUBLISH.name) == {
        "both durable": 0.5,
        "both in memory": 1.5,
        "durable to in memory": 3.0,
    }


def test_who_loses_things_is_no_measure(make_report):
    report = make_report(
        result_of("presproxy", 60.0),
        result_of("kamailio-sqlite", 10.0, lost=1),
        result_of("kamailio-postgresql", 120.0),
    )

    assert report.ratios(PUBLISH.name) == {"both durable": 0.5}


def kept(report):
    return {(one.row, one.at_most): (one.found, one.holds) for one in report.promises()}


def test_a_row_is_held_against_kamailio_in_memory_and_durable(make_report):
    report = make_report(
        result_of("presproxy", 60.0),
        result_of("presproxy-memory", 20.0),
        result_of("kamailio-memory", 50.0),
        result_of("kamailio-default", 150.0),
        result_of("kamailio-sqlite", 600.0),
    )

    assert kept(report) == {
        (PUBLISH.title, 1.0): (1.2, False),
        (PUBLISH.title, 0.2): (0.1, True),
        ("all rows", 0): (0, True),
    }


def test_benotify_is_held_against_our_own_notify(make_report):
    report = make_report(
        result_of("presproxy", 20.0, scenario=FANOUT),
        result_of("presproxy", 12.0, scenario=BENOTIFY),
    )

    assert kept(report)[BENOTIFY.title, 0.6] == (0.6, True)
    assert report.limit(BENOTIFY) == 12.0


def test_a_row_with_faults_is_held_against_nothing(make_report):
    report = make_report(
        result_of("presproxy", 20.0, scenario=FANOUT),
        result_of("presproxy", 12.0, scenario=BENOTIFY, unasked=1),
    )

    assert kept(report) == {("all rows", 0): (1, False)}


def test_a_fault_or_a_state_told_twice_breaks_a_promise(make_report):
    report = make_report(
        result_of("presproxy", 20.0, stale=1),
        result_of("presproxy", 20.0, scenario=FANOUT, duplicates=2),
        result_of("kamailio-memory", 20.0, lost=4),
    )

    assert kept(report) == {("all rows", 0): (3, False)}


def test_the_most_a_row_may_cost_keeps_all_it_is_held_to(make_report):
    report = make_report(
        result_of("kamailio-memory", 50.0), result_of("kamailio-sqlite", 200.0)
    )

    assert report.limit(PUBLISH) == 40.0
    assert report.limit(FANOUT) is None


def test_the_report_says_which_rows_hold(make_report):
    report = make_report(
        result_of("presproxy", 60.0),
        result_of("kamailio-memory", 50.0),
        result_of("kamailio-sqlite", 600.0),
    )

    text, found = write_markdown(report), report.as_json()["promises"]

    assert "## What is to hold: 2 of 3 do" in text
    assert "durable to in memory | 1.2 | 1 | **no** |" in text
    assert "both durable | 0.1 | 0.2 | yes |" in text
    assert [one["holds"] for one in found] == [False, True, True]


def test_the_table_shows_what_was_measured_and_what_was_not(make_report):
    report = make_report(
        result_of("presproxy", 60.0, 61.0, 62.0),
        result_of("kamailio-sqlite", 1234.0, lost=1),
    )
    report.skipped.append(Skipped("kamailio-memory", "kamailio is not installed"))

    text = write_markdown(report)

    assert "| 61 (60–62) |" in text
    assert "| 1,234 ! |" in text
    assert "- publish-modify, kamailio-sqlite: lost 1" in text
    assert "- kamailio-memory: kamailio is not installed" in text


def test_a_picture_is_drawn_of_what_was_measured(make_report, tmp_path):
    report = make_report(
        result_of("presproxy", 60.0),
        result_of("kamailio-memory", 50.0),
        result_of("responder", 5.0, scenario=FANOUT),
    )

    plot(report, tmp_path / "bench.svg")

    drawn = (tmp_path / "bench.svg").read_text()
    assert f"{PUBLISH.title}: DOES NOT HOLD" in drawn
    assert f"<!-- {FANOUT.title} -->" in drawn


def test_a_tree_is_measured_with_its_children_and_ended_with_them():
    burn = "import time\nwhile time.process_time() < 0.1: pass"
    code = (
        "import subprocess, sys, time\n"
        f"subprocess.run([sys.executable, '-c', {burn!r}])\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'])\n"
        "print(flush=True)\n"
        "time.sleep(99)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    process.stdout.readline()
    family = list(tree(process.pid))

    used, held = cpu_of(process.pid), memory_of(process.pid)
    stop(process, hard=True)

    assert len(family) == 2
    assert used >= 0.05
    assert held > 1 << 20
    assert wait_for(
        lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in family), 10
    )


def test_memory_is_what_no_file_holds_and_what_lies_in_the_swap():
    rollup = (
        "55d8-7ffe ---p 00000000 00:00 0                          [rollup]\n"
        "Rss:              161000 kB\n"
        "Pss:              152000 kB\n"
        "Pss_Anon:         140000 kB\n"
        "Pss_File:          10000 kB\n"
        "Pss_Shmem:          2000 kB\n"
        "SwapPss:             500 kB\n"
    )

    assert own_memory(rollup) == (152000 - 10000 + 500) * 1024
    assert own_memory("") == 0


@pytest.mark.needs("setpriv", "taskset")
def test_a_server_ends_with_whoever_started_it(tmp_path):
    core = min(os.sched_getaffinity(0))
    code = (
        "from pathlib import Path\n"
        "from bench.processes import start\n"
        f"log = Path({str(tmp_path / 'log')!r})\n"
        f"print(start(['sleep', '99'], {core}, log).pid, flush=True)\n"
        "input()\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PAGE.parents[2],
    )
    pid = int(starter.stdout.readline())
    name = Path(f"/proc/{pid}/comm")
    assert wait_for(lambda: name.read_text() == "sleep\n", 10.0)

    starter.kill()
    starter.communicate()

    assert wait_for(lambda: not os.path.exists(f"/proc/{pid}/exe"), 10.0)


@pytest.mark.needs("cc", "make", "setpriv", "taskset")
def test_a_run_measures_presproxy_and_the_responder_and_says_what_it_skips(
    tmp_path, capsys
):
    path = tmp_path / "bench.json"

    status = main(
        [
            *("--quick", "--seconds", "0.2"),
            *("--only", "publish-modify,fanout-4,publish-modify-tcp"),
            *("--peers", "presproxy,responder"),
            *("--json", str(path)),
        ]
    )

    found = json.loads(path.read_text())
    measured = {(one["scenario"], one["server"]): one for one in found["results"]}
    assert status == 0
    assert set(measured) == {
        ("publish-modify", "presproxy"),
        ("publish-modify", "responder"),
        ("fanout-4", "presproxy"),
        ("fanout-4", "responder"),
        ("publish-modify-tcp", "presproxy"),
    }
    assert all(one["cost"] > 0 and not one["faults"] for one in measured.values())
    assert [one["what"] for one in found["skipped"]] == [
        "publish-modify-tcp, responder"
    ]
    assert "## CPU microseconds" in capsys.readouterr().out


@pytest.mark.needs(
    "cc", "make", "setpriv", "taskset", "kamailio", "kamailio/modules/presence.so"
)
def test_a_run_measures_kamailio(tmp_path):
    path = tmp_path / "bench.json"

    main(
        [
            *("--quick", "--seconds", "0.2"),
            *("--only", "fanout-4"),
            *("--peers", "kamailio-memory,kamailio-tmpfs"),
            *("--json", str(path)),
        ]
    )

    found = json.loads(path.read_text())
    assert found["skipped"] == []
    assert [one["faults"] for one in found["results"]] == [{}, {}]


@pytest.mark.parametrize(
    "arguments", [["--only", "dancing"], ["--peers", "nobody"]], ids=["what", "who"]
)
def test_what_is_not_known_is_refused(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)

    assert "there is no" in capsys.readouterr().err


def test_the_page_says_what_the_command_line_takes():
    found = re.findall(r"make bench ARGS=(\S*\"[^\"]*\"|\S+)", PAGE.read_text())

    assert len(found) >= 4
    for arguments in found:
        parser().parse_args(shlex.split(arguments.strip('"')))


def test_the_page_names_every_server_and_every_check():
    text = PAGE.read_text()
    checks = [f"--only {check.name}" for check in CHECKS]

    assert [server.name for server in ALL if server.name not in text] == []
    assert [words for words in checks if words not in text] == []


def test_every_row_and_every_check_can_be_asked_for_by_its_name():
    names = [one.name for one in (*SCENARIOS, *CHECKS)]

    assert len(set(names)) == len(names)
    assert parser().parse_args(["--only", ",".join(names)]).only == names


def test_every_goal_is_a_ratio_or_a_row_of_ours():
    goals = [goal.to for scenario in SCENARIOS for goal in scenario.goals]

    assert [to for to in goals if to not in RATIOS and to not in SCENARIO] == []
    without = [scenario.name for scenario in SCENARIOS if not scenario.goals]
    assert without == ["fanout-4", "mixed"]


def test_checks_are_for_servers_that_there_are():
    names = [server.name for server in ALL]

    assert [
        check.name for check in CHECKS if not set(check.servers) <= set(names)
    ] == []
