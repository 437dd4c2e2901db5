"""
SIP over UDP (RFC 3261 §18).

What cannot be sent is lost, counted, and no more than that: the transactions above send
again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.protocol import DatagramProtocol

from presproxy.metrics import Counter, Metrics
from presproxy.sip.flow import Address, Flow
from presproxy.transport.ends import OurEnd, family_of, is_literal
from presproxy.transport.stun import FIRST_OF_SIP, binding_response
from presproxy.transport.traffic import Traffic

#: The most a datagram can hold; Twisted cuts it to 8,192 octets when not told.
LARGEST_DATAGRAM = 65535

#: Octets read in one turn of the reactor; Twisted takes a quarter of it.  A thousand
#: requests are some five milliseconds of reading, and what is more than can be served is
#: to be seen soon, not to grow old in the system's buffer.
MOST_AT_ONCE = 1024 * 1024

#: What is longer may be fragmented on the way, and some phones lose what is: octets of
#: the MTU of Ethernet less what tunnels take (RFC 3261 §18.1.1).
_UNFRAGMENTED = 1300

#: Datagrams of no more octets keep a translator of addresses awake: CRLF CRLF, CRLF, a
#: NUL (seen from several makers of phones).  They are not answered.
_KEEPALIVE = 4


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


class UdpTransport(DatagramProtocol):
    """
    One datagram socket.

    Give it to `IReactorSocket.adoptDatagramPort` with a ``maxPacketSize`` of
    `LARGEST_DATAGRAM`.  With ``stun``, peers that ask for their address are told it.
    """

    noisy = False
    transport: Any  # Twisted's UDP port; no interface of it names the socket

    def __init__(
        self, traffic: Traffic, end: OurEnd, metrics: Metrics, *, stun: bool = False
    ) -> None:
        self.end = end
        self._stun = stun
        self.is_open = False
        self._traffic = traffic
        self._sendto: Callable[[bytes, Address], Any] = _not_started
        self.lost = lost_datagrams(metrics)
        self._keepalives = metrics.counter(
            "datagrams_ignored", "Datagrams that only keep a translator awake."
        )
        self._long = metrics.counter(
            "datagrams_long", "Datagrams sent which may be fragmented on the way."
        )

    def startProtocol(self) -> None:
        """Take the socket: Twisted's own write costs 3 µs more for checks made here."""
        self._sendto = self.transport.getHandle().sendto
        self.is_open = True

    def stopProtocol(self) -> None:
        """Let go of the socket."""
        self.is_open = False
        self._sendto = _not_started

    def datagramReceived(self, data: bytes, address: Address) -> None:
        """Hand on one datagram."""
        if len(data) <= _KEEPALIVE or data[0] < FIRST_OF_SIP:
            self._keep_awake(data, address)
        else:
            self._traffic.take(data, UdpFlow(self, address))

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


def _not_started(data: bytes, peer: Address) -> Any:
    raise OSError("the socket is closed")
