"""
Our end of a flow, as others see it.

A socket bound to all interfaces has no address to write into Via and Contact; the one
that a peer can reach depends on the peer.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address

import attrs

from presproxy.sip.flow import Address

End = tuple[Address, str]
"""Our address towards a peer, and how Via and Contact name it (RFC 3261 sent-by)."""

#: Peers whose side of this host is remembered, and for how many seconds.  Chosen: a peer
#: costs 200 octets, a laptop that changes networks is right again after a minute.
_REMEMBERED = 10_000
_FOR = 60.0


def family_of(host: str) -> socket.AddressFamily:
    """The address family of a literal address, without brackets."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@lru_cache(maxsize=4096)
def is_literal(host: str) -> bool:
    """Whether a host is an address and no name; an IPv6 one without brackets."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def is_loopback(host: str) -> bool:
    """Whether a literal address never leaves this host; to read one takes 3 µs."""
    return ip_address(host).is_loopback


def sent_by(host: str, port: int) -> str:
    """Write an address as sent-by: an IPv6 host in brackets and without its zone."""
    if ":" in host and not host.startswith("["):
        host = f"[{host.partition('%')[0]}]"
    return f"{host}:{port}"


def local_host_towards(host: str) -> str | None:
    """
    Give the address of ours that packets to ``host`` leave from; None if none can.

    Asks the routing table through a socket that never sends.
    """
    with socket.socket(family_of(host), socket.SOCK_DGRAM) as probe:
        try:
            # Any port will do but 0, which some systems refuse.
            probe.connect((host, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


@attrs.define(eq=False)
class OurEnd:
    """
    Our end of all flows by one socket, bound to ``bound``.

    ``advertised`` is the host, or host and port, to name instead: the outside of a
    translator of addresses.
    """

    bound: Address
    advertised: str | None = None
    _clock: Callable[[], float] = time.monotonic
    _towards: dict[str, End] = attrs.field(factory=dict, init=False)
    _forget_at: float = attrs.field(default=0.0, init=False)
    _fixed: End | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        host, _ = self.bound
        everywhere = ip_address(host).is_unspecified
        self._fixed = None if everywhere else self._end(host)

    def towards(self, peer: str) -> End:
        """Give our end of a flow to the host ``peer``."""
        return self._fixed or self._towards_one(peer)

    def seen_at(self, local: Address) -> str:
        """Give the sent-by of a connection that we accepted on ``local``."""
        return self._end(local[0])[1]

    def _towards_one(self, peer: str) -> End:
        now = self._clock()
        if now >= self._forget_at or len(self._towards) >= _REMEMBERED:
            self._towards.clear()
            self._forget_at = now + _FOR
        end = self._towards.get(peer)
        if end is None:
            host = local_host_towards(peer) or self._loopback
            end = self._towards[peer] = self._end(host)
        return end

    @property
    def _loopback(self) -> str:
        return "::1" if ":" in self.bound[0] else "127.0.0.1"

    def _end(self, host: str) -> End:
        port = self.bound[1]
        if self.advertised is None:
            return (host, port), sent_by(host, port)
        return (host, port), advertised_sent_by(self.advertised, port)


def advertised_sent_by(advertised: str, port: int) -> str:
    """
    Write what the operator wants to be named, with ``port`` if he named none.

    ``192.0.2.1``, ``sip.example.test:5080``, ``[2001:db8::1]:5060`` and a bare
    ``2001:db8::1`` are all understood.
    """
    if advertised.startswith("["):
        return advertised if not advertised.endswith("]") else f"{advertised}:{port}"
    if advertised.count(":") == 1:
        return advertised
    return sent_by(advertised, port)
