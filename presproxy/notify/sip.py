"""
NOTIFY: the road on which SIP watchers are told (RFC 6665 §4.2.2).

A NOTIFY is written from a head rendered once per dialog and a tail rendered once per
change.  One is in flight per subscription, and the latest state waits behind it: a slow
watcher costs one body, and never sees an older state after a newer one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from presproxy.errors import LimitReached, PresproxyError
from presproxy.extend.maker import option
from presproxy.interfaces import IHouse, INotifier, IRouteKeeper
from presproxy.metrics import Counter, Histogram
from presproxy.model.notice import Body, Notice, NumberedBody
from presproxy.model.subscription import Reason, State, Subscription
from presproxy.notify.route import SipRoute, read_route
from presproxy.sip.flow import Address, Flow
from presproxy.sip.message import MalformedMessage, Response, parse_message
from presproxy.sip.tokens import Tokens
from presproxy.transaction.client import TransactionUser

_log = Logger()

#: Numbers left of a reservation when the next one is made.
_RESERVE_AT = 200

#: Answers that end a subscription (RFC 5057 §5.1, those that end the usage or dialog).
_ENDING = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})

#: A watcher may refuse a NOTIFY that overtook the 2xx on the way (JsSIP); seconds in
#: which it is sent once more.
_OVERTAKEN = 1.0

#: Seconds before a watcher is looked for again who could not be reached.
_UNREACHABLE = 30.0


class Wire(Protocol):
    """What the notifier needs of the transactions and the transports."""

    def send(
        self,
        method: str,
        data: bytes,
        branch: str | bytes,
        flow: Flow,
        user: TransactionUser,
        now: float,
    ) -> object:
        """See `TransactionLayer.send`."""

    def flow_to(self, uri: str, peer: Address | None) -> Awaitable[Flow]:
        """Find a way to a URI, or to the datagram address that it was last seen at."""


@attrs.define(eq=False)
class _User:
    """Who waits for the answer to one subscription's NOTIFYs."""

    notifier: SipNotifier
    subscription: Subscription

    def answered(self, status: int, data: bytes, now: float) -> None:
        """See `TransactionUser`."""
        self.notifier.answered(self.subscription, status, data, now)

    def failed(self, why: str, now: float) -> None:
        """See `TransactionUser`."""
        self.notifier.failed(self.subscription, why, now)


@implementer(INotifier, IRouteKeeper)
@attrs.define(eq=False)
class SipNotifier:
    """Tells watchers by NOTIFY, in the dialog of their SUBSCRIBE."""

    timeouts: int = option(
        "How many NOTIFYs in a row may go unanswered before the subscription ends. "
        "RFC 6665 says one; some phones miss one now and then and want two or three.",
        default=1,
    )
    _house: Any = attrs.field(default=None, init=False)
    _wire: Wire = attrs.field(default=None, init=False)
    _tokens: Tokens = attrs.field(default=None, init=False)
    _ticks: Callable[[], float] = attrs.field(default=None, init=False)
    _sent: Counter = attrs.field(factory=Counter, init=False)
    _replaced: Counter = attrs.field(factory=Counter, init=False)
    _latency: Histogram = attrs.field(factory=Histogram, init=False)

    def connect(self, wire: Wire, tokens: Tokens, ticks: Callable[[], float]) -> None:
        """Give it what it sends with; before ``start``.  ``ticks`` is the clock of latencies."""
        self._wire = wire
        self._tokens = tokens
        self._ticks = ticks

    async def start(self, house: IHouse) -> None:
        """See `IPluggable`."""
        self._house = house
        metrics = house.metrics
        self._sent = metrics.counter("notify_sent", "NOTIFY requests sent.")
        self._replaced = metrics.counter(
            "notify_replaced", "States that a later one replaced before they were sent."
        )
        self._latency = metrics.histogram(
            "notify_seconds", "From the arrival of a change to each of its NOTIFYs."
        )

    async def stop(self) -> None:
        """See `IPluggable`."""

    # -- Routes ----------------------------------------------------------------------

    def write(self, route: SipRoute) -> bytes:
        """See `IRouteKeeper`."""
        return route.write()

    def kept(self, route: SipRoute, payload: bytes) -> None:
        """See `IRouteKeeper`."""
        route.kept(payload)

    def read(self, payload: bytes) -> SipRoute:
        """See `IRouteKeeper`."""
        return read_route(payload)

    # -- Telling ---------------------------------------------------------------------

    def notify(self, notice: Notice) -> None:
        """See `INotifier`."""
        now = self._ticks()
        wall = self._house.now()
        body, changed_at = notice.body, notice.changed_at
        tail = _tail(body.content_type, body.data) if isinstance(body, Body) else None
        for subscription in notice.subscriptions:
            route: SipRoute = subscription.route  # type: ignore[assignment]
            if changed_at and route.told is body and route.waiting is None:
                continue
            if route.is_busy:
                if route.waiting is not None:
                    self._replaced.value += 1
                route.wait(body, changed_at)
                continue
            self._send(subscription, route, body, tail, changed_at, now, wall)

    def answered(
        self, subscription: Subscription, status: int, data: bytes, now: float
    ) -> None:
        """A NOTIFY was answered."""
        if status < 200:
            return
        route: SipRoute = subscription.route  # type: ignore[assignment]
        route.is_busy = False
        route.unanswered = 0
        if status < 300:
            if route.waiting is not None:
                self._send_waiting(subscription, now)
            return
        self._refused(subscription, route, status, data, now)

    def failed(self, subscription: Subscription, why: str, now: float) -> None:
        """A NOTIFY was not answered, or its flow is gone."""
        route: SipRoute = subscription.route  # type: ignore[assignment]
        route.is_busy = False
        if route.flow is not None and not route.flow.is_open:
            # It did not reach him: the same again, by another way.
            if route.waiting is None and route.told is not None:
                route.wait(route.told, 0.0)
        else:
            route.unanswered += 1
            if route.unanswered >= self.timeouts:
                self._house.ended(subscription, Reason.TIMEOUT)
                return
        if route.waiting is not None:
            self._send_waiting(subscription, now)

    def _send_waiting(self, subscription: Subscription, now: float) -> None:
        route: SipRoute = subscription.route  # type: ignore[assignment]
        body, since = route.waiting, route.waiting_since
        route.waiting, route.waiting_since = None, 0.0
        if body is not None:
            tail = (
                _tail(body.content_type, body.data) if isinstance(body, Body) else None
            )
            self._send(subscription, route, body, tail, since, now, self._house.now())

    def _send(
        self,
        subscription: Subscription,
        route: SipRoute,
        body: Body | NumberedBody,
        tail: bytes | None,
        changed_at: float,
        now: float,
        wall: float,
    ) -> None:
        """Send a NOTIFY now, or let it wait for what it needs."""
        flow, dialog = route.flow, route.dialog
        if flow is None or not flow.is_open:
            route.wait(body, changed_at)
            self._look_for(subscription, route, now)
            return
        if dialog.local_cseq + _RESERVE_AT > route.reserved and subscription.version:
            if dialog.local_cseq >= route.reserved:
                route.wait(body, changed_at)
                route.is_busy = True
                _run(self._reserve(subscription))
                return
            _run(self._reserve_ahead(subscription, route))
        if route.user is None:
            route.user = _User(self, subscription)
        cseq = dialog.next_cseq()
        if tail is None:
            numbered = body.numbered(cseq - route.first_cseq)
            tail = _tail(body.content_type, numbered)
        rest = b"Event: %b\r\nSubscription-State: %b\r\n%b" % (
            route.event.encode(),
            _state(subscription, wall),
            tail,
        )
        branch = self._tokens.branch().encode()
        data = dialog.head("NOTIFY", flow).request(branch, cseq, rest)
        route.told = body
        route.is_busy = True
        try:
            self._wire.send("NOTIFY", data, branch, flow, route.user, now)
        except LimitReached:
            # Too many wait for answers already: this one waits its turn as if unanswered.
            route.wait(body, changed_at)
            self._house.reactor.callLater(1.0, self._go_on, subscription)
            return
        self._sent.value += 1
        if changed_at:
            self._latency.observe(now - changed_at)

    def _go_on(self, subscription: Subscription) -> None:
        """What was waited for is there: tell what waits."""
        route: SipRoute = subscription.route  # type: ignore[assignment]
        route.is_busy = False
        if route.waiting is not None:
            self._send_waiting(subscription, self._ticks())

    # -- Refusals --------------------------------------------------------------------

    def _refused(
        self,
        subscription: Subscription,
        route: SipRoute,
        status: int,
        data: bytes,
        now: float,
    ) -> None:
        """
        A NOTIFY was refused (RFC 6665 §4.2.2).

        What ends the dialog ends the subscription, unless Retry-After says otherwise.
        """
        if status in _ENDING and not _may_retry(data):
            if self._was_overtaken(subscription, route, status):
                route.is_busy = True
                route.wait(route.told, 0.0)  # type: ignore[arg-type]
                self._house.reactor.callLater(0.5, self._go_on, subscription)
                return
            self._house.ended(subscription, Reason.NORESOURCE)
            return
        if route.waiting is not None:
            self._send_waiting(subscription, now)

    def _was_overtaken(
        self, subscription: Subscription, route: SipRoute, status: int
    ) -> bool:
        """Whether this may be the first NOTIFY, come before the 2xx that makes its dialog."""
        return (
            status == 481
            and subscription.is_alive
            and route.dialog.local_cseq == route.first_cseq
            and self._house.now() - subscription.since < _OVERTAKEN
        )

    # -- Ways ------------------------------------------------------------------------

    def _look_for(
        self, subscription: Subscription, route: SipRoute, now: float
    ) -> None:
        """Find a way to the watcher, unless he could not be reached just now."""
        if now >= route.look_again_at:
            route.is_busy = True
            _run(self._find(subscription, route))

    async def _find(self, subscription: Subscription, route: SipRoute) -> None:
        try:
            route.flow = await self._wire.flow_to(route.dialog.next_hop, route.peer)
        except PresproxyError as error:
            route.look_again_at = self._ticks() + _UNREACHABLE
            route.is_busy = False
            _log.debug(
                "{watcher} cannot be told of {presentity}: {error}",
                watcher=subscription.watcher.aor,
                presentity=subscription.presentity,
                error=error,
            )
        else:
            self._go_on(subscription)

    # -- CSeq ------------------------------------------------------------------------

    async def _reserve(self, subscription: Subscription) -> None:
        """Reserve numbers before the next NOTIFY can go."""
        try:
            await self._house.keep(subscription)
        except PresproxyError:
            self._house.reactor.callLater(1.0, self._go_on, subscription)
        else:
            self._go_on(subscription)

    async def _reserve_ahead(self, subscription: Subscription, route: SipRoute) -> None:
        """Reserve numbers while there are some left; what fails is tried again."""
        if route.is_reserving:
            return
        route.is_reserving = True
        try:
            await self._house.keep(subscription)
        except PresproxyError as error:
            _log.debug("No numbers could be reserved: {error}", error=error)
        finally:
            route.is_reserving = False


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run what waits, for a watcher who cannot be told at once; the root of its coroutine."""

    def defect(failure: Failure) -> None:
        _log.failure("A NOTIFY went wrong in a way it must not", failure=failure)

    Deferred.fromCoroutine(coroutine).addErrback(defect)


def _may_retry(data: bytes) -> bool:
    """Whether a refusal says that it will pass."""
    try:
        message = parse_message(data)
    except MalformedMessage:
        return False
    return isinstance(message, Response) and message.get("retry-after") is not None


def _state(subscription: Subscription, wall: float) -> bytes:
    """Write Subscription-State (RFC 6665 §8.2.3)."""
    if subscription.state is State.TERMINATED:
        reason = subscription.reason or Reason.TIMEOUT
        return b"terminated;reason=%b" % reason.value.encode()
    left = max(1, int(subscription.expires_at - wall + 0.5))
    if subscription.state is State.ACTIVE:
        return b"active;expires=%d" % left
    return b"pending;expires=%d" % left


def _tail(content_type: str, data: bytes) -> bytes:
    """Write what the NOTIFYs of one change end with."""
    return b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        content_type.encode(),
        len(data),
        data,
    )
