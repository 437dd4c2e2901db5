"""How many subscriptions there may be."""

from __future__ import annotations

import attrs

from presproxy.errors import LimitReached
from presproxy.events.agent import PresenceAgent
from presproxy.sip.uri import AddressOfRecord


class NoRoom(LimitReached):
    """The bound of all together: it may pass, and is nobody's own doing."""


@attrs.frozen(eq=False)
class Room:
    """At most ``of_one`` subscriptions of one watcher, and ``in_all``."""

    agent: PresenceAgent
    of_one: int
    in_all: int

    def check(self, watcher: AddressOfRecord) -> None:
        """Raise `LimitReached` or `NoRoom` if one more would be too many."""
        if self.agent.count_of(watcher) >= self.of_one:
            raise LimitReached("subscriptions of one watcher", self.of_one)
        if len(self.agent) >= self.in_all:
            raise NoRoom("subscriptions", self.in_all)
