"""The little of the server that a plugin may see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

import attrs
from zope.interface import implementer

from presproxy.errors import AccessDenied
from presproxy.events.agent import PresenceAgent, view_of
from presproxy.interfaces import Bounds, IHouse, IStorage
from presproxy.metrics import Metrics
from presproxy.model.decision import Handling
from presproxy.model.identity import Identity
from presproxy.model.subscription import Happening, Reason, State, Subscription
from presproxy.server.decide import Decider
from presproxy.server.keeping import Keeper
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
    agent: PresenceAgent
    decider: Decider
    keeper: Keeper
    tokens: Tokens
    bounds: Bounds
    clock: Callable[[], float]

    def now(self) -> float:
        """See `IHouse`."""
        return self.clock()

    def decide_again(self, presentity: AddressOfRecord) -> None:
        """See `IHouse`."""
        self.decider.decide_again(presentity)

    def ended(self, subscription: Subscription, reason: Reason) -> None:
        """See `IHouse`."""
        if subscription.is_alive:
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
        """See `IHouse`; raises `AccessDenied` where a SUBSCRIBE would be answered 403."""
        decision = await self.decider.decide(watcher, presentity, package)
        if decision.handling is Handling.BLOCK:
            raise AccessDenied(decision.rule)
        now = self.now()
        served = self.agent.resources.guard(package).plugin
        subscription = Subscription(
            key=self.tokens.tag(),
            watcher=watcher,
            presentity=presentity,
            package=package,
            content_type=served.produces[0],
            expires_at=now + self.bounds.grant(expires),
            notifier=notifier,
            route=route,
            since=now,
            rule=decision.rule,
        )
        if decision.handling is not Handling.CONFIRM:
            subscription.state = State.ACTIVE
            subscription.view = view_of(decision)
        self.agent.begin(subscription)
        return subscription
