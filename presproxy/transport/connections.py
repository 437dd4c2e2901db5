"""
All sockets: what listens, and the flow to wherever a message has to go.

A flow that a request came by is the best way back.  This is for when there is none: the
stream that is open already, the datagram socket on the right side of this host, or a
new connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IProtocolFactory

from presproxy.errors import forget_traceback
from presproxy.metrics import Metrics
from presproxy.sip.flow import Address, Flow
from presproxy.trace import Tap
from presproxy.transport.calling import Caller
from presproxy.transport.certificates import Certificate, Trust, Wardrobe
from presproxy.transport.ends import (
    OurEnd,
    family_of,
    is_literal,
    is_loopback,
    local_host_towards,
)
from presproxy.transport.hop import Hop, Unreachable
from presproxy.transport.locate import Locator
from presproxy.transport.sharing import together
from presproxy.transport.sockets import address_of, bind
from presproxy.transport.stream import StreamLimits
from presproxy.transport.streams import Crowd, Streams
from presproxy.transport.tls import SecureConnection, Securing
from presproxy.transport.traffic import Backlog, Closed, Receive, Traffic
from presproxy.transport.udp import UdpTransport
from presproxy.transport.websocket import SecureWebConnection, WebConnection
from presproxy.transport.where import SECURE, Where

#: What has connections.
_CONNECTIONS = ("tcp", "tls", "ws", "wss")


class Connections:
    """
    The sockets of one server.

    ``receive`` gets each whole message, ``closed`` each stream that ended.
    ``advertised`` is the host, or host and port, by which peers reach us when it is not
    the one we see ourselves.  ``trust`` is how TLS is spoken with those we call; ``share``
    lets several processes listen on one port;
    ``stun`` tells user agents that ask for it by UDP the address they come from.
    ``now`` tells the moment on the clock of latencies.  Streams are not read while ``backlog``
    has no room.
    """

    def __init__(
        self,
        reactor: Any,  # IReactorTCP, IReactorSocket and IReactorTime in one
        receive: Receive,
        closed: Closed = lambda flow: None,
        *,
        tap: Tap | None = None,
        metrics: Metrics | None = None,
        limits: StreamLimits | None = None,
        locator: Locator | None = None,
        advertised: str | None = None,
        trust: Trust | None = None,
        share: bool = False,
        stun: bool = False,
        now: Callable[[], float] = time.monotonic,
        backlog: Backlog | None = None,
    ) -> None:
        tap = Tap() if tap is None else tap
        metrics = Metrics() if metrics is None else metrics
        self._reactor = reactor
        self._metrics = metrics
        self._locator = Locator.of_system(reactor) if locator is None else locator
        self._advertised = advertised
        self._share = share
        self._stun = stun
        self._datagrams = Traffic("udp", receive, tap=tap, metrics=metrics, now=now)
        crowd = Crowd()

        def streams(transport: str) -> Streams:
            traffic = Traffic(
                transport,
                receive,
                closed,
                tap=tap,
                metrics=metrics,
                now=now,
                backlog=backlog,
            )
            kept = limits or StreamLimits()
            return Streams(traffic, kept, reactor, metrics, crowd)

        self._streams = {each: streams(each) for each in _CONNECTIONS}
        self.trust = Trust() if trust is None else trust
        self._caller = Caller(
            reactor, self._streams["tcp"], self._streams["tls"], self.trust
        )
        self._udp: list[UdpTransport] = []
        #: Of what we open connections by.
        self._ends: dict[str, list[OurEnd]] = {"tcp": [], "tls": []}
        self._stream_ports: list[Any] = []
        self._certificates: list[Certificate] = []
        self._spoken: list[str] = []

    # --- Listening

    async def listen(self, where: Where) -> list[Where]:
        """
        Begin to listen; answer the places really bound, one for each address.

        Raises `CannotListen` and `UnusableCertificate`; then nothing of ``where`` is
        listened on.
        """
        for streams in self._streams.values():
            streams.start()
        adopt = self._adopting(where)
        bound = []
        for each in bind(where, share=self._share):
            host, port = address_of(each)
            end = OurEnd((host, port), self._advertised_in(host))
            adopt(each, end)
            # The reactor has a descriptor of its own now.
            each.close()
            bound.append(Where(where.transport, port, host))
        return bound

    @property
    def certificates(self) -> Sequence[Certificate]:
        """What is proved by TLS who we are, one for each place where it is spoken."""
        return tuple(self._certificates)

    async def stop_accepting(self) -> None:
        """Take no new connections; those there are, and datagrams, go on."""
        ports, self._stream_ports = self._stream_ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)

    async def stop(self) -> None:
        """
        Stop listening, let the connections send what is under way, close all.

        Takes at most `StreamLimits.closing` seconds.
        """
        await self.stop_accepting()
        self._caller.stop()
        await together(streams.stop() for streams in self._streams.values())
        while self._udp:
            self._udp.pop().close()
        for ends in self._ends.values():
            ends.clear()

    # --- Finding a way

    async def flow_to(self, target: str, peer: Address | None = None) -> Flow:
        """
        Give a flow to a URI: of a contact, or of the first in a route set.

        ``peer`` is where datagrams from there came from before, if that is known: it is
        the way through a translator of addresses, and goes before what the URI says.
        Else the hops that RFC 3263 finds are tried in their order.  Raises `Unreachable`
        when none can be reached, and `LimitReached` when too many are being tried.
        """
        if peer is not None:
            return await self.flow_by(Hop("udp", *peer))
        failures: list[str] = []
        for hop in await self.locate(target):
            try:
                return await self.flow_by(hop)
            except Unreachable as unreachable:
                failures.append(str(unreachable))
                forget_traceback(unreachable)
        raise Unreachable(target, "; ".join(failures) or "it leads nowhere")

    async def locate(self, target: str) -> Sequence[Hop]:
        """Give the hops to a URI in the order to be tried; see `Locator.locate`."""
        return await self._locator.locate(target, self._transports())

    async def flow_by(self, hop: Hop) -> Flow:
        """Give a flow to one hop; raises `Unreachable` and `LimitReached`."""
        if not is_literal(hop.host):
            raise Unreachable(str(hop), f"{hop.host!r} is no address")
        if hop.transport == "udp":
            return self._udp_towards(hop).flow_to(hop.address)
        flow = self._streams[hop.transport].find(hop.address, hop.name)
        if flow is not None:
            return flow
        if hop.transport not in self._ends:
            raise Unreachable(str(hop), "by WebSocket we open no connections")
        ends = self._ends[hop.transport]
        return await self._caller.call(hop, _nearest(ends, hop.host))

    def _transports(self) -> Sequence[str]:
        spoken = ["udp"] if self._udp else []
        return [*spoken, "tcp", "tls", *self._spoken]

    def _udp_towards(self, hop: Hop) -> UdpTransport:
        ends = [transport.end for transport in self._udp]
        end = _nearest(ends, hop.host)
        if end is None:
            raise Unreachable(str(hop), "no UDP socket of ours leads there")
        return self._udp[ends.index(end)]

    # --- Within

    def _adopting(self, where: Where) -> Callable[[Any, OurEnd], None]:
        if where.transport == "udp":
            return self._adopt_udp
        if where.transport == "tcp":
            return self._adopt_tcp
        if where.transport != "tls" and where.transport not in self._spoken:
            self._spoken.append(where.transport)
        if where.transport not in SECURE:
            return self._adopt_web
        wardrobe = Wardrobe(
            [Certificate.read(*files, where.clients) for files in where.certificates]
        )
        self._certificates += wardrobe.certificates
        return partial(self._adopt_secure, where.transport, wardrobe)

    def _adopt_udp(self, bound: Any, end: OurEnd) -> None:
        transport = UdpTransport(self._datagrams, end, self._metrics, stun=self._stun)
        transport.open(bound, self._reactor)
        self._udp.append(transport)

    def _adopt_tcp(self, bound: Any, end: OurEnd) -> None:
        self._adopt_stream(bound, self._streams["tcp"].accepting(end))
        self._ends["tcp"].append(end)

    def _adopt_web(self, bound: Any, end: OurEnd) -> None:
        accepting = self._streams["ws"].accepting(end, WebConnection)
        self._adopt_stream(bound, accepting)

    def _adopt_secure(
        self, transport: str, wardrobe: Wardrobe, bound: Any, end: OurEnd
    ) -> None:
        kind = SecureConnection if transport == "tls" else SecureWebConnection
        accepting = self._streams[transport].accepting(end, kind)
        self._adopt_stream(bound, Securing(wardrobe, accepting, self._reactor))
        if transport in self._ends:
            self._ends[transport].append(end)

    def _adopt_stream(self, bound: Any, factory: IProtocolFactory) -> None:
        port = self._reactor.adoptStreamPort(bound.fileno(), bound.family, factory)
        self._stream_ports.append(port)

    def _advertised_in(self, host: str) -> str | None:
        try:
            advertised = ip_address((self._advertised or "").strip("[]"))
        except ValueError:
            # None, or a name, which may have addresses of both families.
            return self._advertised
        same = family_of(str(advertised)) is family_of(host)
        return self._advertised if same else None


def _nearest(ends: Sequence[OurEnd], host: str) -> OurEnd | None:
    """
    Give the end that a packet to ``host`` should leave from.

    First the one on the interface the routing table names, then one on all interfaces,
    then any that can get there: a loopback address never leaves this host.
    """
    family = family_of(host)
    loopback = is_loopback(host)
    able = [
        end
        for end in ends
        if family_of(end.bound[0]) is family
        and (loopback or not is_loopback(end.bound[0]))
    ]
    if len(able) < 2:
        return able[0] if able else None
    local = local_host_towards(host)

    def distance(end: OurEnd) -> int:
        if end.bound[0] == local:
            return 0
        return 1 if ip_address(end.bound[0]).is_unspecified else 2

    return min(able, key=distance)
