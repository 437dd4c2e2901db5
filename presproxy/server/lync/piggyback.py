"""
The first notification in the answer to a SUBSCRIBE ([MS-SIP] 3.6), as Lync clients want it.

Whoever is told so by a stream is there as long as that: his subscription is not kept, and
ends with the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from presproxy.events.agent import PresenceAgent
from presproxy.model.notice import AnyBody
from presproxy.model.subscription import Happening, Subscription
from presproxy.notify.route import AUTO_EXTEND, PIGGYBACK, ConnectedRoute, SipRoute
from presproxy.notify.writing import state_of
from presproxy.server.answer import Answer, Fields
from presproxy.server.exchange import Exchange
from presproxy.server.lync.connected import Connected
from presproxy.sip.message import Request

#: How a subscription that lasts no longer is spoken of ([MS-SIP] 3.6).
OVER = "terminated;expires=0"


def wants(request: Request, extension: str) -> bool:
    """Whether the sender supports an extension, and with that asks for it."""
    return request.has("supported") and extension in request.supported


def connected_route(exchange: Exchange, tag: str, expires: int) -> ConnectedRoute:
    """
    Make the route of somebody who is there as long as his connection.

    Raises `MalformedField` as `Dialog.of_request` does.
    """
    request = exchange.request
    route = ConnectedRoute.of_request(request, exchange.flow, tag)
    if wants(request, AUTO_EXTEND):
        route.extends_by = expires
    return route


@attrs.frozen(eq=False)
class Piggyback:
    """
    Accepts SUBSCRIBEs with the notification in the answer.

    ``now`` is the wall clock.
    """

    agent: PresenceAgent
    connected: Connected
    now: Callable[[], float]

    def hold(self, exchange: Exchange, subscription: Subscription) -> None:
        """Let a subscription end with the connection that a request of its came by."""
        self.connected.hold(
            subscription.key,
            exchange.flow,
            subscription.watcher.aor,
            partial(self.agent.end, subscription, Happening.UNREACHABLE),
        )

    def accepted(
        self,
        exchange: Exchange,
        subscription: Subscription,
        expires: int,
        fields: Fields,
        then: Callable[[Subscription], None],
    ) -> Answer:
        """
        Accept a SUBSCRIBE, and do what follows at once.

        ``then`` tells the watcher: what it says rides in the answer, unless one
        notification is on its way, which another may not overtake.
        """
        route = subscription.route
        assert isinstance(route, SipRoute)
        answer = Answer(200, fields, to_tag=subscription.key)
        if route.is_busy:
            answer.then = partial(then, subscription)
            return answer
        route.is_busy = True
        then(subscription)
        self._ride(answer, exchange, subscription, route, expires)
        return answer

    def _ride(
        self,
        answer: Answer,
        exchange: Exchange,
        subscription: Subscription,
        route: SipRoute,
        expires: int,
    ) -> None:
        body = route.ride()
        state = OVER
        if expires:
            state = state_of(subscription, self.now()).decode()
        answer.fields += riding(route, state)
        # Whoever leaves wants to know no more.
        if body is not None and (expires or exchange.usage is None):
            carry(answer, body)


def riding(route: SipRoute, state: str) -> Fields:
    """Give the fields of an answer in which a notification rides, as its dialog is now."""
    extends = isinstance(route, ConnectedRoute) and route.extends_by
    return (
        ("Event", route.event),
        # On lines of their own, or SIPE passes them over.
        ("Supported", PIGGYBACK),
        *((("Supported", AUTO_EXTEND),) if extends else ()),
        ("Subscription-State", state),
        ("ms-piggyback-cseq", str(route.dialog.local_cseq)),
    )


def carry(answer: Answer, body: AnyBody) -> None:
    """Put a body into an answer, unless there is none in it."""
    data = body.numbered(0)
    if data:
        answer.body, answer.content_type = data, body.content_type
