"""
All connections: how many there may be, when they have lasted too long, who is where.
"""

from __future__ import annotations

from collections import Counter as Tally
from ipaddress import ip_address
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall

from presproxy.metrics import Counter, Metrics
from presproxy.sip.flow import Address
from presproxy.transport.ends import OurEnd
from presproxy.transport.stream import StreamConnection, StreamLimits
from presproxy.transport.streamflow import Ending, State, StreamFlow
from presproxy.transport.traffic import Traffic

#: Seconds between two looks at the connections' times.  Measured: 0.03 µs a connection.
_LOOK = 1.0


@attrs.define(eq=False)
class Crowd:
    """How much the connections of all transports take together."""

    connections: int = 0
    #: Octets that are half read or unsent.
    buffered: int = 0
    per_source: Tally[str] = attrs.field(factory=Tally)

    def come(self, host: str) -> None:
        """Count a connection."""
        self.connections += 1
        self.per_source[_source(host)] += 1

    def go(self, host: str) -> None:
        """Count a connection no more."""
        source = _source(host)
        self.connections -= 1
        self.per_source[source] -= 1
        if not self.per_source[source]:
            del self.per_source[source]

    def refuses(self, host: str, limits: StreamLimits) -> str | None:
        """Why there is no room for one more from or to ``host``, if there is none."""
        if self.connections >= limits.connections:
            return "total"
        if self.per_source[_source(host)] >= limits.per_peer:
            return "peer"
        return None


class Streams:
    """
    The connections of one transport, accepted and opened by us alike.

    ``crowd`` is shared by transports that share the limits.

    They are found by the peer's address and port, which is where they really lead: a
    sent-by in somebody's Via proves nothing without TLS (RFC 5923 §9).
    """

    def __init__(
        self,
        traffic: Traffic,
        limits: StreamLimits,
        clock: IReactorTime,
        metrics: Metrics,
        crowd: Crowd | None = None,
    ) -> None:
        self.traffic = traffic
        self.limits = limits
        self.clock = clock
        self._connections: set[StreamConnection] = set()
        self._by_peer: dict[Address, StreamConnection] = {}
        self._crowd = Crowd() if crowd is None else crowd
        self._is_stopping = False
        self._emptied: Deferred[None] = Deferred()
        self._buffered = 0
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        self._name_metrics(metrics)

    def __len__(self) -> int:
        return len(self._connections)

    def start(self) -> None:
        """Begin to look at the connections' times."""
        if not self._looking.running:
            self._looking.start(_LOOK, now=False)

    async def stop(self) -> None:
        """End all connections, those to slow readers after `StreamLimits.closing`."""
        self._is_stopping = True
        for connection in tuple(self._connections):
            connection.close(Ending.STOPPED)
        if self._connections:
            await self._emptied
        if self._looking.running:
            self._looking.stop()

    def find(self, peer: Address, name: str = "") -> StreamFlow | None:
        """Give the flow of an open connection to a peer, who proved a name if he has to."""
        connection = self._by_peer.get(peer)
        if connection is None or connection.state is not State.OPEN:
            return None
        if not connection.leads_to(name):
            return None
        return connection.flow

    def refuses(self, host: str) -> str | None:
        """Why no connection from or to ``host`` may be added, if none may."""
        if self._is_stopping:
            return "stopped"
        return self._crowd.refuses(host, self.limits)

    def accepting(
        self, end: OurEnd, kind: type[StreamConnection] = StreamConnection
    ) -> Factory:
        """Make what Twisted asks for a protocol for each connection to ``end``."""
        return _Accepting(self, end, kind)

    # --- What connections tell

    def opened(self, connection: StreamConnection) -> None:
        """Take a connection whose flow is made now."""
        self._connections.add(connection)
        self._by_peer[connection.flow.peer] = connection
        self._crowd.come(connection.flow.peer[0])

    def ended(self, ending: Ending) -> None:
        """Count that we ended a connection."""
        self._ended[ending].value += 1

    def closed(self, connection: StreamConnection) -> None:
        """Forget a connection which is gone."""
        self._connections.discard(connection)
        peer = connection.flow.peer
        if self._by_peer.get(peer) is connection:
            del self._by_peer[peer]
        self._crowd.go(peer[0])
        self.traffic.end(connection.flow)
        if self._is_stopping and not (self._connections or self._emptied.called):
            self._emptied.callback(None)

    def buffer(self, octets: int) -> bool:
        """Count more octets as half read or unsent, or fewer; whether there is room."""
        self._buffered += octets
        self._crowd.buffered += octets
        return octets <= 0 or self._crowd.buffered <= self.limits.buffered

    def refused(self, why: str) -> None:
        """Count a connection that was not let in."""
        self._refused[why].value += 1

    # --- Within

    def _look(self) -> None:
        now = self.clock.seconds()
        for connection in tuple(self._connections):
            if connection.look_at <= now:
                connection.look(now)

    def _name_metrics(self, metrics: Metrics) -> None:
        transport = self.traffic.transport
        metrics.gauge(
            "connections_open",
            "Connections that are open.",
            lambda: float(len(self._connections)),
            transport=transport,
        )
        metrics.gauge(
            "connections_buffered",
            "Octets that connections have half read or unsent.",
            lambda: float(self._buffered),
            transport=transport,
        )
        self._ended: dict[Ending, Counter] = {
            ending: metrics.counter(
                "connections_ended",
                "Connections ended by us, and why.",
                transport=transport,
                why=ending.value,
            )
            for ending in Ending
        }
        self._refused = {
            why: metrics.counter(
                "connections_refused",
                "Connections closed as soon as they were there, and why.",
                transport=transport,
                why=why,
            )
            for why in ("total", "peer", "stopped")
        }


class _Accepting(Factory):
    """Lets connections to one of our ends in, while there is room."""

    noisy = False

    def __init__(
        self, streams: Streams, end: OurEnd, kind: type[StreamConnection]
    ) -> None:
        self._streams = streams
        self._end = end
        self._kind = kind

    def buildProtocol(self, addr: Any) -> StreamConnection | None:
        # An IPv4Address or IPv6Address; Twisted's signature allows for all others.
        why = self._streams.refuses(addr.host)
        if why is not None:
            self._streams.refused(why)
            return None
        return self._kind(self._streams, self._end.seen_at, is_accepted=True)


def _source(host: str) -> str:
    if ":" not in host:
        return host
    return ip_address(host.partition("%")[0]).exploded[:19]
