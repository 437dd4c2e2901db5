"""
Lanes: who stood at the other end of each message.

A lane is an endpoint, which is somebody at some address; what he uses is its agent, known
once he has named it.
"""

from __future__ import annotations

import enum

import attrs

from presproxy.tracing.figures import NOTIFICATIONS
from presproxy.tracing.message import Traced

_Address = tuple[str, int]


class Role(enum.StrEnum):
    """What an endpoint mostly does, which says on what side of us it is drawn."""

    WATCHER = "watcher"
    PUBLISHER = "publisher"
    #: A server behind us.
    UPSTREAM = "upstream"
    #: It did nothing yet that tells.
    OTHER = "other"


#: What a request from there tells of its role; the first to tell stays.
_ASKED = {
    "SUBSCRIBE": Role.WATCHER,
    "PUBLISH": Role.PUBLISHER,
    "SERVICE": Role.PUBLISHER,
    "NOTIFY": Role.PUBLISHER,
}
#: What a request of ours to there does.
_SENT = {
    **dict.fromkeys(NOTIFICATIONS, Role.WATCHER),
    **dict.fromkeys(("SUBSCRIBE", "PUBLISH", "OPTIONS"), Role.UPSTREAM),
}


@attrs.define(eq=False)
class Lane:
    """One endpoint; ``identity`` is its address of record, as far as it named one."""

    id: str
    identity: str
    transport: str
    address: _Address
    role: Role = Role.OTHER
    agent: str = ""
    #: How many of the messages that are held are its.
    held: int = 0


_Key = tuple[str, _Address, str]


@attrs.define(eq=False)
class Lanes:
    """The lanes of the messages that are held."""

    _lanes: dict[_Key, Lane] = attrs.field(factory=dict)
    _of: dict[int, tuple[_Key, Lane]] = attrs.field(factory=dict)
    _made: int = 0

    def __len__(self) -> int:
        return len(self._lanes)

    def of(self, number: int) -> Lane | None:
        """Give the lane of a message that is held."""
        found = self._of.get(number)
        return None if found is None else found[1]

    def take(self, traced: Traced) -> Lane:
        """Find the lane of a message, and learn from it."""
        key = (traced.transport, traced.peer, _identity(traced))
        lane = self._lanes.get(key)
        if lane is None:
            self._made += 1
            lane = Lane(f"l{self._made}", key[2], traced.transport, traced.peer)
            self._lanes[key] = lane
        lane.held += 1
        self._of[traced.number] = (key, lane)
        if not traced.is_out and traced.agent:
            lane.agent = traced.agent
        if lane.role is Role.OTHER and traced.is_request:
            roles = _SENT if traced.is_out else _ASKED
            lane.role = roles.get(traced.method, Role.OTHER)
        return lane

    def forget(self, traced: Traced) -> None:
        """Let go of a message, and of its lane with the last one."""
        key, lane = self._of.pop(traced.number, (None, None))
        if key is None or lane is None:
            return
        lane.held -= 1
        if not lane.held and self._lanes.get(key) is lane:
            del self._lanes[key]


def _identity(traced: Traced) -> str:
    """
    Say who stands there.

    Who began a request is in its From and who was asked in its To, and a response has
    both from its request.
    """
    is_ours = traced.is_out is traced.is_request
    return traced.receiver if is_ours else traced.sender
