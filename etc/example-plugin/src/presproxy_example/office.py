"""Presence that keeps office hours."""

from __future__ import annotations

from datetime import datetime

import attrs
from zope.interface import implementer

from presproxy.extend.maker import option
from presproxy.interfaces import IContactACL, IHouse
from presproxy.model.decision import Decision, Handling
from presproxy.model.identity import Identity
from presproxy.sip.uri import AddressOfRecord


@implementer(IContactACL)
@attrs.define(eq=False)
class OfficeHours:
    """
    Blocks new watchers politely outside office hours, and has no opinion within.

    Hours are those of the machine's own time zone.  Who is watching already goes on
    seeing: an ACL is asked when a subscription begins.
    """

    opens: int = option("The hour at which the office opens.", default=8)
    closes: int = option("The hour at which it closes.", default=18)
    _house: IHouse | None = attrs.field(default=None, init=False)

    async def start(self, house: IHouse) -> None:
        """Keep the house, which has the clock."""
        self._house = house

    async def stop(self) -> None:
        """There is nothing to let go of."""

    async def decide(
        self, watcher: Identity, presentity: AddressOfRecord, package: str
    ) -> Decision | None:
        """Block politely outside office hours."""
        if self._house is None:
            return None
        hour = datetime.fromtimestamp(self._house.now()).hour
        if watcher.aor == presentity or self.opens <= hour < self.closes:
            return None
        return Decision(Handling.POLITE_BLOCK, f"the office opens at {self.opens}")
