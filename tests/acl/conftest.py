from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

import attrs
import pytest

from presproxy.acl.contacts import ContactsACL
from presproxy.model.record import Batch, Change, Record
from presproxy.testing.recorders import FakeHouse, RecordingStorage


@attrs.define(eq=False)
class SharedStorage(RecordingStorage):
    """A storage to which another node writes, too."""

    shared = True
    follower: Callable[[Batch | None], None] | None = None
    before_page: Callable[[], None] | None = None
    position: int = 0

    async def follow(self, changed: Callable[[Batch | None], None]) -> int:
        self.follower = changed
        return self.position

    async def scan(
        self, kind: str, node: str | None = None
    ) -> AsyncIterator[Sequence[Record]]:
        pages = [page async for page in super().scan(kind, node)]
        if self.before_page is not None:
            self.before_page()
        for page in pages:
            yield page

    async def elsewhere(self, change: Change, *, told: bool = True) -> None:
        """Do what another node does; ``told`` says whether the feed brings it."""
        await self.commit([change])
        record = await self.fetch(change.kind, change.key)
        assert record is not None
        self.position += 1
        if told and self.follower is not None:
            self.follower(Batch(self.position, "other", [record]))


@pytest.fixture
def house():
    return FakeHouse()


@pytest.fixture
def shared_house():
    return FakeHouse(storage=SharedStorage())


@pytest.fixture
def start():
    """Start a ContactsACL with these options in a house."""

    async def started(house: FakeHouse, **options) -> ContactsACL:
        acl = ContactsACL(**options)
        await acl.start(house)
        return acl

    return started
