"""
What is refused at the door, whatever it asks for (RFC 3261 §8.2.1, §8.2.2).

Everything here is decided from the request alone, before anybody is asked who sent it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable

import attrs

from presproxy.server.answer import Refusal
from presproxy.server.exchange import Exchange
from presproxy.sip.message import Request
from presproxy.sip.uri import SipURI, TelURI

#: How long a request may come by another road and is known again (64 * T1).
_REMEMBERED = 32.0


@attrs.define(eq=False)
class Merged:
    """
    Requests seen lately, to know one that came by two roads (RFC 3261 §8.2.2.2).

    At most ``most`` are remembered, the oldest make room.
    """

    most: int = 50_000
    _seen: dict[tuple[str | None, str, str], object] = attrs.field(factory=dict)
    _order: deque[tuple[float, tuple[str | None, str, str]]] = attrs.field(
        factory=deque
    )

    def is_second(self, request: Request, now: float) -> bool:
        """Whether the same request is here already under another branch."""
        order, seen = self._order, self._seen
        while order and (order[0][0] <= now or len(order) > self.most):
            seen.pop(order.popleft()[1], None)
        key = (request.from_.tag, request.call_id, request.get("cseq") or "")
        branch = request.via.branch
        known = seen.get(key, self)
        if known is self:
            seen[key] = branch
            order.append((now + _REMEMBERED, key))
            return False
        # A request sent again with credentials may keep its branch, and is no second.
        return branch is not None and known != branch


@attrs.define(eq=False)
class Door:
    """Refuses what no step could serve."""

    methods: Collection[str]
    extensions: Collection[str]
    merged: Merged = attrs.field(factory=Merged)

    def admit(self, exchange: Exchange) -> None:
        """Raise `Refusal` for what is not let in."""
        request = exchange.request
        if request.method not in self.methods:
            raise Refusal(405, (("Allow", ", ".join(self.methods)),))
        target = request.request_uri
        if not isinstance(target, SipURI | TelURI):
            raise Refusal(416)
        if request.max_forwards == 0 and request.method != "OPTIONS":
            raise Refusal(483)
        self._check_extensions(request)
        if request.to.tag is None and self.merged.is_second(request, exchange.arrived):
            raise Refusal(482)

    def _check_extensions(self, request: Request) -> None:
        asked: Iterable[str] = (
            *request.require,
            *(each.lower() for each in request.values("proxy-require")),
        )
        unknown = [each for each in asked if each not in self.extensions]
        if unknown:
            raise Refusal(420, (("Unsupported", ", ".join(unknown)),))
