"""Records in memory only: for trying things out, and where nothing must last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from presproxy.errors import Conflict
from presproxy.interfaces import IHouse, IStorage
from presproxy.model.record import Change, Record, Snapshot
from presproxy.storage.alone import Alone
from presproxy.storage.records import GRACE, Records
from presproxy.storage.sweeping import Sweeping


@implementer(IStorage)
@attrs.define(eq=False)
class MemoryStorage(Alone):
    """
    Keeps records in memory; they are gone when the process ends.

    A commit is done when the call returns.
    """

    durable = False

    _records: Records = attrs.field(factory=Records, init=False)
    _house: IHouse = attrs.field(init=False)
    _sweeping: Sweeping = attrs.field(init=False)

    async def start(self, house: IHouse) -> None:
        self._house = house
        self._sweeping = Sweeping(house, self._sweep)
        self._sweeping.start()

    async def stop(self) -> None:
        await self._sweeping.stop()

    def commit(self, changes: Sequence[Change]) -> Deferred[None]:
        try:
            self._records.commit(changes, self._house.now())
        except Conflict as conflict:
            return fail(conflict)
        return succeed(None)

    async def fetch(self, kind: str, key: str) -> Record | None:
        return self._records.fetch(kind, key)

    async def read(self, owners: Sequence[str]) -> Snapshot:
        return Snapshot(0, self._records.read(owners))

    async def scan(
        self, kind: str, node: str | None = None
    ) -> AsyncIterator[Sequence[Record]]:
        for page in self._records.pages(kind, node):
            if page:
                yield page

    async def count(self, kind: str) -> int:
        return self._records.count(kind)

    async def _sweep(self) -> AsyncIterator[int]:
        for count in self._records.sweep(self._house.now() - GRACE):
            yield count
