"""
Opening connections: one to each peer, however many want it.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from presproxy.errors import LimitReached
from presproxy.sip.flow import Address
from presproxy.transport.ends import OurEnd, sent_by
from presproxy.transport.hop import Hop, Unreachable
from presproxy.transport.sharing import Sharing
from presproxy.transport.stream import StreamConnection, StreamFlow
from presproxy.transport.streams import Streams

#: Seconds for a connection to be there, and how many may be awaited at once.  Chosen: a
#: peer that is there answers within one; 100 peers that are not cost 100 descriptors.
PATIENCE = 5.0
_AT_ONCE = 100


class Caller:
    """Opens connections, which ``streams`` keeps."""

    def __init__(self, reactor: Any, streams: Streams) -> None:
        self._reactor = reactor  # IReactorTCP, which Twisted's own reactors do not name
        self._streams = streams
        self._calls: Sharing[Address, StreamFlow] = Sharing(
            "connections awaited at once", _AT_ONCE
        )
        self._connectors: set[Any] = set()

    async def call(self, hop: Hop, end: OurEnd | None) -> StreamFlow:
        """
        Give the flow of a new connection, or of one that is being opened already.

        ``end`` is the one of our own listening ends that the peer is to know us by.
        Raises `Unreachable` and `LimitReached`.
        """
        return await self._calls.join(hop.address, lambda: self._open(hop, end))

    def stop(self) -> None:
        """Give up all connections that are not there yet."""
        for connector in tuple(self._connectors):
            connector.stopConnecting()

    async def _open(self, hop: Hop, end: OurEnd | None) -> StreamFlow:
        why = self._streams.refuses(hop.host)
        if why is not None:
            limits = self._streams.limits
            limit = limits.per_peer if why == "peer" else limits.connections
            raise LimitReached("connections", limit)
        opening = _Opening(self._streams, hop, end)
        connector = self._reactor.connectTCP(
            hop.host,
            hop.port,
            opening,
            timeout=PATIENCE,
            bindAddress=_bind_address(end),
        )
        self._connectors.add(connector)
        try:
            return await opening.opened
        finally:
            self._connectors.discard(connector)


class _Opening(ClientFactory):
    """A connection that is not there yet."""

    noisy = False

    def __init__(self, streams: Streams, hop: Hop, end: OurEnd | None) -> None:
        self.opened: Deferred[StreamFlow] = Deferred()
        self._streams = streams
        self._hop = hop
        self._end = end

    def buildProtocol(self, addr: object) -> StreamConnection:
        name = _own_name if self._end is None else self._end.seen_at
        return _Opened(self._streams, name, self.opened)

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        self.opened.errback(Unreachable(str(self._hop), _why(reason)))


class _Opened(StreamConnection):
    """A connection made by us."""

    def __init__(
        self,
        streams: Streams,
        name: Callable[[Address], str],
        opened: Deferred[StreamFlow],
    ) -> None:
        super().__init__(streams, name)
        self._opened = opened

    def connectionMade(self) -> None:
        """Make the flow, and give it to those who wait for it."""
        super().connectionMade()
        self._opened.callback(self.flow)


def _own_name(local: Address) -> str:
    return sent_by(*local)


def _bind_address(end: OurEnd | None) -> Address | None:
    # A firewall may let only the address out that we listen on.
    if end is None or ip_address(end.bound[0]).is_unspecified:
        return None
    return end.bound[0], 0


def _why(reason: Failure) -> str:
    # "Connection was refused by other side: 111: Connection refused."
    return reason.getErrorMessage().rpartition(": ")[2].rstrip(".")
