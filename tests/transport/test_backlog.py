"""A connection is not read while the server has no room for more."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest


@attrs.define(eq=False)
class Backlog:
    """Has room for so many more messages."""

    room: int = 0
    waiting: list[Callable[[], None]] = attrs.field(factory=list)

    @property
    def has_room(self) -> bool:
        self.room -= 1
        return self.room >= 0

    def when_room(self, act):
        self.waiting.append(act)

    def make_room(self, room):
        self.room = room
        waiting, self.waiting[:] = list(self.waiting), []
        for act in waiting:
            act()


@pytest.fixture
def backlog():
    return Backlog()


@pytest.fixture
def accepted(accept, backlog):
    return accept(backlog=backlog)


def test_what_came_waits_and_no_more_is_read(accepted, backlog, house, options):
    accepted.receive(options * 2)
    before = (list(house.messages), accepted.wire.is_reading)

    backlog.make_room(10)

    assert before == ([], False)
    assert house.messages == [options] * 2
    assert accepted.wire.is_reading


def test_it_takes_no_more_room_than_there_is(accepted, backlog, house, options):
    accepted.receive(options * 3)
    backlog.make_room(2)

    assert house.messages == [options] * 2
    assert not accepted.wire.is_reading
    assert len(backlog.waiting) == 1


def test_what_waits_is_taken_when_the_connection_is_lost(
    accepted, backlog, house, options
):
    accepted.receive(options * 2)
    accepted.connection.connectionLost()
    backlog.make_room(10)

    assert house.messages == [options] * 2


def test_with_room_it_is_handed_on_at_once(accepted, backlog, house, options):
    backlog.room = 1
    accepted.receive(options)

    assert house.messages == [options]
    assert accepted.wire.is_reading
