"""
Small stand-ins for a plugin's neighbours: they provide the interface and keep what they
were told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from presproxy.errors import Conflict
from presproxy.events.contacts import ContactLists
from presproxy.events.containers import Containers as Table
from presproxy.interfaces import IHouse, IStorage
from presproxy.metrics import Counter, Histogram, Metrics
from presproxy.model.identity import Identity
from presproxy.model.record import Change, Record, Snapshot
from presproxy.model.subscription import Reason, Subscription
from presproxy.server.contacts import Contacts
from presproxy.server.containers import Containers
from presproxy.server.journal import Journal
from presproxy.sip.uri import AddressOfRecord
from presproxy.storage.alone import Alone
from presproxy.storage.records import Records


@implementer(IStorage)
@attrs.define(eq=False)
class RecordingStorage(Alone):
    """
    A storage in memory which keeps every commit it answered, in order.

    It fails with ``failure`` while there is one, and after `hold` lets its callers wait
    until `release`.  It needs no start.
    """

    durable = False

    failure: Exception | None = None
    now: float = 0.0
    commits: list[tuple[Change, ...]] = attrs.field(factory=list, init=False)
    is_started: bool = attrs.field(default=False, init=False)
    is_stopped: bool = attrs.field(default=False, init=False)
    _records: Records = attrs.field(factory=Records, init=False)
    _held: list[tuple[tuple[Change, ...], Deferred[None]]] | None = attrs.field(
        default=None, init=False
    )

    @property
    def changes(self) -> list[Change]:
        """All changes committed, in order, whatever call they came with."""
        return [change for commit in self.commits for change in commit]

    @property
    def waiting(self) -> int:
        """How many calls are held."""
        return len(self._held or ())

    def hold(self) -> None:
        """Let callers wait from now on."""
        self._held = []

    def release(self) -> None:
        """Do what was held, in order, and what comes from now on at once."""
        held, self._held = self._held or [], None
        self._do_held(held)

    def let_through(self) -> None:
        """Do what was held, in order, and hold what comes from now on."""
        held, self._held = self._held or [], []
        self._do_held(held)

    def _do_held(self, held: list[tuple[tuple[Change, ...], Deferred[None]]]) -> None:
        for changes, answer in held:
            if not answer.called:
                self._do(changes).chainDeferred(answer)

    async def start(self, house: IHouse) -> None:
        self.is_started = True

    async def stop(self) -> None:
        self.is_stopped = True

    def commit(self, changes: Sequence[Change]) -> Deferred[None]:
        if self._held is None:
            return self._do(tuple(changes))
        answer: Deferred[None] = Deferred()
        self._held.append((tuple(changes), answer))
        return answer

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

    def _do(self, changes: tuple[Change, ...]) -> Deferred[None]:
        if self.failure is not None:
            return fail(self.failure)
        try:
            self._records.commit(changes, self.now)
        except Conflict as conflict:
            return fail(conflict)
        self.commits.append(changes)
        return succeed(None)


@implementer(IHouse)
@attrs.define(eq=False)
class FakeHouse:
    """
    A house with a clock to turn by hand, and nobody in it.

    ``now`` is ``epoch`` and what the clock says since.  ``watched`` is what `watch`
    answers with; it fails when there is nothing.
    """

    reactor: Any = attrs.field(factory=Clock)
    domains: Collection[str] = ("example.test",)
    metrics: Metrics = attrs.field(factory=Metrics)
    storage: Any = attrs.field(factory=RecordingStorage)
    epoch: float = 1_700_000_000.0
    watched: Subscription | None = None
    decided_again: list[AddressOfRecord] = attrs.field(factory=list, init=False)
    lists_changed: list[AddressOfRecord] = attrs.field(factory=list, init=False)
    ends: list[tuple[Subscription, Reason]] = attrs.field(factory=list, init=False)
    kept: list[Subscription] = attrs.field(factory=list, init=False)
    watches: list[tuple[Identity, AddressOfRecord, str, str, object, int]] = (
        attrs.field(factory=list, init=False)
    )
    contacts: Contacts = attrs.field(init=False)
    containers: Containers = attrs.field(init=False)

    @contacts.default
    def _make_contacts(self) -> Contacts:
        lists = ContactLists(self.decide_again, self.lists_changed.append)
        return Contacts(lists, self.storage, self._journal())

    @containers.default
    def _make_containers(self) -> Containers:
        table = Table(self.domains, self.decide_again, self.lists_changed.append)
        return Containers(table, self.storage, self._journal())

    def _journal(self) -> Journal:
        ticks = self.reactor.seconds
        return Journal(self.storage, ticks, Histogram(), Counter(), Counter())

    def now(self) -> float:
        return self.epoch + float(self.reactor.seconds())

    def decide_again(self, presentity: AddressOfRecord) -> None:
        self.decided_again.append(presentity)

    def ended(self, subscription: Subscription, reason: Reason) -> None:
        self.ends.append((subscription, reason))

    async def keep(self, subscription: Subscription) -> None:
        self.kept.append(subscription)

    async def watch(
        self,
        watcher: Identity,
        presentity: AddressOfRecord,
        package: str,
        notifier: str,
        route: object,
        expires: int,
    ) -> Subscription:
        self.watches.append((watcher, presentity, package, notifier, route, expires))
        if self.watched is None:
            raise LookupError("nobody said what is to be watched")
        return self.watched
