"""The containers of Lync's users: read at the start, changed one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from presproxy.documents.lync.containers import Container, ContainerChange, Member
from presproxy.errors import Conflict
from presproxy.events.containers import CONTAINERS
from presproxy.events.containers import Containers as Table
from presproxy.interfaces import IStorage
from presproxy.server.journal import Journal
from presproxy.server.turns import Turns
from presproxy.sip.uri import AddressOfRecord


@attrs.define(eq=False)
class Containers:
    """Keeps the containers; see `interfaces.ContainerBook`."""

    table: Table
    storage: IStorage
    journal: Journal
    _is_open: bool = attrs.field(init=False, default=False)
    _turns: Turns = attrs.field(init=False, factory=Turns)

    async def open(self) -> None:
        """Read all.  One that cannot be read might have blocked somebody: raise."""
        if self._is_open:
            return
        async for page in self.storage.scan(CONTAINERS):
            for record in page:
                self.table.restore(record)
        self._is_open = True

    def has_any(self, user: AddressOfRecord) -> bool:
        """Whether a user ever changed one of his containers."""
        return self.table.has_any(user)

    def seat(
        self, user: AddressOfRecord, watcher: AddressOfRecord
    ) -> tuple[Container, Member] | None:
        """Say which container of a user's a watcher is in, and as whom."""
        return self.table.seat(user, watcher)

    async def change(
        self, user: AddressOfRecord, asked: Sequence[ContainerChange]
    ) -> None:
        """
        Do all that is asked, or nothing.

        Raises what `Table.stage` raises, `StaleContainers` above all, and
        `StorageUnavailable`.
        """
        async with self._turns.of(user):
            try:
                await self.journal.commit(self.table.stage(user, asked))
            except Conflict:
                # Another node was faster, so that most likely the versions are old now.
                record = await self.storage.fetch(CONTAINERS, user)
                if record is not None:
                    self.table.take(record)
                await self.journal.commit(self.table.stage(user, asked))
