"""
The one way to the server: a datagram socket of our own, or a connection.

A connection that is gone is opened anew when something is to be sent.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThreadPool

from presproxy.errors import FlowClosed, MalformedField
from presproxy.metrics import Metrics
from presproxy.sip.flow import Address, Flow
from presproxy.trace import Tap
from presproxy.transport.calling import Caller
from presproxy.transport.certificates import Trust
from presproxy.transport.ends import OurEnd, is_literal, local_host_towards, sent_by
from presproxy.transport.hop import Hop, Unreachable
from presproxy.transport.locate import Locator
from presproxy.transport.sharing import Sharing
from presproxy.transport.sockets import address_of, bind
from presproxy.transport.stream import StreamLimits
from presproxy.transport.streams import Streams
from presproxy.transport.traffic import Traffic
from presproxy.transport.udp import UdpTransport
from presproxy.transport.where import Where

TRANSPORTS = ("udp", "tcp", "tls")
_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}

#: One connection, for as long as the server wants it, and not a second longer.
_LIMITS = StreamLimits(idle=float("inf"), closing=1.0)
#: Seconds for which a host is left alone that did not answer, where there are others.
_REST = 30.0


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
        is_odd = any(sign in host for sign in " @/;")
        if ":" in host or text.startswith("["):
            is_odd = ":" not in host or not is_literal(host)
        if not host or is_odd:
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

    Where several hosts are found for it (RFC 3263), it leads to the first that can be
    reached, and to the next one when that says nothing.  ``trust`` says whom to believe by
    TLS, and what is shown of us.  ``limit`` is how many seconds a
    name or a connection may take.
    """

    server: Server
    reactor: Any
    tap: Tap
    limit: float
    trust: Trust
    locator: Locator = attrs.field()
    _user: User | None = None
    _flow: Flow | None = None
    _hop: Hop | None = None
    #: Those that were found last, and until when some are left alone.
    _hops: Sequence[Hop] = ()
    _resting: dict[Hop, float] = attrs.field(factory=dict)
    #: By the address of ours that leads to a hop.
    _sockets: dict[str, UdpTransport] = attrs.field(factory=dict)
    _streams: Streams | None = None
    _opening: Sharing[str, Flow] = attrs.field(
        factory=lambda: Sharing("ways to a server", 1)
    )

    @locator.default
    def _as_system(self) -> Locator:
        return Locator.of_system(self.reactor)

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

        Raises `Unreachable`, `LimitReached`, `OSError` or `FlowClosed` if it cannot be.
        """
        if self._user is None:
            raise FlowClosed(self.name)
        if self._flow is None or not self._flow.is_open:
            # One for all who want to send something now.
            self._flow = await self._opening.join("", self._open)
        return self._flow

    def silent(self, flow: Flow) -> None:
        """
        Hear that nobody answers on a flow, or that 503 is answered (RFC 3263 §4.3).

        The next flow leads to another host, if there is one.
        """
        if flow is self._flow and self._hop is not None and len(self._hops) > 1:
            self._rest(self._hop)
            self._flow = None

    def keep_alive(self) -> None:
        """Send a sign of life, if there is a connection ([MS-CONMGMT] 2.2.1)."""
        if self._flow is not None and self.is_open:
            with suppress(FlowClosed):
                self._flow.send(b"\r\n\r\n")

    async def close(self) -> None:
        """Let go of the sockets."""
        self._user = self._flow = None
        for each in self._sockets.values():
            each.close()
        self._sockets.clear()
        if self._streams is not None:
            await self._streams.stop()

    # -- Finding a host ----------------------------------------------------------------

    async def _open(self) -> Flow:
        self._hops = await self._look_up()
        awake = [hop for hop in self._hops if not self._is_resting(hop)]
        failure: Unreachable | None = None
        # Where all are left alone, none is.
        for hop in awake or self._hops:
            try:
                flow = await self._flow_by(hop)
            except Unreachable as error:
                failure = error
                self._rest(hop)
            else:
                self._hop = hop
                return flow
        raise failure or Unreachable(self.name, "it has no address")

    async def _look_up(self) -> Sequence[Hop]:
        host, port, transport = (
            self.server.host,
            self.server.port,
            self.server.transport,
        )
        where = sent_by(host, port) if port else _bracketed(host)
        uri = f"sip:{where};transport={transport}"
        if transport == "tls":
            uri = f"sips:{where}"
        try:
            return await self.locator.locate(uri, TRANSPORTS)
        except Unreachable as error:
            # The system may know more names than the domain name system does.
            return await self._ask_system(error)

    async def _ask_system(self, error: Unreachable) -> Sequence[Hop]:
        host, port = self.server.address
        try:
            found = await deferToThreadPool(
                self.reactor,
                self.reactor.getThreadPool(),
                socket.getaddrinfo,
                host,
                port,
                type=socket.SOCK_DGRAM,
            ).addTimeout(self.limit, self.reactor)
        except OSError:
            raise error from None
        return [
            Hop(self.server.transport, str(each[4][0]), port, host) for each in found
        ]

    def _is_resting(self, hop: Hop) -> bool:
        clock: IReactorTime = self.reactor
        return self._resting.get(hop, 0.0) > clock.seconds()

    def _rest(self, hop: Hop) -> None:
        for other in [each for each in self._resting if each not in self._hops]:
            del self._resting[other]
        self._resting[hop] = self.reactor.seconds() + _REST

    # -- Sockets -----------------------------------------------------------------------

    async def _flow_by(self, hop: Hop) -> Flow:
        if hop.transport == "udp":
            return self._datagrams(hop)
        if self._streams is None:
            metrics = Metrics()
            traffic = self._traffic(hop.transport.upper(), metrics)
            self._streams = Streams(traffic, _LIMITS, self.reactor, metrics)
            self._streams.start()
        streams = self._streams
        caller = Caller(self.reactor, streams, streams, self.trust, self.limit)
        return await caller.call(hop, None)

    def _datagrams(self, hop: Hop) -> Flow:
        local = local_host_towards(hop.host)
        if local is None:
            raise Unreachable(self.name, f"no way to {hop.host}")
        if local not in self._sockets:
            self._sockets[local] = self._bind(local)
        return self._sockets[local].flow_to(hop.address)

    def _bind(self, local: str) -> UdpTransport:
        (bound,) = bind(Where("udp", 0, local))
        metrics = Metrics()
        transport = UdpTransport(
            self._traffic("UDP", metrics), OurEnd(address_of(bound)), metrics
        )
        transport.open(bound, self.reactor)
        bound.close()
        return transport

    def _traffic(self, transport: str, metrics: Metrics) -> Traffic:
        return Traffic(
            transport,
            self._received,
            self._broke,
            tap=self.tap,
            metrics=metrics,
            now=time.time,
        )

    def _received(self, data: bytes, flow: Flow) -> None:
        if self._user is not None:
            self._user.received(data, flow)

    def _broke(self, flow: Flow) -> None:
        if self._user is not None and flow is self._flow:
            self._user.broke()


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
