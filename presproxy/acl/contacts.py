"""
Contact lists: each user says who may see him, and the house what holds for strangers.

The lists are the house's own, which others may write to as well.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from zope.interface import implementer

from presproxy.acl.watchers import named, watchers_are_shown
from presproxy.extend.maker import option
from presproxy.interfaces import IContactACL, IContactList, IHouse
from presproxy.model.decision import FULL, NEUTRAL, Decision, Handling
from presproxy.model.identity import Identity
from presproxy.sip.uri import AddressOfRecord, domain_of

_STRANGERS = {
    "domain": Handling.CONFIRM,
    "confirm": Handling.CONFIRM,
    "block": Handling.BLOCK,
    "allow": Handling.ALLOW,
}

_SAYS = {
    Handling.ALLOW: "allows",
    Handling.CONFIRM: "wants to be asked about",
    Handling.POLITE_BLOCK: "politely blocks",
    Handling.BLOCK: "blocks",
}


@implementer(IContactACL, IContactList)
@attrs.define(eq=False)
class ContactsACL:
    """
    Shows a presentity to whom its contact list says.

    Its own presence everybody sees; who watches, only the presentity.
    """

    strangers: str = option(
        "What holds for a watcher of whom nothing was said: allow, block, confirm "
        "(wait until the presentity decides), or domain: users of the same domain are "
        "allowed, all others wait.",
        default="domain",
        validator=attrs.validators.in_(tuple(_STRANGERS)),
    )
    limit: int = option(
        "The most entries in the list of one presentity.",
        default=1000,
        validator=attrs.validators.ge(1),
    )
    _house: IHouse = attrs.field(init=False)
    #: What holds for strangers of the same domain, and for all others: in all their
    #: subscriptions, so each is there once.
    _of_the_domain: Decision = attrs.field(init=False)
    _of_others: Decision = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        rule = f"strangers={self.strangers}"
        handling = _STRANGERS[self.strangers]
        self._of_the_domain = self._of_others = _decision(handling, rule)
        if self.strangers == "domain":
            self._of_the_domain = _decision(Handling.ALLOW, f"{rule}: same domain")
            self._of_others = _decision(handling, f"{rule}: another domain")

    async def start(self, house: IHouse) -> None:
        """Read all lists.  One that cannot be read might have blocked somebody: raise."""
        self._house = house
        await house.contacts.open(self.limit)

    async def stop(self) -> None:
        """Hold nothing that is not in the storage."""

    # --- Deciding

    async def decide(
        self, watcher: Identity, presentity: AddressOfRecord, package: str
    ) -> Decision | None:
        return (
            watchers_are_shown(watcher, presentity, package)
            or _own(watcher, presentity)
            or self._said(watcher, presentity)
            or self._of_a_stranger(watcher, presentity)
        )

    def _said(self, watcher: Identity, presentity: AddressOfRecord) -> Decision | None:
        found = self._house.contacts.find(presentity, watcher.aor)
        if found is None:
            return None
        entry, handling = found
        return _decision(
            handling, f"{named(presentity)} {_SAYS[handling]} {named(entry)}"
        )

    def _of_a_stranger(
        self, watcher: Identity, presentity: AddressOfRecord
    ) -> Decision:
        domain = domain_of(watcher.aor)
        if domain and domain == domain_of(presentity):
            return self._of_the_domain
        return self._of_others

    # --- The lists

    async def contacts(
        self, presentity: AddressOfRecord
    ) -> Mapping[AddressOfRecord, Handling]:
        return self._house.contacts.of(presentity)

    async def handle(
        self,
        presentity: AddressOfRecord,
        watcher: AddressOfRecord,
        handling: Handling | None,
    ) -> None:
        await self._house.contacts.handle(presentity, watcher, handling)


def _own(watcher: Identity, presentity: AddressOfRecord) -> Decision | None:
    return _OWN if watcher.aor == presentity else None


def _decision(handling: Handling, rule: str) -> Decision:
    return Decision(handling, rule, FULL if handling is Handling.ALLOW else NEUTRAL)


_OWN = _decision(Handling.ALLOW, "everybody sees himself")
