"""The driver sees what a server has lost that was killed."""

from __future__ import annotations

import json
import os

import pytest

from bench.__main__ import main
from bench.driver import Run
from bench.faulty import Server
from bench.measure import faults_of

pytestmark = pytest.mark.needs("cc", "make", "taskset")


class Mortal(Server):
    """Dies of a request, some after it is told to: that one is done, and not answered."""

    def __init__(self):
        super().__init__()
        self.left = None
        self.before = []

    def revive(self):
        self.left = None

    def forget_a_change(self):
        """Forget the last one that was answered."""
        presentity, state = next(
            (presentity, state) for presentity, state, left in self.before[::-1] if left
        )
        self._states[presentity] = state

    def forget_a_subscription(self):
        subscribers = next(iter(self._subscribers.values()))
        del subscribers[next(iter(subscribers))]

    def _receive(self, data, way):
        if self.left == 0:
            return
        if self.left is not None and not data.startswith(b"SIP/2.0"):
            self.left -= 1
        super()._receive(data, way)

    def _publish(self, request, body, way):
        presentity = request["uri"]
        is_answered = self.left != 0
        self.before.append((presentity, self._states.get(presentity, ""), is_answered))
        super()._publish(request, body, way)

    def _send(self, lines, body, way):
        if self.left != 0:
            super()._send(lines, body, way)


@pytest.fixture
def play(driver):
    """Kill a server of ten requests, let it be ``changed``, and give what was counted."""

    def play(changed=lambda server: None, requests=10):
        server = Mortal()

        def between(word):
            if word == "begin":
                server.left = requests
            else:
                changed(server)
                server.revive()

        with server:
            return Run(driver, min(os.sched_getaffinity(0)), between).play(
                [
                    *("--server", f"127.0.0.1:{server.port}"),
                    *("-p", "4", "-w", "4000", "-f", "2", "-W", "0", "-T", "0.3"),
                    *("--timeout", "0.7", "--drain", "0.1", "kill"),
                ]
            )

    return play


def lost(counted):
    return counted["lost_publications"], counted["lost_subscriptions"]


@pytest.mark.parametrize("requests", [9, 10, 11, 12])
def test_what_was_not_answered_may_be_there_or_not(play, requests):
    counted = play(requests=requests)

    assert counted["operations"] == requests - 1
    assert counted["acknowledged_publications"] == 4
    assert 40 < counted["acknowledged_subscriptions"] <= 44
    assert lost(counted) == (0, 0)
    assert faults_of(counted) == {}


def test_it_sees_that_an_answered_change_was_lost(play):
    counted = play(Mortal.forget_a_change)

    assert lost(counted) == (1, 0)


def test_it_sees_that_a_state_is_gone(play):
    def empty(server):
        presentity, _, _ = server.before[0]
        server._states[presentity] = ""

    assert lost(play(empty)) == (1, 0)


def test_it_sees_that_an_answered_subscription_was_lost(play):
    counted = play(Mortal.forget_a_subscription)

    assert lost(counted) == (0, 1)


@pytest.mark.needs("setpriv")
def test_presproxy_loses_nothing_and_tells_no_older_state(tmp_path):
    path = tmp_path / "bench.json"

    main(
        [
            *("--quick", "--seconds", "0.5", "--kills", "1"),
            *("--only", "kill,interleave", "--peers", "presproxy"),
            *("--json", str(path)),
        ]
    )

    found = json.loads(path.read_text())
    killed = found["checks"]["kill"]["presproxy"]
    assert found["skipped"] == []
    assert killed["kills"] == 1
    assert killed["publications"] > 0
    assert len(found["promises"]) == 6
    assert [one for one in found["promises"] if not one["holds"]] == []
