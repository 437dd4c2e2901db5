"""What can go wrong when a user agent asks something."""

from __future__ import annotations

import attrs

from presproxy.errors import PresproxyError


@attrs.frozen(eq=False)
class NoAnswer(PresproxyError):
    """
    Nobody answered in time, or the flow broke.

    ``method`` is empty when there was no way to ask at all.
    """

    method: str
    server: str
    why: str

    def __str__(self) -> str:
        to = f" to {self.method}" if self.method else ""
        return f"no answer{to} from {self.server}: {self.why}"


@attrs.frozen(eq=False)
class Refused(PresproxyError):
    """
    A final response other than 2xx.

    ``retry_after`` is how many seconds the server wants to be left alone, and ``minimum``
    the least it wants to be asked for, if it said so.
    """

    method: str
    status: int
    reason: str
    retry_after: int | None = None
    minimum: int | None = None

    def __str__(self) -> str:
        return f"{self.method} was answered {self.status} {self.reason}"

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be granted later (RFC 3261 §21.4, §21.5)."""
        return self.retry_after is not None or self.status in _PASSING


#: 408, 480 and the 5xx speak of the moment, all others of the request.  A 501, 505 or
#: 513 will be the same next time.
_PASSING = frozenset({408, 480, 500, 502, 503, 504})


@attrs.frozen(eq=False)
class BadAnswer(PresproxyError):
    """A 2xx without what it must carry."""

    method: str
    why: str

    def __str__(self) -> str:
        return f"the answer to {self.method} cannot be used: {self.why}"


@attrs.frozen(eq=False)
class SubscriptionEnded(PresproxyError):
    """
    The subscription is over.

    ``reason`` and ``retry_after`` are those of Subscription-State (RFC 6665 §4.1.3).
    """

    presentity: str
    reason: str | None
    retry_after: int | None = None

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"the subscription to {self.presentity} has ended{why}"
