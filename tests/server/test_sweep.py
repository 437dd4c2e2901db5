"""What is over ends in slices, the reactor doing other things in between."""

from __future__ import annotations

import pytest

from presproxy.config import Limits
from presproxy.events.expiry import SLICE
from presproxy.testing.desk import Desk

MANY = 2 * SLICE + 10


@pytest.fixture
def desk():
    return Desk(limits=Limits(subscriptions_of_one=MANY))


def subscribed(desk: Desk) -> None:
    """Let one watcher subscribe to many, and an hour and a half go by."""
    for number in range(MANY):
        desk.subscribe(uri=f"sip:p{number}@example.test")
        desk.notified()
    desk.clock.advance(5400)


def test_many_that_end_at_once_take_turns(desk):
    subscribed(desk)

    desk.server._sweep()
    at_first = len(desk.server.agent)
    desk.clock.advance(0)

    assert at_first == MANY - SLICE
    assert len(desk.server.agent) == 0
    assert desk.defects == 0


def test_the_next_look_does_not_begin_a_second_sweep_beside_the_first(desk):
    subscribed(desk)

    for _ in range(3):
        desk.server._sweep()

    assert len(desk.server.agent) == MANY - SLICE
