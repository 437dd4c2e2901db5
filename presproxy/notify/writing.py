"""What NOTIFYs are written with, and what is read from the refusals of them."""

from __future__ import annotations

import re

import attrs

from presproxy.model.notice import AnyBody, Body, DeltaBody, LateBody
from presproxy.model.subscription import Reason, State, Subscription
from presproxy.notify.route import NOTIFY, SipRoute
from presproxy.sip.message import MalformedMessage, parse_message

# To look these up in their enumeration takes ten times as long before Python 3.12.
_ACTIVE, _TERMINATED = State.ACTIVE, State.TERMINATED

_SECONDS = re.compile(r"\s*(\d{1,10})")


@attrs.define(eq=False)
class Sheet:
    """
    A body that goes out now, and what all NOTIFYs with it have in common.

    ``changed_at`` and ``now`` are on the clock of latencies, ``wall`` is now on the wall
    clock.
    """

    body: AnyBody
    changed_at: float
    now: float
    wall: float
    #: None if each has its own.
    _tail: bytes | None = attrs.field(init=False)
    #: The Event written last, mostly that of the next one.
    _event: str = attrs.field(default="", init=False)
    _event_line: bytes = attrs.field(default=b"Event: \r\n", init=False)

    @_tail.default
    def _write_once(self) -> bytes | None:
        body = self.body
        if not isinstance(body, Body) or isinstance(body, DeltaBody):
            return None
        return _written(body, body.data)

    def rest(self, subscription: Subscription, route: SipRoute, cseq: int) -> bytes:
        """Write all of a NOTIFY that is not its dialog's."""
        if route.event is not self._event:
            self._event = route.event
            event = route.event.encode("utf-8", "surrogateescape")
            self._event_line = b"Event: %b\r\n" % event
        tail = self._tail
        if tail is None:
            tail = self._own_tail(route, cseq)
        return b"%bSubscription-State: %b\r\n%b" % (
            self._event_line,
            state_of(subscription, self.wall),
            tail,
        )

    def _own_tail(self, route: SipRoute, cseq: int) -> bytes:
        body = self.body
        if isinstance(body, DeltaBody) and _knows_base(route, body):
            return _written(body, body.delta)
        data = body.numbered(cseq - route.first_cseq)
        written = _written(body, data)
        return body.fields + written if isinstance(body, LateBody) else written


def _knows_base(route: SipRoute, body: DeltaBody) -> bool:
    """
    Whether a watcher has been told what a change is counted from, and has it.

    A BENOTIFY in a datagram may be lost without a word.
    """
    if body.base is None or route.told is not body.base:
        return False
    flow = route.flow
    return route.method == NOTIFY or (flow is not None and flow.reliable)


def _written(body: AnyBody, data: bytes) -> bytes:
    """Write the fields about a body, and the body."""
    if not data:
        return b"Content-Length: 0\r\n\r\n"
    return b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        body.content_type.encode(),
        len(data),
        data,
    )


def state_of(subscription: Subscription, wall: float) -> bytes:
    """Write Subscription-State (RFC 6665 §8.2.3)."""
    state = subscription.state
    if state is _TERMINATED:
        reason = subscription.reason or Reason.TIMEOUT
        return b"terminated;reason=%b" % reason.value.encode()
    left = max(1, int(subscription.expires_at - wall + 0.5))
    return b"%b;expires=%d" % (b"active" if state is _ACTIVE else b"pending", left)


def retry_after(data: bytes) -> float | None:
    """Give the seconds after which a refusal will have passed, if it says so."""
    try:
        message = parse_message(data)
    except MalformedMessage:
        return None
    seconds = _SECONDS.match(message.get("retry-after") or "")
    return None if seconds is None else float(seconds[1])
