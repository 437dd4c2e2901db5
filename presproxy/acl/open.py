"""Everybody sees everything."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from presproxy.acl.watchers import watchers_are_shown
from presproxy.interfaces import IContactACL, IHouse
from presproxy.model.decision import Decision, Handling
from presproxy.model.identity import Identity
from presproxy.sip.uri import AddressOfRecord

_EVERYBODY = Decision(Handling.ALLOW, "open: everybody sees everybody")


@implementer(IContactACL)
@attrs.define(eq=False)
class OpenACL:
    """
    Lets everybody see everybody.

    Except for watcher information, which is its presentity's own.
    """

    async def start(self, house: IHouse) -> None:
        """Need nothing."""

    async def stop(self) -> None:
        """Hold nothing."""

    async def decide(
        self, watcher: Identity, presentity: AddressOfRecord, package: str
    ) -> Decision | None:
        return watchers_are_shown(watcher, presentity, package) or _EVERYBODY
