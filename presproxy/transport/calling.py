"""
Opening connections: one to each peer, however many want it.

By TLS the peer has to prove the name that it was looked for by, not that of the server
which was found for it (RFC 5922 §7.3).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from presproxy.errors import LimitReached
from presproxy.sip.flow import Address
from presproxy.transport.certificates import Trust, UnusableCertificate
from presproxy.transport.ends import OurEnd, sent_by
from presproxy.transport.hop import Hop, Unreachable
from presproxy.transport.sharing import Sharing
from presproxy.transport.stream import StreamConnection
from presproxy.transport.streamflow import Ending, StreamFlow
from presproxy.transport.streams import Streams
from presproxy.transport.tls import SecureConnection, Securing, reason_of

#: Seconds for a connection to be there, and how many may be awaited at once.  Chosen: a
#: peer that is there answers within one; 100 peers that are not cost 100 descriptors.
PATIENCE = 5.0
_AT_ONCE = 100


class Caller:
    """
    Opens connections, which ``streams`` keeps, and ``secure`` those by TLS.

    One has to be there within ``patience`` seconds, and TLS within as many more.
    """

    def __init__(
        self,
        reactor: Any,
        streams: Streams,
        secure: Streams,
        trust: Trust,
        patience: float = PATIENCE,
    ) -> None:
        self._reactor = reactor  # IReactorTCP, which Twisted's own reactors do not name
        self._streams = streams
        self._secure = secure
        self._trust = trust
        self._patience = patience
        self._calls: Sharing[Hop, StreamFlow] = Sharing(
            "connections awaited at once", _AT_ONCE
        )
        self._connectors: set[Any] = set()

    async def call(self, hop: Hop, end: OurEnd | None) -> StreamFlow:
        """
        Give the flow of a new connection, or of one that is being opened already.

        ``end`` is the one of our own listening ends that the peer is to know us by.
        Raises `Unreachable` and `LimitReached`.
        """
        return await self._calls.join(hop, lambda: self._open(hop, end))

    def stop(self) -> None:
        """Give up all connections that are not there yet."""
        for connector in tuple(self._connectors):
            connector.stopConnecting()

    async def _open(self, hop: Hop, end: OurEnd | None) -> StreamFlow:
        streams = self._secure if hop.transport == "tls" else self._streams
        why = streams.refuses(hop.host)
        if why is not None:
            limits = streams.limits
            limit = limits.per_peer if why == "peer" else limits.connections
            raise LimitReached("connections", limit)
        opening = _Opening(streams, hop, end, self._patience)
        factory: Any = opening
        if hop.transport == "tls":
            factory = self._securing(hop, opening)
        connector = self._reactor.connectTCP(
            hop.host,
            hop.port,
            factory,
            timeout=self._patience,
            bindAddress=_bind_address(end),
        )
        self._connectors.add(connector)
        try:
            return await opening.opened
        finally:
            self._connectors.discard(connector)

    def _securing(self, hop: Hop, opening: _Opening) -> Securing:
        try:
            creator = self._trust.towards(hop.name)
        except UnusableCertificate as error:
            raise Unreachable(str(hop), str(error)) from error
        return Securing(creator, opening, self._reactor, is_client=True)


class _Opening(ClientFactory):
    """A connection that is not there yet."""

    noisy = False

    def __init__(
        self, streams: Streams, hop: Hop, end: OurEnd | None, patience: float
    ) -> None:
        self.opened: Deferred[StreamFlow] = Deferred()
        self._streams = streams
        self._hop = hop
        self._end = end
        self._patience = patience

    def buildProtocol(self, addr: object) -> StreamConnection:
        name = _own_name if self._end is None else self._end.seen_at
        if self._hop.transport == "tls":
            return _OpenedSecurely(
                self._streams, name, self._hop, self.opened, self._patience
            )
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


class _OpenedSecurely(SecureConnection):
    """A connection made by us, which is used once its peer proved who it is."""

    def __init__(
        self,
        streams: Streams,
        name: Callable[[Address], str],
        hop: Hop,
        opened: Deferred[StreamFlow],
        patience: float,
    ) -> None:
        super().__init__(streams, name)
        self._hop = hop
        self._patience = patience
        self._opened = opened
        self._is_proved = False
        self._giving_up: Any = None

    def connectionMade(self) -> None:
        """Wait for the peer to agree, for a while."""
        super().connectionMade()
        # The reactor, of which more is known where it is handed in.
        clock: Any = self._keeper.clock
        self._giving_up = clock.callLater(
            self._patience, self._give_up_on, "no TLS in time"
        )

    def handshakeCompleted(self) -> None:
        """Look whom the certificate is for."""
        super().handshakeCompleted()
        self._wait_no_more()
        if not self.names.proves(self._hop.name):
            self._give_up_on(f"its certificate is not for {self._hop.name}")
        elif not self._opened.called:
            self._is_proved = True
            self._opened.callback(self.flow)

    def leads_to(self, name: str) -> bool:
        """Whether the peer has proved that name."""
        return self._is_proved and self.names.proves(name)

    def connectionLost(self, reason: Any = None) -> None:
        """Tell why there is none."""
        self._wait_no_more()
        super().connectionLost(reason)
        if not self._opened.called:
            why = getattr(reason, "value", None)
            said = reason_of(why) if isinstance(why, SSL.Error) else "it was closed"
            self._opened.errback(Unreachable(str(self._hop), f"no TLS: {said}"))

    def _give_up_on(self, why: str) -> None:
        if not self._opened.called:
            self._opened.errback(Unreachable(str(self._hop), why))
        self.abort(Ending.UNSECURED)

    def _wait_no_more(self) -> None:
        if self._giving_up is not None and self._giving_up.active():
            self._giving_up.cancel()


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
