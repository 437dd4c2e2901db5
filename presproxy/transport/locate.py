"""
Where a URI leads: transport, address and port (RFC 3263 §4).

In the order of the text: the target, its transport (§4.1), its port and addresses
(§4.2).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import attrs

from presproxy.errors import MalformedField
from presproxy.sip.uri import SipURI, parse_uri
from presproxy.transport.hop import Hop, Unreachable
from presproxy.transport.names import Names, Pointer, Service, is_domain
from presproxy.transport.sharing import together

#: Those of WebSocket are HTTP's (RFC 7118 §5.2.4).
_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}
#: By which we open no connections: those there are were opened by their peers, and are
#: known by address.
_OPENED_BY_PEERS = ("ws", "wss")
#: Of one target.  Chosen: a farm has fewer, and an attacker no use for more.
_MOST_SERVICES = 8
_MOST_HOPS = 16

#: Characters; what is longer is read anew each time, so that nobody fills the memory.
_LONGEST_KNOWN = 128

#: The services of NAPTR records (RFC 3263 §8) which lead to transports there are.
_SERVICES = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
#: What names of services begin with, where there are no NAPTR records.
_PREFIXES = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}


@attrs.define(eq=False)
class Locator:
    """
    Finds the hops to a URI.

    ``random`` gives numbers from 0 up to 1, by which servers of one priority share the
    load.
    """

    names: Names
    random: Callable[[], float] = random.random

    @classmethod
    def of_system(cls, reactor: Any) -> Locator:
        """A locator which asks the name servers of this host."""
        return cls(Names(reactor))

    async def locate(
        self, target: str, transports: Sequence[str] = ("udp", "tcp")
    ) -> Sequence[Hop]:
        """
        Give the hops to a URI, the one to try first first; there is at least one.

        ``transports`` are those there are; the first is taken where nothing says
        another.  Raises `Unreachable`, and `LimitReached` when too many names are being
        asked for.  Waits only for names, and at most nine seconds.
        """
        read = _known_hop if len(target) <= _LONGEST_KNOWN else _hop
        hop = read(target, tuple(transports))
        if hop is not None:
            return [hop]
        uri = _read(target)
        asked = _transport_asked(uri, target)
        host = _host_of(uri)
        if not is_domain(host):
            raise Unreachable(target, f"{host!r} is no host")
        if asked in _OPENED_BY_PEERS:
            raise Unreachable(target, "by WebSocket we open no connections")
        opened = [each for each in transports if each not in _OPENED_BY_PEERS]
        return await self._locate_name(host.lower(), asked, uri, opened)

    async def _locate_name(
        self, name: str, asked: str | None, uri: SipURI, transports: Sequence[str]
    ) -> Sequence[Hop]:
        own = await self.names.in_hosts(name)
        if own or uri.port is not None:
            transport = asked or transports[0]
            places = [(transport, name, uri.port or _PORTS[transport])]
        else:
            places = await self._services(name, asked, transports)
        found = await together(self._addresses(host) for _, host, _ in places)
        hops = [
            Hop(transport, address, port, name if transport == "tls" else "")
            for (transport, _, port), (addresses, _) in zip(places, found, strict=True)
            for address in _usable(addresses)
        ]
        if not hops:
            why = found[0][1] if found else f"{name} says it has no such service"
            raise Unreachable(
                str(uri), why or f"{name} has no address that can be used"
            )
        return hops[:_MOST_HOPS]

    async def _addresses(self, host: str) -> tuple[Sequence[str], str]:
        own = await self.names.in_hosts(host)
        return (own, "") if own else await self.names.addresses(host)

    async def _services(
        self, name: str, asked: str | None, transports: Sequence[str]
    ) -> list[tuple[str, str, int]]:
        """Give transports, hosts and ports, by NAPTR and SRV; or what they default to."""
        named = await self._service_names(name, asked, transports)
        answers = await together(self.names.services(service) for _, service in named)
        left = [asked] if asked is not None else list(transports)
        for (transport, _), servers in zip(named, answers, strict=True):
            if [server.target for server in servers] in ([""], ["."]):
                # RFC 2782: the service is decidedly not available at this domain.
                left.remove(transport)
            elif servers:
                chosen = in_order(servers, self.random)[:_MOST_SERVICES]
                return [(transport, each.target, each.port) for each in chosen]
        return [(transport, name, _PORTS[transport]) for transport in left[:1]]

    async def _service_names(
        self, name: str, asked: str | None, transports: Sequence[str]
    ) -> list[tuple[str, str]]:
        if asked is not None:
            return [(asked, f"{_PREFIXES[asked]}.{name}")]
        pointers = await self.names.pointers(name)
        pointed = [
            (_SERVICES[pointer.service], pointer.replacement)
            for pointer in sorted(pointers, key=_precedence)
            if _SERVICES.get(pointer.service) in transports and pointer.flags == "s"
        ]
        return pointed[:_MOST_SERVICES] or [
            (each, f"{_PREFIXES[each]}.{name}") for each in transports
        ]


def in_order(
    services: Sequence[Service], random: Callable[[], float]
) -> Sequence[Service]:
    """
    Put servers into the order in which to try them (RFC 2782, "Usage rules").

    By priority; among equals by lot, a server of twice the weight twice as likely first.
    """
    rest = sorted(services, key=lambda each: (each.priority, each.weight))
    ordered = []
    while rest:
        rivals = [each for each in rest if each.priority == rest[0].priority]
        lot = random() * sum(map(_share, rivals))
        for drawn in rivals:
            lot -= _share(drawn)
            if lot < 0:
                break
        rest.remove(drawn)
        ordered.append(drawn)
    return ordered


def _share(service: Service) -> float:
    # A weight of zero has "a very small chance", and all have one if all are zero.
    return service.weight or 0.01


def _read(target: str) -> SipURI:
    try:
        uri = parse_uri(target)
    except MalformedField as error:
        raise Unreachable(target, error.why) from error
    if not isinstance(uri, SipURI):
        raise Unreachable(target, "it names no host")
    return uri


def _transport_asked(uri: SipURI, target: str) -> str | None:
    transport = uri.transport
    if uri.scheme == "sips":
        # RFC 3263 §4.1: by TLS, whatever the parameter says.
        # WebSocket by TLS has no name of its own in a URI (RFC 7118 §5.2.1).
        transport = "wss" if transport in ("ws", "wss") else "tls"
    if transport is not None and transport not in _PORTS:
        raise Unreachable(target, f"transport {transport!r} is not known")
    return transport


def _hop(target: str, transports: tuple[str, ...]) -> Hop | None:
    """Give the hop to an address; None to a name.  See `Locator.locate`."""
    uri = _read(target)
    asked = _transport_asked(uri, target)
    if asked is not None and asked not in transports:
        raise Unreachable(target, f"there is no socket for {asked}")
    literal = _literal(_host_of(uri))
    if literal is None:
        return None
    return _hop_to_literal(literal, asked or transports[0], uri, target)


#: The same for those that are asked for again and again, as a server behind is.
_known_hop = lru_cache(maxsize=4096)(_hop)


def _host_of(uri: SipURI) -> str:
    return uri.parameter("maddr") or uri.host


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _hop_to_literal(
    address: IPv4Address | IPv6Address, transport: str, uri: SipURI, target: str
) -> Hop:
    if not _is_unicast(address):
        raise Unreachable(target, f"{address} is not the address of one host")
    port = uri.port or _PORTS[transport]
    return Hop(
        transport, str(address), port, str(address) if transport == "tls" else ""
    )


def _usable(addresses: Sequence[str]) -> Iterator[str]:
    return (each for each in addresses if _is_unicast(ip_address(each)))


def _is_unicast(address: IPv4Address | IPv6Address) -> bool:
    return not (
        address.is_multicast
        or address.is_unspecified
        or (address.version == 4 and str(address) == "255.255.255.255")
    )


def _precedence(pointer: Pointer) -> tuple[int, int]:
    return pointer.order, pointer.preference
