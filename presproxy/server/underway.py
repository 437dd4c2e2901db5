"""Requests that are being passed on: which there are, whose, and how many may be."""

from __future__ import annotations

from collections import Counter

import attrs

from presproxy.server.answer import for_now
from presproxy.server.relaying import Relayed
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.transaction.matching import cancelled_key_of

_Call = tuple[str, str | None, int]


@attrs.define(eq=False)
class UnderWay:
    """At most ``most`` at once, and ``most_of_one`` sender's."""

    most: int
    most_of_one: int
    _by_key: dict[str, Relayed] = attrs.field(factory=dict, init=False)
    _calls: dict[_Call, Relayed] = attrs.field(factory=dict, init=False)
    _by_sender: Counter[str] = attrs.field(factory=Counter, init=False)

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def calls(self) -> int:
        """How many are INVITEs."""
        return len(self._calls)

    @property
    def senders(self) -> list[str]:
        """Whose they are counted as."""
        return list(self._by_sender)

    def all(self) -> tuple[Relayed, ...]:
        """Give all that there are now."""
        return tuple(self._by_key.values())

    def check(self) -> None:
        """Refuse for now what would be one too many."""
        if len(self._by_key) >= self.most:
            raise for_now("Too many requests are being passed on")

    def begun(self, relayed: Relayed) -> None:
        """Remember one, whoever sent it."""
        self._by_key[relayed.transaction.key] = relayed
        if relayed.request.method == "INVITE":
            self._calls[_call_of(relayed.request)] = relayed

    def count(self, relayed: Relayed, sender: str | None) -> None:
        """Count one whose sender is known now; refuses what is one too many of his."""
        if sender is None:
            return
        if self._by_sender[sender] >= self.most_of_one:
            raise for_now("Too many requests of yours are being passed on")
        self._by_sender[sender] += 1
        relayed.sender = sender

    def ended(self, relayed: Relayed) -> None:
        """Forget one, unless another has taken its place, as with credentials."""
        key, request = relayed.transaction.key, relayed.request
        if self._by_key.get(key) is relayed:
            del self._by_key[key]
        if request.method == "INVITE":
            call = _call_of(request)
            if self._calls.get(call) is relayed:
                del self._calls[call]
        sender = relayed.sender
        if sender is not None:
            self._by_sender[sender] -= 1
            if not self._by_sender[sender]:
                del self._by_sender[sender]

    def cancelled(self, cancel: Request, flow: Flow) -> Relayed | None:
        """Give the INVITE that a CANCEL is for."""
        relayed = self._by_key.get(cancelled_key_of(cancel))
        if relayed is not None or cancel.via.branch is not None:
            return relayed
        # SIPE gives no branch to what follows its INVITE, on the same connection.
        relayed = self._calls.get(_call_of(cancel))
        if relayed is None or relayed.transaction.flow.key != flow.key:
            return None
        return relayed


def _call_of(request: Request) -> _Call:
    """Give what an INVITE and its CANCEL have in common, whatever their Via."""
    return request.call_id, request.from_.tag, request.cseq.number
