"""SUBSCRIBE: the notifier's side (RFC 6665 §4.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import attrs

from presproxy.errors import AccessDenied, LimitReached
from presproxy.events.agent import PresenceAgent, view_of
from presproxy.interfaces import Bounds, IEventPackage
from presproxy.model.decision import Decision, Handling
from presproxy.model.subscription import Happening, State, Subscription
from presproxy.notify.route import SipRoute
from presproxy.server.answer import Answer, Refusal
from presproxy.server.decide import Decider
from presproxy.server.events import EventPackages
from presproxy.server.exchange import Exchange
from presproxy.server.journal import Journal
from presproxy.server.keeping import Keeper
from presproxy.sip.fields import acceptance, parse_accept
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord
from presproxy.transaction.dialog import contact_of, dialog_id_of_request

SIP = "sip"


@attrs.define(eq=False)
class SubscribeStep:
    """
    Serves SUBSCRIBE, in a dialog and outside.

    ``bounds`` are the intervals granted; at most ``most_of_one`` subscriptions of one
    watcher and ``most_in_all`` are kept.  ``now`` is the wall clock.
    """

    identifies: ClassVar[bool] = True

    packages: EventPackages
    agent: PresenceAgent
    decider: Decider
    journal: Journal
    keeper: Keeper
    tokens: Tokens
    bounds: Bounds
    most_of_one: int
    most_in_all: int
    now: Callable[[], float]

    async def serve(self, exchange: Exchange) -> Answer:
        """Answer one SUBSCRIBE."""
        if exchange.request.to.tag is not None:
            return await self._again(exchange)
        return await self._first(exchange)

    # -- Outside a dialog ------------------------------------------------------------

    async def _first(self, exchange: Exchange) -> Answer:
        package = self.packages.subscribable(exchange)
        presentity = self.packages.ours(exchange.resource())
        content_type = self._content_type(exchange, package)
        expires = self.bounds.grant(exchange.request.expires)
        subscription = self._make(exchange, package, presentity, content_type, expires)
        if expires:
            self._check_room(subscription)
        decision = await self.decider.decide(
            subscription.watcher, presentity, package.name
        )
        self._obey(subscription, decision)
        if not expires:
            return self._accepted(exchange, subscription, 0, self.agent.fetch)
        await self.journal.commit(self.keeper.staged(subscription))
        return self._accepted(exchange, subscription, expires, self.agent.begin)

    def _make(
        self,
        exchange: Exchange,
        package: IEventPackage,
        presentity: AddressOfRecord,
        content_type: str,
        expires: int,
    ) -> Subscription:
        request = exchange.request
        now = self.now()
        tag = self.tokens.tag()
        route = SipRoute.of_request(request, exchange.flow, tag)
        return Subscription(
            key=tag,
            watcher=exchange.sender,
            presentity=presentity,
            package=package.name,
            content_type=content_type,
            expires_at=now + expires,
            notifier=SIP,
            route=route,
            since=now,
        )

    def _content_type(self, exchange: Exchange, package: IEventPackage) -> str:
        """Choose what the watcher accepts, the package's first choice if he is silent."""
        accepted = exchange.request.values("accept")
        if not accepted and exchange.request.get("accept") is None:
            return package.produces[0]
        ranges = parse_accept(accepted)
        chosen = max(package.produces, key=partial(acceptance, ranges))
        if acceptance(ranges, chosen) == 0.0:
            raise Refusal(406, (("Accept", ", ".join(package.produces)),))
        return chosen

    def _check_room(self, subscription: Subscription) -> None:
        if self.agent.count_of(subscription.watcher.aor) >= self.most_of_one:
            raise LimitReached("subscriptions of one watcher", self.most_of_one)
        if len(self.agent) >= self.most_in_all:
            raise Refusal(503, (("Retry-After", "30"),))

    def _obey(self, subscription: Subscription, decision: Decision) -> None:
        """Begin as the contact ACL decided."""
        subscription.rule = decision.rule
        if decision.handling is Handling.BLOCK:
            raise AccessDenied(decision.rule)
        if decision.handling is not Handling.CONFIRM:
            subscription.state = State.ACTIVE
            subscription.view = view_of(decision)

    # -- In a dialog -----------------------------------------------------------------

    async def _again(self, exchange: Exchange) -> Answer:
        subscription, route = self._known(exchange)
        if exchange.sender.aor != subscription.watcher.aor:
            raise AccessDenied(f"not the subscription of {exchange.sender.aor}")
        expires = self.bounds.grant(exchange.request.expires)
        route.dialog.accept(exchange.request)
        route.follow(exchange.request, exchange.flow)
        if not expires:
            await self.journal.commit(self.keeper.staged_removal(subscription))
            return self._accepted(exchange, subscription, 0, self._unsubscribed)
        await self.keeper.keep(subscription, self.now() + expires)
        return self._accepted(exchange, subscription, expires, self.agent.refreshed)

    def _known(self, exchange: Exchange) -> tuple[Subscription, SipRoute]:
        """Find the subscription of a dialog, or refuse with 481."""
        request = exchange.request
        subscription = self.agent.subscription(request.to.tag or "")
        route = None if subscription is None else subscription.route
        if (
            subscription is None
            or not isinstance(route, SipRoute)
            or route.dialog.id != dialog_id_of_request(request)
            or subscription.expires_at <= self.now()
        ):
            raise Refusal(481)
        if request.event is None or str(request.event) != route.event:
            # One subscription a dialog: sharing one is deprecated (RFC 6665 §4.5.2).
            raise Refusal(481)
        return subscription, route

    def _unsubscribed(self, subscription: Subscription) -> None:
        self.agent.end(subscription, Happening.UNSUBSCRIBED)

    def _accepted(
        self,
        exchange: Exchange,
        subscription: Subscription,
        expires: int,
        then: Callable[[Subscription], None],
    ) -> Answer:
        exchange.flow.keep(expires)
        routes: Sequence[str] = exchange.request.get_all("record-route")
        return Answer(
            200,
            (
                *(("Record-Route", route) for route in routes),
                ("Contact", contact_of(exchange.flow)),
                ("Expires", str(expires)),
            ),
            to_tag=subscription.key,
            then=lambda: then(subscription),
        )
