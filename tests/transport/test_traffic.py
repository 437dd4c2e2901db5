from __future__ import annotations

import pytest
from twisted.logger import capturedLogs

from presproxy.metrics import Metrics
from presproxy.sip.flow import Flow
from presproxy.trace import Tap
from presproxy.transport.traffic import Traffic

FLOW = Flow(("192.0.2.9", 5060), ("192.0.2.1", 5060), "192.0.2.9:5060")


def fail(*anything):
    raise RuntimeError("a bug")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def metrics():
    return Metrics()


def failures(metrics):
    return metrics.counter("deliveries_failed", "", transport="udp").value


@pytest.mark.parametrize(
    "happen",
    [
        lambda traffic: traffic.take(b"a message", FLOW),
        lambda traffic: traffic.end(FLOW),
    ],
    ids=["a message", "the end of a flow"],
)
def test_failures_are_counted_and_few_are_logged(happen, clock, metrics):
    traffic = Traffic("udp", fail, fail, tap=Tap(), metrics=metrics, now=clock)

    with capturedLogs() as logged:
        for clock.now in (0.0, 1.0, 59.0, 60.0):
            happen(traffic)

    assert failures(metrics) == 4
    assert [event["unlogged"] for event in logged] == [0, 2]
    assert all(event["log_failure"].type is RuntimeError for event in logged)


def test_who_fails_to_look_does_not_stop_a_message(clock, metrics):
    tap = Tap()
    tap.listen(fail)
    traffic = Traffic("udp", fail, tap=tap, metrics=metrics, now=clock)

    with capturedLogs():
        traffic.gave(b"a message", FLOW)

    assert failures(metrics) == 1


def test_a_message_is_handed_on_although_who_looks_fails(clock, metrics):
    taken = []
    tap = Tap()
    tap.listen(fail)
    traffic = Traffic(
        "udp",
        lambda data, flow: taken.append((data, flow)),
        tap=tap,
        metrics=metrics,
        now=clock,
    )

    with capturedLogs():
        traffic.take(b"a message", FLOW)

    assert taken == [(b"a message", FLOW)]
