"""The driver sees what is done wrong to users who come and go."""

from __future__ import annotations

import json
import subprocess

import pytest

from bench.faulty import Server

pytestmark = pytest.mark.needs("cc", "make")

FAULTS = (
    "failed",
    "lost",
    "ended",
    "stale",
    "duplicates",
    "out_of_order",
    "impossible",
    "wrong_final",
    "unknown_notifies",
    "unreadable",
)


@pytest.fixture
def play(driver):
    """Let 400 watchers of 200 presentities live; give what was wrong with it."""

    def play(server):
        command = [
            *(driver, "--server", f"127.0.0.1:{server.port}"),
            *("-p", "200", "-w", "400", "-n", "2000", "-W", "0", "-f", "8"),
            *("--duration", "30", "--timeout", "0.2", "--drain", "1"),
            *("--expires", "2", "--linger", "3", "lives"),
        ]
        with server:
            ended = subprocess.run(command, capture_output=True, check=True, timeout=60)
        counted = json.loads(ended.stdout)
        assert counted["operations"] + counted["failed"] >= 2000
        return {name: counted[name] for name in FAULTS if counted[name]}

    return play


def test_nothing_is_wrong_with_an_honest_server(play):
    assert play(Server()) == {}


def test_it_sees_a_removed_state_told_to_who_comes_later(play):
    class Remembering(Server):
        def _change(self, presentity, state):
            kept = self._states.get(presentity, "")
            super()._change(presentity, state)
            self._states[presentity] = state or kept

    assert play(Remembering())["stale"] > 0


def test_it_sees_a_removal_that_is_not_told(play):
    def tell(server, subscriber, state):
        if state:
            server.notify(subscriber, state)

    assert play(Server(tell))["wrong_final"] > 0


def test_it_sees_a_subscription_ended_by_nobody(play):
    def tell(server, subscriber, state):
        said = "active" if server.told % 50 else "terminated;reason=noresource"
        server.notify(subscriber, state, said=said)

    assert play(Server(tell))["ended"] > 0


def test_it_sees_an_end_that_is_not_told(play):
    def end(server, subscriber, state):
        if subscriber.ends_at % 1 < 0.5:
            server.notify_last(subscriber, state)

    assert play(Server(end=end))["lost"] > 0
