"""
Asking the servers behind us by OPTIONS whether they are there.

Any answer but 503 says that one is: what it thinks of our question is no matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from presproxy.errors import LimitReached
from presproxy.proxying.forward import via_of
from presproxy.server.front.upstream import Upstream
from presproxy.sip.flow import Flow
from presproxy.sip.message import build_request
from presproxy.sip.tokens import Tokens
from presproxy.transaction.client import ClientTransaction, Sender
from presproxy.transport.hop import Hop, Unreachable

#: Seconds after which one that is silent may be asked again.
_SOON = 2.0


class Asking(Sender, Protocol):
    """What is needed of the transactions; see `TransactionLayer`."""

    def abandon(self, transaction: ClientTransaction) -> None:
        """Wait no longer for its response."""


@attrs.define(eq=False)
class Prober:
    """
    Probes each hop of each server; ``patience`` is how many seconds one has to answer.

    ``run`` runs a coroutine that nobody waits for.
    """

    upstreams: Sequence[Upstream]
    asking: Asking
    tokens: Tokens
    ticks: Callable[[], float]
    patience: float
    interval: float
    run: Callable[[object], None]
    _under_way: dict[Hop, _Probe] = attrs.field(factory=dict, init=False)
    #: When they were last asked.
    _asked: dict[Hop, float] = attrs.field(factory=dict, init=False)

    async def look_up(self) -> None:
        """Find all hops, before anybody asks; what cannot be found is looked for again."""
        for upstream in self.upstreams:
            try:
                await upstream.look_up()
            except (Unreachable, LimitReached):
                continue

    def probe(self) -> None:
        """Ask all that are not being asked."""
        now = self.ticks()
        # Names may lead to other hops each time.
        self._asked = {h: t for h, t in self._asked.items() if t + _SOON > now}
        for upstream in self.upstreams:
            self.run(self._probe_all(upstream))

    def tick(self, now: float) -> None:
        """Give up those who did not answer in time, and ask those in doubt."""
        for probe in [each for each in self._under_way.values() if each.until <= now]:
            if probe.transaction is not None:
                self.asking.abandon(probe.transaction)
            probe.failed("no answer to OPTIONS", now)
        for upstream in self.upstreams:
            for hop in upstream.take_doubted():
                if now >= self._asked.get(hop, -_SOON) + _SOON:
                    self.run(self._probe(upstream, hop))

    async def _probe_all(self, upstream: Upstream) -> None:
        try:
            hops = await upstream.look_up()
        except (Unreachable, LimitReached) as error:
            upstream.lost(str(error))
            return
        for hop in hops:
            await self._probe(upstream, hop)

    async def _probe(self, upstream: Upstream, hop: Hop) -> None:
        if hop in self._under_way:
            return
        now = self.ticks()
        probe = _Probe(self, upstream, hop, now + self.patience)
        self._under_way[hop] = probe
        self._asked[hop] = now
        try:
            flow = await upstream.flow_by(hop)
            branch = self.tokens.branch()
            data = self._options(upstream.uri, flow, branch)
            now = self.ticks()
            probe.transaction = self.asking.send(
                "OPTIONS", data, branch, flow, probe, now
            )
        except Unreachable as error:
            probe.failed(error.why, self.ticks())
        except LimitReached:
            # We have no room; it says nothing of the hop.
            self.over(hop)

    def over(self, hop: Hop) -> None:
        """A probe has ended."""
        self._under_way.pop(hop, None)

    def _options(self, uri: str, flow: Flow, branch: str) -> bytes:
        fields = (
            ("Via", via_of(flow, branch)),
            ("Max-Forwards", "1"),
            ("From", f"<sip:presproxy@{flow.sent_by}>;tag={self.tokens.tag()}"),
            ("To", f"<{uri}>"),
            ("Call-ID", self.tokens.call_id()),
            ("CSeq", "1 OPTIONS"),
        )
        return build_request("OPTIONS", uri, fields)


@attrs.define(eq=False)
class _Probe:
    """One OPTIONS that waits for its answer."""

    prober: Prober
    upstream: Upstream
    hop: Hop
    until: float
    transaction: ClientTransaction | None = None

    def answered(self, status: int, data: bytes, now: float) -> None:
        """See `TransactionUser`."""
        if status == 503:
            self.failed("it answers 503 to OPTIONS", now)
        elif status >= 200:
            self.prober.over(self.hop)
            self.upstream.heard(self.hop)

    def failed(self, why: str, now: float) -> None:
        """See `TransactionUser`."""
        self.prober.over(self.hop)
        self.upstream.failed(self.hop, why)
