"""
Contact lists: each user says who may see him, and the house what holds for strangers.

What is said lives in memory, where it is asked for, and in the storage, where it is
lasting before it is asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from zope.interface import implementer

from presproxy.acl.lists import (
    CONTACT,
    ContactLists,
    Entry,
    entry_key,
    read_entry,
    write_entry,
)
from presproxy.acl.watchers import named, watchers_are_shown
from presproxy.errors import Conflict, StorageUnavailable
from presproxy.extend.maker import option
from presproxy.interfaces import IContactACL, IContactList, IHouse
from presproxy.model.decision import FULL, NEUTRAL, Decision, Handling
from presproxy.model.identity import Identity
from presproxy.model.record import Batch, Record
from presproxy.sip.uri import AddressOfRecord, domain_of

_log = Logger()

#: How often an entry is staged anew because another node was faster.  Chosen: two people
#: changing one entry of one list at once are rare, five are none.
_TRIES = 5

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
    _lists: ContactLists = attrs.field(init=False)
    #: Filled while all is read again, and then put in the place of ``_lists``.
    _incoming: ContactLists | None = attrs.field(init=False, default=None)
    _turns: dict[AddressOfRecord, DeferredLock] = attrs.field(init=False, factory=dict)

    #: What holds for strangers of the same domain, and for all others: in all their
    #: subscriptions, so each is there once.
    _of_the_domain: Decision = attrs.field(init=False)
    _of_others: Decision = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._lists = ContactLists(self.limit)
        rule = f"strangers={self.strangers}"
        handling = _STRANGERS[self.strangers]
        self._of_the_domain = self._of_others = _decision(handling, rule)
        if self.strangers == "domain":
            self._of_the_domain = _decision(Handling.ALLOW, f"{rule}: same domain")
            self._of_others = _decision(handling, f"{rule}: another domain")

    async def start(self, house: IHouse) -> None:
        """Read all lists.  One that cannot be read might have blocked somebody: raise."""
        self._house = house
        if house.storage.shared:
            await house.storage.follow(self._changed)
        async for page in house.storage.scan(CONTACT):
            for record in page:
                self._lists.put(*read_entry(record))

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
        found = self._lists.find(presentity, watcher.aor)
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
        return self._lists.of(presentity)

    async def handle(
        self,
        presentity: AddressOfRecord,
        watcher: AddressOfRecord,
        handling: Handling | None,
    ) -> None:
        async with self._turn(presentity):
            await self._keep(presentity, watcher, handling)

    @asynccontextmanager
    async def _turn(self, presentity: AddressOfRecord) -> AsyncIterator[None]:
        """Let one change of a list begin when the one before it is lasting."""
        turn = self._turns.setdefault(presentity, DeferredLock())
        await turn.acquire()
        try:
            yield
        finally:
            # Before the release, which runs the next one to its end if it can.
            if not turn.waiting:
                del self._turns[presentity]
            turn.release()

    async def _keep(
        self,
        presentity: AddressOfRecord,
        watcher: AddressOfRecord,
        handling: Handling | None,
    ) -> None:
        for _ in range(_TRIES):
            held = self._lists.entry(presentity, watcher)
            if held.handling is handling:
                return
            if handling is not None:
                self._lists.check_room(presentity, watcher)
            change = write_entry(presentity, watcher, handling, held.version)
            try:
                await self._house.storage.commit([change])
            except Conflict:
                await self._fetch(presentity, watcher)
                continue
            self._live(presentity, watcher, Entry(handling, held.version + 1))
            return
        raise StorageUnavailable(
            f"{watcher} in the list of {presentity} keeps changing"
        )

    async def _fetch(
        self, presentity: AddressOfRecord, watcher: AddressOfRecord
    ) -> None:
        """Read one entry which another node has changed meanwhile."""
        key = entry_key(presentity, watcher)
        record = await self._house.storage.fetch(CONTACT, key)
        if record is not None:
            self._live(*read_entry(record))

    def _live(
        self, presentity: AddressOfRecord, watcher: AddressOfRecord, entry: Entry
    ) -> None:
        if self._incoming is not None:
            self._incoming.put(presentity, watcher, entry)
        if self._lists.put(presentity, watcher, entry):
            self._house.decide_again(presentity)

    # --- What other nodes change

    def _changed(self, batch: Batch | None) -> None:
        if batch is None:
            Deferred.fromCoroutine(self._read_again()).addErrback(
                lambda failure: _log.failure(
                    "the contact lists could not be read again; they may be old",
                    failure,
                )
            )
            return
        for record in batch.records:
            if record.kind == CONTACT:
                self._take(record)

    def _take(self, record: Record) -> None:
        try:
            found = read_entry(record)
        except ValueError as error:
            _log.error("an entry of a contact list is passed over: {why}", why=error)
            return
        self._live(*found)

    async def _read_again(self) -> None:
        """Replace all lists by what the storage holds, and tell whose are different."""
        incoming = self._incoming = ContactLists(self.limit)
        async for page in self._house.storage.scan(CONTACT):
            for record in page:
                incoming.put(*read_entry(record))
        if self._incoming is not incoming:
            return
        before, self._lists, self._incoming = self._lists, incoming, None
        for presentity in before.presentities() | incoming.presentities():
            if before.of(presentity) != incoming.of(presentity):
                self._house.decide_again(presentity)


def _own(watcher: Identity, presentity: AddressOfRecord) -> Decision | None:
    return _OWN if watcher.aor == presentity else None


def _decision(handling: Handling, rule: str) -> Decision:
    return Decision(handling, rule, FULL if handling is Handling.ALLOW else NEUTRAL)


_OWN = _decision(Handling.ALLOW, "everybody sees himself")
