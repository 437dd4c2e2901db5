"""What becomes of a storm that was measured."""

from __future__ import annotations

import json

import attrs
import pytest

from bench.markdown import write_markdown
from bench.overload import OVERLOAD, Overload
from bench.results import Report

STORM = Overload(
    server="presproxy",
    load="mixed",
    seconds=120.0,
    peak=5000.0,
    busy=(1.0, 0.9),
    offered=10_000.0,
    answered=4500.0,
    refused=5500.0,
    notifies=4000.0,
    latency={"count": 540_000, "p50": 40.0, "p99": 250.0, "max": 260.0},
    refusal={"count": 660_000, "p50": 210.0, "p99": 240.0, "max": 250.0},
    notify={"count": 480_000, "p50": 230.0, "p99": 260.0, "max": 270.0},
    memory=(10 << 20, 20 << 20, 40 << 20, 30 << 20),
    caught_up=0.25,
    retransmissions=0,
    driver=0.9,
    faults={},
)


@pytest.fixture
def report():
    return Report(
        machine={},
        versions={},
        settings={},
        servers=[],
        scenarios=[],
        checked={OVERLOAD: {"presproxy": [STORM]}},
    )


def test_it_has_a_row_of_its_own(report):
    text = write_markdown(report)

    assert (
        "| presproxy | mixed, 120 s | 5,000 | 10,000 | 4,500 | 100% | 210 / 240 |"
        in text
    )
    assert "| 30 – 40 MB | 0.25 s | nothing |" in text


def test_what_went_wrong_is_named(report):
    report.checked[OVERLOAD]["presproxy"] = [attrs.evolve(STORM, faults={"stale": 3})]

    assert "| stale 3 |" in write_markdown(report)


def test_all_of_it_is_in_the_json(report):
    checks = json.loads(json.dumps(report.as_json()))["checks"]
    (found,) = checks["overload"]["presproxy"]

    assert found["answered"] == 4500.0
    assert found["memory"] == [10 << 20, 20 << 20, 40 << 20, 30 << 20]


def test_what_is_served_and_when_all_is_current_is_held(report):
    report.checked[OVERLOAD]["presproxy"] = [
        STORM,
        attrs.evolve(STORM, answered=3000.0, caught_up=6.0),
    ]

    assert [one.holds for one in report.promises()] == [True] * 3 + [False, False, True]
