"""
SIP over UDP (RFC 3261 §18).

What cannot be sent is lost, counted, and no more than that: the transactions above send
again.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from presproxy.metrics import Counter, Metrics
from presproxy.sip.flow import Address, Flow
from presproxy.transport.ends import OurEnd, family_of, is_literal
from presproxy.transport.stun import FIRST_OF_SIP, binding_response
from presproxy.transport.traffic import Traffic

_log = Logger()

#: The most a datagram can hold.
LARGEST_DATAGRAM = 65535

#: Datagrams read in one turn of the reactor, some five milliseconds of reading.  What is
#: more than can be served is to be seen soon, not to grow old in the system's buffer.
MOST_AT_ONCE = 1000

#: What is longer may be fragmented on the way, and some phones lose what is: octets of
#: the MTU of Ethernet less what tunnels take (RFC 3261 §18.1.1).
_UNFRAGMENTED = 1300

#: Datagrams of no more octets keep a translator of addresses awake: CRLF CRLF, CRLF, a
#: NUL (seen from several makers of phones).  They are not answered.
_KEEPALIVE = 4

_LOST = Failure(CONNECTION_LOST)


class UdpFlow(Flow):
    """A way to one peer by a datagram socket; costs nothing to make or to drop."""

    __slots__ = ("_transport",)

    transport = "UDP"

    def __init__(self, transport: UdpTransport, peer: Address) -> None:
        self._transport = transport
        self.peer = peer
        self.local, self.sent_by = transport.end.towards(peer[0])

    @property
    def is_open(self) -> bool:
        """Whether the socket is."""
        return self._transport.is_open

    def send(self, data: bytes) -> None:
        """Send one message; lost without a word if the system will not take it."""
        self._transport.send(data, self)

    def towards(self, peer: Address) -> Flow:
        """
        Give the flow to another address by the same socket.

        What is sent towards something that is no address of the socket's family is lost:
        names in a Via are never looked up.
        """
        if peer == self.peer:
            return self
        ours = family_of(self._transport.end.bound[0])
        if is_literal(peer[0]) and family_of(peer[0]) is ours:
            return UdpFlow(self._transport, peer)
        return _Nowhere(self._transport, self, peer)


class _Nowhere(UdpFlow):
    """The flow to what is no address; all that is sent there is lost."""

    __slots__ = ()

    def __init__(self, transport: UdpTransport, near: Flow, peer: Address) -> None:
        self._transport = transport
        self.local, self.sent_by, self.peer = near.local, near.sent_by, peer

    @property
    def is_open(self) -> bool:
        """Never."""
        return False

    def send(self, data: bytes) -> None:
        """Count a loss."""
        self._transport.lost.value += 1


@implementer(IReadDescriptor)
class UdpTransport:
    """
    One datagram socket.  With ``stun``, peers that ask for their address are told it.

    It reads by itself, into one buffer from which each datagram is taken as it is.  What
    Twisted has for that lets the system write into 65,535 octets for each and cuts them
    down: a message then stands where there was room for the largest, and the memory
    between them grows by a quarter within minutes.
    """

    def __init__(
        self, traffic: Traffic, end: OurEnd, metrics: Metrics, *, stun: bool = False
    ) -> None:
        self.end = end
        self._stun = stun
        self._traffic = traffic
        self._reactor: IReactorFDSet
        self._socket: socket.socket | None = None
        self._sendto: Callable[[bytes, Address], Any] = _not_open
        self._buffer = memoryview(bytearray(LARGEST_DATAGRAM))
        self.lost = lost_datagrams(metrics)
        self._keepalives = metrics.counter(
            "datagrams_ignored", "Datagrams that only keep a translator awake."
        )
        self._long = metrics.counter(
            "datagrams_long", "Datagrams sent which may be fragmented on the way."
        )

    @property
    def is_open(self) -> bool:
        """Whether there is a socket."""
        return self._socket is not None

    def open(self, bound: socket.socket, reactor: IReactorFDSet) -> None:
        """Read from a socket that does not block; it gets a descriptor of its own here."""
        self._socket = bound.dup()
        self._sendto = self._socket.sendto
        self._reactor = reactor
        reactor.addReader(self)

    def close(self) -> None:
        """Let go of the socket; nothing comes in any more, and what is sent is lost."""
        if self._socket is not None:
            self._reactor.removeReader(self)
            self._socket.close()
        self._socket, self._sendto = None, _not_open

    # --- What the reactor asks

    def fileno(self) -> int:
        """Give the descriptor of the socket."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """Name it in what is logged meanwhile."""
        return f"udp {self.end.bound[1]}"

    def doRead(self) -> None:
        """Read what is there, within `MOST_AT_ONCE`."""
        assert self._socket is not None, "who is closed is not asked to read"
        receive, buffer, take = self._socket.recvfrom_into, self._buffer, self.take
        for _ in range(MOST_AT_ONCE):
            try:
                length, peer = receive(buffer)
            except OSError:
                # There is no more, or one that was sent did not arrive.
                return
            # An address of IPv6 has two numbers more.
            take(bytes(buffer[:length]), peer[:2])
            if self._socket is None:
                return

    def connectionLost(self, reason: Failure = _LOST) -> None:
        """The system has closed the socket."""
        _log.error("{end} is closed: {reason}", end=self.end.bound, reason=reason)
        self.close()

    # --- Datagrams

    def take(self, data: bytes, peer: Address) -> None:
        """Hand on one datagram.  Raises nothing that it can cause."""
        if len(data) <= _KEEPALIVE or data[0] < FIRST_OF_SIP:
            self._keep_awake(data, peer)
        else:
            self._traffic.take(data, UdpFlow(self, peer))

    def _keep_awake(self, data: bytes, address: Address) -> None:
        self._keepalives.value += 1
        response = binding_response(data, address) if self._stun else None
        if response is not None:
            with suppress(OSError):
                self._sendto(response, address)

    def flow_to(self, peer: Address) -> UdpFlow:
        """Give the flow to an address, which must be a literal of the socket's family."""
        return UdpFlow(self, peer)

    def send(self, data: bytes, flow: Flow) -> None:
        """Send a datagram to the peer of ``flow``."""
        try:
            self._sendto(data, flow.peer)
        except (OSError, OverflowError):
            # EAGAIN, ENOBUFS, EMSGSIZE, ENETUNREACH …; OverflowError is a port > 65535.
            self.lost.value += 1
        else:
            if len(data) > _UNFRAGMENTED:
                self._long.value += 1
            self._traffic.gave(data, flow)


def lost_datagrams(metrics: Metrics) -> Counter:
    """Give the counter of datagrams the system did not take."""
    return metrics.counter("datagrams_lost", "Datagrams which could not be sent.")


def _not_open(data: bytes, peer: Address) -> Any:
    raise OSError("the socket is closed")
