"""
A subscription as the subscriber sees it (RFC 6665 §4.1).

The dialog begins with whichever comes first, the 2xx or a NOTIFY that overtook it
(RFC 6665 §4.4.1).  A SUBSCRIBE that was forked has only its first dialog; NOTIFYs of the
others are answered 481.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimedOut

from presproxy.errors import PresproxyError
from presproxy.sip.eventfields import SubscriptionState, parse_subscription_state
from presproxy.sip.message import Request, Response
from presproxy.sip.uri import AddressOfRecord
from presproxy.transaction.dialog import CSeqTooLow, Dialog
from presproxy.useragent.core import Core, Draft
from presproxy.useragent.errors import NoAnswer, Refused, SubscriptionEnded
from presproxy.useragent.held import Holder, accept, granted, longer
from presproxy.useragent.series import Series

#: Notifications kept until somebody asks for them; the oldest are dropped.
_KEPT = 1000

#: How many NOTIFYs in a row may come too late before the notifier is taken to count anew:
#: FreeSWITCH's clock does so when a year begins.  Chosen above what datagrams do that
#: overtake each other.
_MOST_LATE = 3


@attrs.frozen(eq=False)
class Notification:
    """
    One NOTIFY: what it says of the subscription, and its body.

    ``message`` is that, or the answer in which it rode.
    """

    presentity: AddressOfRecord
    subscription: SubscriptionState
    content_type: str | None
    body: bytes
    message: Request | Response

    @property
    def is_last(self) -> bool:
        """Whether the subscription ended with it."""
        return self.subscription.state == "terminated"


@attrs.define(eq=False)
class HeldSubscription:
    """
    One subscription, refreshed until it ends or is ended.

    ``told`` is called with each notification, in order; without it they wait for `next`.
    ``lost`` is told, once, when the subscription ends other than by `unsubscribe`.
    """

    core: Core = attrs.field(repr=False)
    presentity: AddressOfRecord
    package: str
    expires: int
    accepts: Sequence[str]
    told: Callable[[Notification], None] | None
    lost: Callable[[PresproxyError], None]
    dialog: Dialog | None = None
    ended: PresproxyError | None = None
    granted: int = 0
    #: When it ends unless it is refreshed, on the user agent's clock.
    confirmed_until: float = 0.0
    _leaving: bool = False
    #: How many NOTIFYs in a row had a number that was too low.
    _late: int = 0
    _kept: deque[Notification] = attrs.field(factory=lambda: deque(maxlen=_KEPT))
    _waiting: Deferred[None] | None = None
    _series: Series = attrs.field(repr=False)
    _holder: Holder = attrs.field(repr=False)

    @_series.default
    def _begin(self) -> Series:
        return Series.begin(self.core.aor, self.presentity, self.core.tokens)

    @_holder.default
    def _hold(self) -> Holder:
        return Holder(self.core.alarms.alarm(), self.refresh, self._lost)

    @property
    def is_alive(self) -> bool:
        """Whether further notifications may come."""
        return self.ended is None

    async def subscribe(self) -> None:
        """
        Open the subscription; call once.

        Answers with the 2xx: a notification follows, or has come already.  Raises
        `Refused`, `NoAnswer` or `BadAnswer`.
        """
        self.core.usages[self._key] = self
        try:
            await self._holder.turns.take(self._subscribe)
        except PresproxyError as error:
            self._end(error)
            raise

    async def refresh(self) -> None:
        """Hold the subscription for another while; a notification follows."""
        await self._holder.turns.take(self._refresh)

    async def unsubscribe(self, limit: float | None = None) -> None:
        """
        End the subscription, and wait for its last notification.

        That it has ended already is as good.  Raises `Refused` or `NoAnswer`.
        """
        self._leaving = True
        self._holder.let_go()
        await self._holder.turns.take(self._unsubscribe)
        while self.ended is None:
            await self._wait(limit or self.core.limit)

    async def next(self, limit: float | None = None) -> Notification:
        """
        Give the next notification, waiting for it.

        Raises `SubscriptionEnded` (or why else it ended) when there will be none, and
        `NoAnswer` when none came in time.
        """
        while not self._kept:
            if self.ended is not None:
                raise self.ended
            await self._wait(limit or self.core.limit)
        return self._kept.popleft()

    def notified(self, request: Request) -> int:
        """Take a NOTIFY, and say with which status it is answered."""
        if request.event is None or request.event.package != self.package:
            return 489
        state = request.get("subscription-state")
        if state is None:
            return 400
        subscription = parse_subscription_state(state)
        try:
            if not self._belongs(request):
                return 481
        except CSeqTooLow:
            self._came_late()
            return 500
        self._late = 0
        self._take(request, subscription)
        return 200

    def cut_off(self) -> None:
        """Refresh at once: the new Contact says where we are (RFC 6665 §4.4.1)."""
        if self.ended is None and not self._leaving and self.expires:
            self._holder.hurry(self.core.spread * self.core.random())

    def stopped(self, error: PresproxyError) -> None:
        """Hear that the user agent stops: nothing can come any more."""
        self._end(error)

    @property
    def _key(self) -> tuple[str, str]:
        return (self._series.call_id, self._series.tag)

    async def _subscribe(self) -> None:
        response = await self._ask(self.expires)
        wanted = longer(response, self.expires) if self.expires else None
        if wanted is not None:
            self.expires = wanted
            response = await self._ask(wanted)
        self._established(response)

    async def _refresh(self) -> None:
        # It may have ended while this waited for its turn.
        if self.ended is None and not self._leaving:
            response = await self._ask(self.expires)
            if response.status in (401, 407):
                # FreeSWITCH has forgotten its nonce, and asks with none that is new.
                why = f"{response.status} {response.reason}"
                raise SubscriptionEnded(self.presentity, why)
            self._established(response)

    async def _unsubscribe(self) -> None:
        if self.ended is not None:
            return
        try:
            accept("SUBSCRIBE", await self._ask(0))
        except Refused as error:
            if error.status != 481:
                raise
            self._end(SubscriptionEnded(self.presentity, None))

    def _established(self, response: Response) -> None:
        accept("SUBSCRIBE", response)
        self.granted = granted("SUBSCRIBE", response, self.expires)
        self.confirmed_until = self.core.clock.seconds() + self.granted
        if self.dialog is None:
            self.dialog = Dialog.of_response(response)
        if self.ended is None and self.granted:
            self._holder.hold(self.granted)

    def _belongs(self, request: Request) -> bool:
        """
        Match a NOTIFY to the dialog, or begin it.

        Raises `CSeqTooLow` for one that came too late (RFC 3261 §12.2.2).
        """
        if self.dialog is None:
            self.dialog = Dialog.of_request(
                request, self._series.tag, self._series.cseq
            )
            return True
        if request.from_.tag != self.dialog.remote_tag:
            return False
        self.dialog.accept(request)
        return True

    def _came_late(self) -> None:
        """Give up a dialog whose numbers began anew: all that follows would be refused."""
        self._late += 1
        if self._late >= _MOST_LATE:
            self._lost(SubscriptionEnded(self.presentity, "its numbers began anew"))

    def _take(
        self, message: Request | Response, subscription: SubscriptionState
    ) -> None:
        notification = Notification(
            self.presentity,
            subscription,
            message.content_type.type if message.content_type else None,
            message.body,
            message,
        )
        if self.told is None:
            self._kept.append(notification)
        else:
            self.told(notification)
        if notification.is_last:
            self._over(subscription)
        elif subscription.expires is not None and not self._leaving:
            # The notifier may shorten what the 2xx granted (RFC 6665 §4.1.2.4).
            self._holder.hold(subscription.expires)
        self._wake()

    def _over(self, subscription: SubscriptionState) -> None:
        self._lost(
            SubscriptionEnded(
                self.presentity, subscription.reason, subscription.retry_after
            )
        )

    def _lost(self, error: PresproxyError) -> None:
        """End, and tell whoever did not ask for it."""
        unexpected = self.ended is None and not self._leaving and self.expires > 0
        self._end(error)
        if unexpected:
            self.lost(error)

    def _end(self, error: PresproxyError) -> None:
        self._holder.let_go()
        self.core.usages.pop(self._key, None)
        if self.ended is None:
            self.ended = error
        self._wake()

    async def _wait(self, limit: float) -> None:
        """Wait until something has happened.  One at a time may."""
        waiting = self._waiting = Deferred()
        waiting.addTimeout(limit, self.core.clock)
        try:
            await waiting
        except DeferredTimedOut as error:
            why = f"no notification within {limit:g} seconds"
            raise NoAnswer("SUBSCRIBE", self.core.wire.name, why) from error

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)

    async def _ask(self, expires: int) -> Response:
        return await self.core.request(lambda: self._draft(expires))

    def _draft(self, expires: int) -> Draft:
        uri, fields = self._place()
        return Draft(
            "SUBSCRIBE",
            uri,
            [
                *fields,
                ("Event", self.package),
                ("Accept", ", ".join(self.accepts)),
                ("Expires", str(expires)),
            ],
        )

    def _place(self) -> tuple[str, list[tuple[str, str]]]:
        """Give the request-URI, and From, To, Call-ID, CSeq and Route."""
        if self.dialog is None:
            return self.presentity, self._series.fields("SUBSCRIBE")
        return self.dialog.next_request("SUBSCRIBE")
