"""What NOTIFYs are written with, and what is read from the refusals of them."""

from __future__ import annotations

import re

from presproxy.model.notice import Body, NumberedBody
from presproxy.model.subscription import Reason, State, Subscription
from presproxy.sip.message import MalformedMessage, parse_message

_SECONDS = re.compile(r"\s*(\d{1,10})")


def state_of(subscription: Subscription, wall: float) -> bytes:
    """Write Subscription-State (RFC 6665 §8.2.3)."""
    if subscription.state is State.TERMINATED:
        reason = subscription.reason or Reason.TIMEOUT
        return b"terminated;reason=%b" % reason.value.encode()
    left = max(1, int(subscription.expires_at - wall + 0.5))
    if subscription.state is State.ACTIVE:
        return b"active;expires=%d" % left
    return b"pending;expires=%d" % left


def tail_of(body: Body | NumberedBody) -> bytes | None:
    """Write what the NOTIFYs of one change end with, None if each ends with its own."""
    if isinstance(body, Body):
        return write_tail(body.content_type, body.data)
    return None


def write_tail(content_type: str, data: bytes) -> bytes:
    """Write the fields about a body, and the body."""
    if not data:
        return b"Content-Length: 0\r\n\r\n"
    return b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        content_type.encode(),
        len(data),
        data,
    )


def retry_after(data: bytes) -> float | None:
    """Give the seconds after which a refusal will have passed, if it says so."""
    try:
        message = parse_message(data)
    except MalformedMessage:
        return None
    seconds = _SECONDS.match(message.get("retry-after") or "")
    return None if seconds is None else float(seconds[1])
