"""
What is refused at the door, whatever it asks for (RFC 3261 §8.2.1, §8.2.2).

Everything here is decided from the request alone, before anybody is asked who sent it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

import attrs

from presproxy.server.answer import Refusal
from presproxy.server.dialogs import Dialogs
from presproxy.server.exchange import Exchange
from presproxy.sip.message import Request
from presproxy.sip.uri import SipURI, TelURI

#: How long a request may come by another road and is known again (64 * T1).
_REMEMBERED = 32.0

_Key = tuple[str | None, str, str, str]


@attrs.define(eq=False)
class Merged:
    """
    Requests seen lately, to know one that came by two roads (RFC 3261 §8.2.2.2).

    Roads part at a proxy: behind it the first Via differs, and the sender's own, which is
    the last, is the same.  Who sends a request again by himself, with another transport
    or to another of our addresses, writes a Via of his own anew, and is served.

    At most ``most`` are remembered, the oldest make room.
    """

    most: int = 50_000
    _seen: dict[_Key, object] = attrs.field(factory=dict)
    _order: deque[tuple[float, _Key]] = attrs.field(factory=deque)

    def is_second(self, request: Request, now: float) -> bool:
        """Whether the same request is here already under another branch."""
        if request.has_one_via:
            return False
        vias = request.values("via")
        order, seen = self._order, self._seen
        while order and (order[0][0] <= now or len(order) > self.most):
            seen.pop(order.popleft()[1], None)
        key = (request.from_.tag, request.call_id, request.get("cseq") or "", vias[-1])
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
    """
    Refuses what no step could serve, and finds the dialog a request is within.

    Proxy-Require is passed over: it is for those who pass a request on (RFC 3261
    §20.29), and phones behind old firewalls have it set.
    """

    methods: Collection[str]
    extensions: Collection[str]
    dialogs: Dialogs
    merged: Merged = attrs.field(factory=Merged)

    def admit(self, exchange: Exchange) -> None:
        """Raise `Refusal` for what is not let in."""
        request = exchange.request
        # Whether they can be read, which not every step asks.
        request.from_, request.call_id  # noqa: B018
        self._check_method(request.method)
        if not isinstance(request.request_uri, SipURI | TelURI):
            raise Refusal(416)
        if request.max_forwards == 0 and request.method != "OPTIONS":
            raise Refusal(483)
        if request.has("require"):
            self._check_extensions(request)
        if request.to.tag is None:
            if self.merged.is_second(request, exchange.arrived):
                raise Refusal(482)
        elif request.method != "NOTIFY":
            # None of ours is within a dialog: its step says so, but to keep-alives.
            exchange.usage = self.dialogs.find(request)

    def _check_extensions(self, request: Request) -> None:
        unknown = [each for each in request.require if each not in self.extensions]
        if unknown:
            raise Refusal(420, (("Unsupported", ", ".join(unknown)),))

    def _check_method(self, method: str) -> None:
        if method == "CANCEL":
            # No INVITE waits here for an answer (RFC 3261 §9.2).
            raise Refusal(481)
        if method not in self.methods:
            raise Refusal(405, (("Allow", ", ".join(self.methods)),))
