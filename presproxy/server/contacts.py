"""
The contact lists of the house: read at the start, changed one after the other.

Other nodes may change them, too; what they write is heard of by the storage's feed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from presproxy.documents.lync.contacts import ContactList
from presproxy.errors import Conflict, StorageUnavailable
from presproxy.events.contact_records import CONTACT, GROUPS
from presproxy.events.contacts import ContactLists, Shelf, StagedContacts
from presproxy.interfaces import IStorage
from presproxy.model.decision import Handling
from presproxy.model.record import Batch
from presproxy.server.journal import Journal
from presproxy.server.turns import Turns
from presproxy.sip.uri import AddressOfRecord

_log = Logger()

#: How often a change is staged anew because another node was faster.  Chosen: two people
#: changing one entry of one list at once are rare, five are none.
_TRIES = 5


@attrs.define(eq=False)
class Contacts:
    """Keeps the contact lists; see `interfaces.ContactBook`."""

    lists: ContactLists
    storage: IStorage
    journal: Journal
    _is_open: bool = attrs.field(init=False, default=False)
    _turns: Turns = attrs.field(init=False, factory=Turns)

    async def open(self, limit: int | None = None) -> None:
        """Read all lists.  One that cannot be read might have blocked somebody: raise."""
        if limit is not None:
            self.lists.limit = limit
        if self._is_open:
            return
        if self.storage.shared:
            await self.storage.follow(self._followed)
        await self._read_all()
        self._is_open = True

    def find(
        self, presentity: AddressOfRecord, watcher: AddressOfRecord
    ) -> tuple[AddressOfRecord, Handling] | None:
        """Give the entry that holds for a watcher, and what it says."""
        return self.lists.find(presentity, watcher)

    def of(self, presentity: AddressOfRecord) -> Mapping[AddressOfRecord, Handling]:
        """Give all that a presentity has said."""
        return self.lists.of(presentity)

    def shown(self, presentity: AddressOfRecord) -> ContactList:
        """Give the list as its owner's clients see it."""
        return self.lists.shown(presentity)

    async def handle(
        self,
        presentity: AddressOfRecord,
        watcher: AddressOfRecord,
        handling: Handling | None,
    ) -> None:
        """Write what a presentity says of a watcher."""
        await self.change(
            presentity, lambda: self.lists.stage(presentity, watcher, handling)
        )

    async def change(
        self, presentity: AddressOfRecord, stage: Callable[[], StagedContacts]
    ) -> StagedContacts:
        """
        Make what ``stage`` gives lasting, and then seen.

        It is asked again if another node was faster.
        """
        async with self._turns.of(presentity):
            for _ in range(_TRIES):
                staged = stage()
                try:
                    await self.journal.commit(staged)
                except Conflict as conflict:
                    await self._fetch(conflict)
                else:
                    return staged
        raise StorageUnavailable(f"the list of {presentity} keeps changing")

    async def _fetch(self, conflict: Conflict) -> None:
        """Read what another node has changed meanwhile."""
        for kind, key in conflict.records:
            record = await self.storage.fetch(kind, key)
            if record is not None:
                self.lists.take(record)

    # --- What other nodes change

    def _followed(self, batch: Batch | None) -> None:
        if batch is None:
            Deferred.fromCoroutine(self._read_all()).addErrback(
                lambda failure: _log.failure(
                    "the contact lists could not be read again; they may be old",
                    failure,
                )
            )
            return
        for record in batch.records:
            try:
                self.lists.take(record)
            except ValueError as error:
                _log.error(
                    "an entry of a contact list is passed over: {why}", why=error
                )

    async def _read_all(self) -> None:
        """Replace all lists by what the storage holds, and tell whose are different."""
        incoming = self.lists.read_again()
        for kind in (CONTACT, GROUPS):
            await self._read(kind, incoming)
        self.lists.replace(incoming, is_first=not self._is_open)

    async def _read(self, kind: str, incoming: Shelf) -> None:
        async for page in self.storage.scan(kind):
            for record in page:
                incoming.take(record)
