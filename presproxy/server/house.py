"""The little of the server that a plugin may see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

import attrs
from zope.interface import implementer

from presproxy.events.agent import PresenceAgent
from presproxy.interfaces import IHouse, IStorage
from presproxy.metrics import Metrics
from presproxy.model.identity import Identity
from presproxy.model.subscription import Happening, Reason, Subscription
from presproxy.notify.lists import LIST
from presproxy.server.contacts import Contacts
from presproxy.server.containers import Containers
from presproxy.server.decide import Decider, obey
from presproxy.server.events import EventPackages
from presproxy.server.keeping import Keeper
from presproxy.server.lync.lists import ListDialogs
from presproxy.server.room import Room
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord


@implementer(IHouse)
@attrs.define(eq=False)
class House:
    """
    What plugins are started with.

    ``agent``, ``decider`` and ``keeper`` are there before the first plugin but the
    storage is started.
    """

    reactor: Any
    domains: Collection[str]
    metrics: Metrics
    storage: IStorage
    contacts: Contacts
    containers: Containers
    agent: PresenceAgent
    decider: Decider
    keeper: Keeper
    packages: EventPackages
    room: Room
    tokens: Tokens
    clock: Callable[[], float]
    list_dialogs: ListDialogs

    def now(self) -> float:
        """See `IHouse`."""
        return self.clock()

    def decide_again(self, presentity: AddressOfRecord) -> None:
        """See `IHouse`."""
        self.decider.decide_again(presentity)

    def ended(self, subscription: Subscription, reason: Reason) -> None:
        """See `IHouse`."""
        if subscription.notifier == LIST:
            self.list_dialogs.lost(subscription, reason)
        elif subscription.is_alive:
            subscription.reason = reason
            self.agent.end(subscription, Happening.UNREACHABLE)

    def keep(self, subscription: Subscription) -> Awaitable[None]:
        """See `IHouse`."""
        return self.keeper.keep(subscription)

    async def watch(
        self,
        watcher: Identity,
        presentity: AddressOfRecord,
        package: str,
        notifier: str,
        route: object,
        expires: int,
    ) -> Subscription:
        """See `IHouse`."""
        served = self.packages.packages.get(package)
        if served is None:
            raise LookupError(f"no package {package!r} is served")
        granted = self.packages.grant(package, expires)
        self.room.check(watcher.aor)
        now = self.now()
        subscription = Subscription(
            key=self.tokens.tag(),
            watcher=watcher,
            presentity=presentity,
            package=package,
            content_type=served.produces[0],
            expires_at=now + granted,
            notifier=notifier,
            route=route,
            since=now,
        )
        with self.decider.question(watcher, presentity, package) as question:
            obey(subscription, await question.decided())
        self.agent.begin(subscription)
        return subscription
