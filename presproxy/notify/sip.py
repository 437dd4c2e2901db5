"""
NOTIFY: the road on which SIP watchers are told (RFC 6665 §4.2.2).

A NOTIFY is written from what its dialog knows and a tail rendered once per change.  One
is in flight per subscription, and the latest state waits behind it: a slow watcher costs
one body, and never sees an older state after a newer one.

A BENOTIFY ([MS-SIP] 3.5) differs in that no answer is waited for: there is no transaction,
and only the flow it goes by can tell that a watcher is gone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import attrs
from attrs.validators import ge
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from presproxy.errors import (
    FlowClosed,
    LimitReached,
    PresproxyError,
    forget_traceback,
)
from presproxy.extend.maker import option
from presproxy.interfaces import IHouse, INotifier, IRouteKeeper
from presproxy.metrics import Counter, Histogram
from presproxy.model.notice import AnyBody, Notice
from presproxy.model.subscription import Reason, Subscription
from presproxy.notify.route import BENOTIFY, SipRoute, read_route
from presproxy.notify.wire import FlowOf, Wire, no_flow
from presproxy.notify.writing import Sheet, retry_after
from presproxy.sip.flow import Flow
from presproxy.sip.tokens import Tokens
from presproxy.trace import Tap

_log = Logger()

#: Numbers left of a reservation when the next one is made.
_RESERVE_AT = 200

#: Answers that end a subscription (RFC 5057 §5.1, those that end the usage or dialog).
_ENDING = frozenset(
    {403, 404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 502, 604}
)

#: A watcher may refuse a NOTIFY that overtook the 2xx on the way (JsSIP): seconds in
#: which that is thought of, and after which it is sent once more.
_OVERTAKEN = 1.0
_SENT_AGAIN = 0.5

#: Seconds before a watcher is looked for again who could not be reached.
_UNREACHABLE = 30.0

#: Seconds after which is tried again what the storage or the transactions refused.
_REFUSED = 1.0

#: The most seconds that a watcher's Retry-After is waited for.  Chosen: by then phones
#: have rebooted, and a state that is older is worth little.
_LONGEST_REST = 300.0

#: What has no end yet.
_NEVER = float("inf")


@attrs.define(eq=False)
class _User:
    """Who waits for the answer to a NOTIFY."""

    notifier: SipNotifier
    subscription: Subscription
    flow: Flow

    def answered(self, status: int, data: bytes, now: float) -> None:
        """See `TransactionUser`."""
        self.notifier.answered(self.subscription, status, data, now)

    def failed(self, why: str, now: float) -> None:
        """See `TransactionUser`."""
        self.notifier.failed(self.subscription, why, now, self.flow)


@implementer(INotifier, IRouteKeeper)
@attrs.define(eq=False)
class SipNotifier:
    """Tells watchers by NOTIFY, in the dialog of their SUBSCRIBE."""

    timeouts: int = option(
        "How many NOTIFYs in a row may go unanswered before the subscription ends. "
        "RFC 6665 says one, but phones miss one now and then, and their lamps would be "
        "dead until they come again.",
        default=2,
        validator=ge(1),
    )
    _house: Any = attrs.field(default=None, init=False)
    _wire: Wire = attrs.field(default=None, init=False)
    _tokens: Tokens = attrs.field(default=None, init=False)
    _tap: Tap = attrs.field(factory=Tap, init=False)
    _ticks: Callable[[], float] = attrs.field(default=None, init=False)
    _flow_of: FlowOf = attrs.field(default=no_flow, init=False)
    _sent: Counter = attrs.field(factory=Counter, init=False)
    #: Who waits for room on flows that are full.
    _crowds: dict[Flow, OrderedDict[Subscription, None]] = attrs.field(
        factory=dict, init=False
    )
    _best_effort: Counter = attrs.field(factory=Counter, init=False)
    _replaced: Counter = attrs.field(factory=Counter, init=False)
    _latency: Histogram = attrs.field(factory=Histogram, init=False)

    def connect(
        self,
        wire: Wire,
        tokens: Tokens,
        ticks: Callable[[], float],
        tap: Tap | None = None,
        flow_of: FlowOf = no_flow,
    ) -> None:
        """
        Give it what it sends with; before ``start``.

        ``ticks`` is the clock of latencies; ``tap`` is told what caused a NOTIFY;
        ``flow_of`` gives the flow by which an instance of a user's is registered.
        """
        self._wire = wire
        self._flow_of = flow_of
        self._tokens = tokens
        self._ticks = ticks
        self._tap = tap or Tap()

    async def start(self, house: IHouse) -> None:
        """See `IPluggable`."""
        self._house = house
        metrics = house.metrics
        self._sent = metrics.counter("notify_sent", "NOTIFY requests sent.")
        self._best_effort = metrics.counter("benotify_sent", "BENOTIFY requests sent.")
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
        body, changed_at = notice.body, notice.changed_at
        sheet = Sheet(body, changed_at, self._ticks(), self._house.now())
        tap, before = self._tap, self._tap.cause
        tap.cause = changed_at or before
        try:
            for subscription in notice.subscriptions:
                route: SipRoute = subscription.route  # type: ignore[assignment]
                if route.is_busy:
                    self._wait(route, body, changed_at)
                else:
                    self._send(subscription, route, sheet)
        finally:
            tap.cause = before

    def answered(
        self, subscription: Subscription, status: int, data: bytes, now: float
    ) -> None:
        """A NOTIFY was answered."""
        if status < 200:
            return
        if status == 408:
            # A proxy waited for him in vain.
            self.failed(subscription, "no answer in time", now)
            return
        route: SipRoute = subscription.route  # type: ignore[assignment]
        route.is_busy = False
        route.unanswered = 0
        if status < 300:
            if route.waiting is not None:
                self._send_waiting(subscription, now)
            return
        self._refused(subscription, route, status, data, now)

    def failed(
        self,
        subscription: Subscription,
        why: str,
        now: float,
        flow: Flow | None = None,
    ) -> None:
        """A NOTIFY was not answered, or ``flow`` by which it went is gone."""
        route: SipRoute = subscription.route  # type: ignore[assignment]
        if flow is not None and flow is not route.flow:
            self._failed_before(subscription, route, flow, now)
            return
        route.is_busy = False
        route.unanswered += 1
        # A flow that closed says nothing of him: another way is tried once.
        is_closed = route.flow is not None and not route.flow.is_open
        if route.unanswered >= self.timeouts + is_closed:
            self._house.ended(subscription, Reason.TIMEOUT)
            return
        route.wait_again()
        self._send_waiting(subscription, now)

    def _failed_before(
        self, subscription: Subscription, route: SipRoute, flow: Flow, now: float
    ) -> None:
        """A NOTIFY failed by a flow that he has left: that says nothing of him."""
        if flow is route.left:
            # It went again when he did.
            route.left = None
            return
        route.is_busy = False
        route.wait_again()
        self._send_waiting(subscription, now)

    def moved(self, subscription: Subscription, flow: Flow) -> None:
        """The watcher's user agent has come by another flow: tell what waits."""
        route: SipRoute = subscription.route  # type: ignore[assignment]
        route.move(flow)
        self._try_again(subscription)

    def _wait(self, route: SipRoute, body: AnyBody, changed_at: float) -> None:
        if route.waiting is not None and route.waiting is not body:
            self._replaced.value += 1
        route.wait(body, changed_at)

    def _send_waiting(self, subscription: Subscription, now: float) -> None:
        """Send what waits, if anything does."""
        route: SipRoute = subscription.route  # type: ignore[assignment]
        body = route.waiting
        if body is not None:
            sheet = Sheet(body, route.waiting_since, now, self._house.now())
            self._tap.cause = route.waiting_since
            self._send(subscription, route, sheet)
            self._tap.cause = 0.0

    def _send(self, subscription: Subscription, route: SipRoute, sheet: Sheet) -> None:
        """Send a NOTIFY now, or let it wait for what it needs."""
        flow, dialog = route.flow, route.dialog
        body, changed_at = sheet.body, sheet.changed_at
        if flow is None or not flow.is_open:
            self._wait(route, body, changed_at)
            self._look_for_way(subscription, route, sheet.now)
            return
        if flow.is_full:
            self._wait(route, body, changed_at)
            self._wait_for_room(subscription, flow)
            return
        if dialog.local_cseq >= route.reserved and _is_kept(subscription):
            self._wait(route, body, changed_at)
            self._reserve(subscription, route)
            return
        if route.waiting is not None:
            # This one or an older one; a later one never is sent before.
            changed_at = route.waiting_since or changed_at
            route.waiting, route.waiting_since = None, 0.0
        try:
            self._write(subscription, route, flow, sheet)
        except LimitReached:
            route.told = None
            route.wait(body, changed_at)
            self._rest(subscription, route, _REFUSED)
            return
        except FlowClosed as error:
            route.wait(body, changed_at)
            self.failed(subscription, str(error), sheet.now, flow)
            return
        route.told = body
        if changed_at:
            self._latency.observe(sheet.now - changed_at)
        if dialog.local_cseq + _RESERVE_AT > route.reserved and _is_kept(subscription):
            self._reserve(subscription, route)

    def _write(
        self, subscription: Subscription, route: SipRoute, flow: Flow, sheet: Sheet
    ) -> None:
        """
        Write a NOTIFY and hand it to its transaction, or to its flow if it has none.

        Raises `LimitReached`, and `FlowClosed` where there is no transaction to tell of it.
        """
        dialog, method = route.dialog, route.method
        cseq = dialog.next_cseq()
        branch = self._tokens.branch()
        rest = sheet.rest(subscription, route, cseq)
        data = dialog.request(method, flow, branch, cseq, rest)
        if method == BENOTIFY:
            flow.send(data)
            route.unanswered = 0
            self._best_effort.value += 1
            return
        try:
            user = _User(self, subscription, flow)
            self._wire.send(method, data, branch, flow, user, sheet.now)
        except LimitReached:
            # Too many wait for answers already, and this one was not sent.
            dialog.local_cseq = cseq - 1
            raise
        route.is_busy = True
        self._sent.value += 1

    def _rest(
        self, subscription: Subscription, route: SipRoute, seconds: float
    ) -> None:
        """Send nothing for some time, and then what waits."""
        route.is_busy = True
        self._house.reactor.callLater(seconds, self._go_on, subscription)

    def _go_on(self, subscription: Subscription) -> None:
        """What was waited for is there: tell what waits."""
        route: SipRoute = subscription.route  # type: ignore[assignment]
        route.is_busy = False
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

        What ends the dialog ends the subscription, unless Retry-After says that it will
        pass: then the same is told again, or what is later.
        """
        pause = retry_after(data)
        if pause is not None:
            route.wait_again()
            self._rest(subscription, route, min(max(pause, 1.0), _LONGEST_REST))
        elif status not in _ENDING:
            route.told = None
            self._send_waiting(subscription, now)
        elif self._was_overtaken(subscription, route, status):
            route.wait_again()
            self._rest(subscription, route, _SENT_AGAIN)
        else:
            self._house.ended(subscription, Reason.NORESOURCE)

    def _was_overtaken(
        self, subscription: Subscription, route: SipRoute, status: int
    ) -> bool:
        """Whether this may be the first NOTIFY, come before the 2xx that makes its dialog."""
        return (
            status == 481
            and route.dialog.local_cseq == route.first_cseq
            and self._house.now() - subscription.since < _OVERTAKEN
        )

    # -- Ways ------------------------------------------------------------------------

    def _look_for_way(
        self, subscription: Subscription, route: SipRoute, now: float
    ) -> None:
        """Find a way to the watcher, unless that is done, or was in vain just now."""
        if now >= route.look_again_at:
            route.look_again_at = _NEVER
            _run(self._find_way(subscription, route))

    async def _find_way(self, subscription: Subscription, route: SipRoute) -> None:
        try:
            flow = self._other_flow(subscription, route)
            if flow is None:
                flow = await self._wire.flow_to(route.dialog.next_hop, route.peer)
            if not route.has_way:
                route.flow = flow
        finally:
            self._looked(subscription, route)

    def _other_flow(self, subscription: Subscription, route: SipRoute) -> Flow | None:
        """Give another flow of his user agent, where no proxy is between (RFC 5626)."""
        if not route.instance or route.dialog.routes:
            return None
        return self._flow_of(subscription.watcher.aor, route.instance)

    def _looked(self, subscription: Subscription, route: SipRoute) -> None:
        """A way was looked for; one that the watcher told of meanwhile is as good."""
        if route.has_way:
            route.look_again_at = 0.0
            self._try_again(subscription)
            return
        route.look_again_at = self._ticks() + _UNREACHABLE
        if subscription.is_alive:
            later = self._house.reactor.callLater
            later(_UNREACHABLE, self._look_again, subscription)

    def _look_again(self, subscription: Subscription) -> None:
        route: SipRoute = subscription.route  # type: ignore[assignment]
        if route.look_again_at != _NEVER:
            route.look_again_at = 0.0
        self._try_again(subscription)

    def _try_again(self, subscription: Subscription) -> None:
        """Send what waits, unless it waits for something else now."""
        route: SipRoute = subscription.route  # type: ignore[assignment]
        if not route.is_busy:
            self._send_waiting(subscription, self._ticks())

    def _wait_for_room(self, subscription: Subscription, flow: Flow) -> None:
        """Send once the peer has read what was sent; who reads slowly skips states."""
        crowd = self._crowds.get(flow)
        if crowd is None:
            crowd = self._crowds[flow] = OrderedDict()
            flow.when_room(partial(self._there_is_room, flow))
        crowd[subscription] = None

    def _there_is_room(self, flow: Flow) -> None:
        """Let those who waited for a flow send, as many as it has room for."""
        crowd = self._crowds[flow]
        while crowd and not flow.is_full:
            subscription, _ = crowd.popitem(last=False)
            self._try_again(subscription)
        if crowd:
            flow.when_room(partial(self._there_is_room, flow))
        else:
            del self._crowds[flow]

    # -- CSeq ------------------------------------------------------------------------

    def _reserve(self, subscription: Subscription, route: SipRoute) -> None:
        """Reserve the next numbers, of which some may be left."""
        if not route.is_reserving:
            route.is_reserving = True
            _run(self._keep(subscription, route))

    async def _keep(self, subscription: Subscription, route: SipRoute) -> None:
        before = route.reserved
        try:
            await self._house.keep(subscription)
        finally:
            if route.reserved > before:
                self._reserved(subscription)
            else:
                self._house.reactor.callLater(_REFUSED, self._reserved, subscription)

    def _reserved(self, subscription: Subscription) -> None:
        route: SipRoute = subscription.route  # type: ignore[assignment]
        route.is_reserving = False
        self._try_again(subscription)


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run what waits, for a watcher who cannot be told at once; the root of its coroutine."""

    def failed(failure: Failure) -> None:
        error = failure.value
        if isinstance(error, PresproxyError):
            _log.debug("A NOTIFY has to wait: {error}", error=error)
            forget_traceback(error)
        else:
            _log.failure("A NOTIFY went wrong in a way it must not", failure=failure)

    Deferred.fromCoroutine(coroutine).addErrback(failed)


def _is_kept(subscription: Subscription) -> bool:
    """Whether it may be read back after a start; one that has ended is not kept anew."""
    return subscription.is_alive and subscription.version > 0
