"""SUBSCRIBE: the notifier's side (RFC 6665 §4.2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from sys import intern
from typing import Any, ClassVar

import attrs

from presproxy.errors import AccessDenied, PresproxyError
from presproxy.events.agent import PresenceAgent
from presproxy.interfaces import IEventPackage, IPartialPackage
from presproxy.model.subscription import Happening, Subscription
from presproxy.notify.connected import CONNECTED
from presproxy.notify.lists import LIST
from presproxy.notify.route import NOTIFY, PIGGYBACK, SipRoute
from presproxy.server.accept import accepted_fields, accepted_type
from presproxy.server.answer import Answer, Refusal, for_now
from presproxy.server.bodies import bounded_body
from presproxy.server.decide import Decider, Question, obey
from presproxy.server.dialogs import Usage
from presproxy.server.domains import Domains
from presproxy.server.events import EventPackages
from presproxy.server.exchange import Exchange
from presproxy.server.following import Following
from presproxy.server.keeping import Keeper
from presproxy.server.lync.batches import Batches, is_batch
from presproxy.server.lync.piggyback import Piggyback, connected_route, wants
from presproxy.server.room import Room
from presproxy.sip.message import Request
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord

SIP = "sip"

#: How often a subscription is kept anew because rules changed while it was being kept.
_TRIES = 5


@attrs.define(eq=False)
class SubscribeStep:
    """Serves SUBSCRIBE, in a dialog and outside.  ``now`` is the wall clock."""

    identifies: ClassVar[bool] = True

    packages: EventPackages
    domains: Domains
    agent: PresenceAgent
    decider: Decider
    keeper: Keeper
    room: Room
    tokens: Tokens
    largest_body: int
    now: Callable[[], float]
    piggyback: Piggyback
    batches: Batches
    following: Following

    async def serve(self, exchange: Exchange) -> Answer:
        """Answer one SUBSCRIBE."""
        usage = exchange.usage
        if usage is not None:
            if usage.subscription.notifier == LIST:
                return await self.batches.again(exchange, usage)
            return await self._again(exchange, usage)
        if exchange.request.body and is_batch(exchange.request):
            return await self.batches.first(exchange)
        return await self._first(exchange)

    # -- Outside a dialog ------------------------------------------------------------

    async def _first(self, exchange: Exchange) -> Answer:
        presentity = self.domains.ours(exchange.resource())
        package = self.packages.subscribable(exchange)
        if package.name in self.packages.private and exchange.sender.aor != presentity:
            raise AccessDenied(f"{exchange.sender.aor} is not {presentity}")
        content_type = self._content_type(exchange, package)
        expires = self.packages.grant(package.name, exchange.request.expires)
        subscription = self._make(exchange, package, presentity, content_type, expires)
        if expires:
            self.room.check(subscription.watcher.aor)
        question = self.decider.question(subscription.watcher, presentity, package.name)
        # Nothing waits between the end of this and the beginning of the subscription.
        with question:
            await self._settle(subscription, question, is_kept=expires > 0)
        then: Callable[[Subscription], None] = self.agent.fetch
        if expires:
            # What rides in the answer cannot come later.
            is_patient = not wants(exchange.request, PIGGYBACK)
            then = partial(self.agent.begin, is_patient=is_patient)
            self.following.add(subscription)
        return self._accepted(exchange, subscription, expires, then)

    def _content_type(self, exchange: Exchange, package: IEventPackage) -> str:
        """Choose what the watcher is told in, and the part of it that his body names."""
        request = exchange.request
        content_type = self._shape(request, package)
        if not (request.body and IPartialPackage.providedBy(package)):
            return content_type
        partial_package: Any = package
        guard = self.agent.resources.guard(package.name)
        body = bounded_body(request, self.largest_body)
        return intern(guard.tell(partial_package.part, content_type, body))

    def _shape(self, request: Request, package: IEventPackage) -> str:
        """Choose the content type, and the shape in which his user agent can read it."""
        content_type = accepted_type(request, package)
        if package.name not in self.packages.tailored:
            return content_type
        tailored_package: Any = package
        guard = self.agent.resources.guard(package.name)
        user_agent = request.user_agent or ""
        return intern(guard.tell(tailored_package.tailored, content_type, user_agent))

    def _make(
        self,
        exchange: Exchange,
        package: IEventPackage,
        presentity: AddressOfRecord,
        content_type: str,
        expires: int,
    ) -> Subscription:
        now, request = self.now(), exchange.request
        tag = self.tokens.tag()
        route: SipRoute
        if exchange.flow.reliable and wants(request, PIGGYBACK):
            notifier = CONNECTED
            route = connected_route(exchange, tag, expires)
        else:
            notifier = SIP
            route = SipRoute.of_request(request, exchange.flow, tag)
        subscription = Subscription(
            key=tag,
            watcher=exchange.sender,
            presentity=presentity,
            package=package.name,
            content_type=content_type,
            expires_at=now + expires,
            notifier=notifier,
            route=route,
            since=now,
        )
        self.following.note(exchange, subscription)
        return subscription

    async def _settle(
        self, subscription: Subscription, question: Question, *, is_kept: bool
    ) -> None:
        """Decide about a new subscription, and keep it as it was decided about."""
        try:
            for _ in range(_TRIES):
                obey(subscription, await question.decided())
                if is_kept:
                    await self.keeper.keep(subscription)
                if not question.is_outdated:
                    return
            raise for_now("Rules keep changing")
        except (PresproxyError, Refusal):
            self._give_up(subscription)
            raise

    def _give_up(self, subscription: Subscription) -> None:
        """
        A subscription comes to nothing.

        Its record is deleted, too, if there is one, or once there is: its watcher may
        have been told that it could not be kept in time.
        """
        subscription.happen(Happening.UNREACHABLE)
        if subscription.version:
            self.decider.run(self.keeper.forget(subscription))

    # -- In a dialog -----------------------------------------------------------------

    async def _again(self, exchange: Exchange, usage: Usage) -> Answer:
        request = exchange.request
        subscription, route = usage
        self._check_event(exchange, route)
        if exchange.sender.aor != subscription.watcher.aor:
            raise AccessDenied(f"not the subscription of {exchange.sender.aor}")
        route.dialog.accept(request)
        expires = self.packages.grant(subscription.package, request.expires)
        route.follow(request, exchange.flow)
        if not expires:
            unsubscribe = partial(self._unsubscribed, subscription)
            await self.keeper.remove(subscription, unsubscribe)
            return self._accepted(exchange, subscription, 0, self._unsubscribed)
        self.following.note(exchange, subscription)
        await self.keeper.keep(subscription, self.now() + expires)
        if subscription.is_alive:
            self.following.add(subscription)
        return self._accepted(exchange, subscription, expires, self._refreshed)

    def _check_event(self, exchange: Exchange, route: SipRoute) -> None:
        event = exchange.request.event
        if event is None:
            raise self.packages.bad_event()
        if str(event) != route.event:
            # One subscription a dialog: sharing one is deprecated (RFC 6665 §4.5.2).
            raise Refusal(481)

    def _refreshed(self, subscription: Subscription) -> None:
        route = subscription.route
        if isinstance(route, SipRoute):
            # He is told all, whatever he was told last.
            route.told = None
        self.agent.refreshed(subscription)

    def _unsubscribed(self, subscription: Subscription) -> None:
        self.agent.end(subscription, Happening.UNSUBSCRIBED)

    # -- Both ------------------------------------------------------------------------

    def _accepted(
        self,
        exchange: Exchange,
        subscription: Subscription,
        expires: int,
        then: Callable[[Subscription], None],
    ) -> Answer:
        exchange.flow.keep(expires)
        route = subscription.route
        method = route.method if isinstance(route, SipRoute) else NOTIFY
        fields = accepted_fields(exchange, expires, self.packages.allowed, method)
        if subscription.notifier == CONNECTED and expires:
            self.piggyback.hold(exchange, subscription)
        if wants(exchange.request, PIGGYBACK):
            return self.piggyback.accepted(
                exchange, subscription, expires, fields, then
            )
        return Answer(
            200, fields, to_tag=subscription.key, then=partial(then, subscription)
        )
