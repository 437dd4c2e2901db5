"""
Containers: each user's Lync clients say who sees which of his publications.

Only what a user did himself decides here.  Of everybody else, and of users who have no
such client, the next contact ACL is asked.
"""

from __future__ import annotations

import attrs
from zope.interface import implementer

from presproxy.acl.watchers import named, watchers_are_shown
from presproxy.documents.lync.containers import (
    BLOCKED,
    COLLEAGUES,
    DEFAULT,
    EXTERNAL,
    PERSONAL,
    WORKGROUP,
    Member,
    MemberType,
)
from presproxy.interfaces import IContactACL, IHouse
from presproxy.model.decision import NEUTRAL, Decision, Handling, container_view
from presproxy.model.identity import Identity
from presproxy.sip.uri import AddressOfRecord

#: How people call them.
_NAMES = {
    EXTERNAL: "external contacts",
    COLLEAGUES: "colleagues",
    WORKGROUP: "workgroup",
    PERSONAL: "friends and family",
    BLOCKED: "blocked",
}


@implementer(IContactACL)
@attrs.define(eq=False)
class ContainersACL:
    """
    Shows a watcher the container he is in ([MS-PRES] 3.3).

    Who is in the one of the blocked sees nobody at home.  Neither that all of somebody's
    kind are in a container nor that he is in none lets him in if the contact list keeps
    him out by name.
    """

    _house: IHouse = attrs.field(init=False)

    async def start(self, house: IHouse) -> None:
        """Read what decides; what cannot be read might have blocked somebody: raise."""
        self._house = house
        await house.contacts.open()
        await house.containers.open()

    async def stop(self) -> None:
        """Hold nothing that is not in the storage."""

    async def decide(
        self, watcher: Identity, presentity: AddressOfRecord, package: str
    ) -> Decision | None:
        """Decide for a user who ever changed a container, but about himself."""
        containers = self._house.containers
        if watcher.aor == presentity or not containers.has_any(presentity):
            return None
        if package.endswith(".winfo"):
            return watchers_are_shown(watcher, presentity, package)
        seat = containers.seat(presentity, watcher.aor)
        if seat is None:
            return self._unseated(presentity, watcher.aor)
        container, member = seat
        is_his_will = container.version > 0
        by_name = member.type is MemberType.USER
        if not is_his_will or not (by_name or self._lets_in(presentity, watcher.aor)):
            return None
        return _seated(container.id, member, presentity)

    def _unseated(
        self, presentity: AddressOfRecord, watcher: AddressOfRecord
    ) -> Decision | None:
        if not self._lets_in(presentity, watcher):
            return None
        rule = f"in no container of {named(presentity)}: container {DEFAULT}"
        return Decision(Handling.ALLOW, rule, container_view(DEFAULT))

    def _lets_in(self, presentity: AddressOfRecord, watcher: AddressOfRecord) -> bool:
        """Whether the contact list keeps somebody out neither by name nor by domain."""
        found = self._house.contacts.find(presentity, watcher)
        return found is None or found[1] is Handling.ALLOW


def _seated(number: int, member: Member, presentity: AddressOfRecord) -> Decision:
    who = f"{member.type} {member.value}".rstrip()
    rule = f"container {number} ({_NAMES[number]}) of {named(presentity)} has {who}"
    if number == BLOCKED:
        return Decision(Handling.POLITE_BLOCK, rule, NEUTRAL)
    return Decision(Handling.ALLOW, rule, container_view(number))
