"""
The one way to the server: a datagram socket of our own, or a connection.

A connection that is gone is opened anew when something is to be sent.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import attrs
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimedOut
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThreadPool

from presproxy.errors import FlowClosed, MalformedField
from presproxy.metrics import Metrics
from presproxy.sip.flow import Address, Flow
from presproxy.trace import Tap
from presproxy.transport.certificates import trusting
from presproxy.transport.ends import (
    OurEnd,
    local_host_towards,
    sent_by,
)
from presproxy.transport.sharing import Sharing
from presproxy.transport.sockets import address_of, bind
from presproxy.transport.stream import StreamConnection, StreamLimits
from presproxy.transport.streamflow import Ending
from presproxy.transport.streams import Streams
from presproxy.transport.tls import SecureConnection, Securing, reason_of
from presproxy.transport.traffic import Traffic
from presproxy.transport.udp import UdpTransport
from presproxy.transport.where import Where

TRANSPORTS = ("udp", "tcp", "tls")
_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}

#: One connection, for as long as the server wants it, and not a second longer.
_LIMITS = StreamLimits(idle=float("inf"), closing=1.0)


@attrs.frozen
class Server:
    """
    Where the server is: a name or an address without brackets, and how it is spoken to.

    ``port`` 0 is the usual one of the transport.  By TLS it proves who it is to the
    ``authorities``, a file in PEM; those of this host if none is named.
    """

    host: str
    port: int = attrs.field(default=0)
    transport: str = attrs.field(
        default="udp", validator=attrs.validators.in_(TRANSPORTS)
    )
    authorities: str = ""

    @property
    def address(self) -> Address:
        """Host and port."""
        return self.host, self.port or _PORTS[self.transport]

    @classmethod
    def parse(cls, text: str, transport: str = "udp") -> Server:
        """
        Read ``HOST``, ``HOST:PORT`` or ``[IPV6]:PORT``.

        Raises `MalformedField`.
        """
        host, colon, port = text, "", ""
        if text.startswith("["):
            host, _, rest = text[1:].partition("]")
            colon, port = rest[:1], rest[1:]
        elif text.count(":") == 1:
            host, colon, port = text.partition(":")
        if colon not in ("", ":") or (colon and not _is_port(port)):
            raise MalformedField("server", f"no HOST:PORT: {text!r}")
        if not host or any(sign in host for sign in " @/;"):
            raise MalformedField("server", f"no host: {text!r}")
        return cls(host, int(port) if colon else 0, transport)

    def __str__(self) -> str:
        return f"{self.transport}:{sent_by(*self.address)}"


class User(Protocol):
    """Who uses the wire."""

    def received(self, data: bytes, flow: Flow) -> None:
        """Take a whole message."""

    def broke(self) -> None:
        """Hear that the connection is gone, without having been asked to go."""


@attrs.define(eq=False)
class Wire:
    """
    The way to ``server``.

    ``limit`` is how many seconds a name or a connection may take.
    """

    server: Server
    reactor: Any
    tap: Tap
    limit: float
    _user: User | None = None
    _flow: Flow | None = None
    _socket: UdpTransport | None = None
    _streams: Streams | None = None
    _opening: Sharing[str, Flow] = attrs.field(
        factory=lambda: Sharing("ways to a server", 1)
    )

    @property
    def name(self) -> str:
        """The server's, for people."""
        return str(self.server)

    @property
    def is_open(self) -> bool:
        """Whether something can be sent without opening anything."""
        return self._flow is not None and self._flow.is_open

    def start(self, user: User) -> None:
        """Tell ``user`` what comes from now on."""
        self._user = user

    async def flow(self) -> Flow:
        """
        Give the flow to the server, and open it if need be.

        Raises `OSError` or `FlowClosed` if it cannot be.
        """
        if self._user is None:
            raise FlowClosed(self.name)
        if self._flow is None or not self._flow.is_open:
            open_flow = (
                self._datagrams if self.server.transport == "udp" else self._stream
            )
            # One for all who want to send something now.
            self._flow = await self._opening.join("", open_flow)
        return self._flow

    def keep_alive(self) -> None:
        """Send a sign of life, if there is a connection ([MS-CONMGMT] 2.2.1)."""
        if self._flow is not None and self.is_open:
            with suppress(FlowClosed):
                self._flow.send(b"\r\n\r\n")

    async def close(self) -> None:
        """Let go of the socket."""
        self._user = self._flow = None
        if self._socket is not None:
            self._socket.close()
        if self._streams is not None:
            await self._streams.stop()

    async def _datagrams(self) -> Flow:
        peer = await self._address()
        local = local_host_towards(peer[0])
        if local is None:
            raise OSError(f"no way to {peer[0]}")
        (bound,) = bind(Where("udp", 0, local))
        metrics = Metrics()
        self._socket = UdpTransport(
            self._traffic("UDP", metrics), OurEnd(address_of(bound)), metrics
        )
        self._socket.open(bound, self.reactor)
        bound.close()
        return self._socket.flow_to(peer)

    async def _stream(self) -> Flow:
        if self._streams is None:
            metrics = Metrics()
            traffic = self._traffic(self.server.transport.upper(), metrics)
            self._streams = Streams(traffic, _LIMITS, self.reactor, metrics)
            self._streams.start()
        host, port = self.server.address
        endpoint = HostnameEndpoint(self.reactor, host, port, timeout=self.limit)
        if self.server.transport == "tcp":
            connection = StreamConnection(self._streams, _own_name)
            await endpoint.connect(_Alone(connection))
            return connection.flow
        return await self._secure(endpoint, self._streams)

    async def _secure(self, endpoint: HostnameEndpoint, streams: Streams) -> Flow:
        creator = trusting(self.server.authorities, self.server.host)
        connection = _Secured(streams, _own_name)
        alone = _Alone(connection)
        await endpoint.connect(Securing(creator, alone, self.reactor, is_client=True))
        try:
            await connection.secured.addTimeout(self.limit, self.reactor)
        except DeferredTimedOut:
            connection.abort(Ending.UNSECURED)
            raise
        return connection.flow

    def _traffic(self, transport: str, metrics: Metrics) -> Traffic:
        return Traffic(
            transport,
            self._received,
            self._broke,
            tap=self.tap,
            metrics=metrics,
            now=time.monotonic,
        )

    def _received(self, data: bytes, flow: Flow) -> None:
        if self._user is not None:
            self._user.received(data, flow)

    def _broke(self, flow: Flow) -> None:
        if self._user is not None and flow is self._flow:
            self._user.broke()

    async def _address(self) -> Address:
        """Look the server's name up, if it is a name."""
        host, port = self.server.address
        found = await deferToThreadPool(
            self.reactor,
            self.reactor.getThreadPool(),
            socket.getaddrinfo,
            host,
            port,
            type=socket.SOCK_DGRAM,
        ).addTimeout(self.limit, self.reactor)
        address = found[0][4]
        return str(address[0]), int(address[1])


class _Secured(SecureConnection):
    """The connection by TLS; ``secured`` once both sides agree."""

    def __init__(self, streams: Streams, name: Callable[[Address], str]) -> None:
        super().__init__(streams, name)
        self.secured: Deferred[None] = Deferred()

    def handshakeCompleted(self) -> None:
        """Let the flow be used."""
        super().handshakeCompleted()
        self.secured.callback(None)

    def connectionLost(self, reason: Any = None) -> None:
        """Tell why there is none."""
        super().connectionLost(reason)
        if not self.secured.called:
            why = getattr(reason, "value", None)
            said = reason_of(why) if isinstance(why, SSL.Error) else str(why)
            self.secured.errback(OSError(f"no TLS: {said}"))


class _Alone(Factory):
    """Gives the one connection it was made for."""

    noisy = False

    def __init__(self, connection: StreamConnection) -> None:
        self._connection = connection

    def buildProtocol(self, addr: IAddress | None) -> StreamConnection:
        return self._connection


def _own_name(local: Address) -> str:
    return sent_by(*local)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536
