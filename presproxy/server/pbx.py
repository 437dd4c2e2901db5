"""PBXs beside this server, which say how things stand with our users."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

import attrs

from presproxy.server.exchange import Exchange
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request

#: How an identity was proved that was taken from the address a request came from.
PBX = "pbx"


@attrs.frozen
class Pbxs:
    """
    The networks that PBXs are in.

    Nobody is asked for a password there, so whoever can send from one of these addresses,
    or forge it in a datagram, may say of anybody that he is on the phone.
    """

    networks: Sequence[IPv4Network | IPv6Network] = ()

    def sent(self, exchange: Exchange) -> bool:
        """Say whether a request is of a PBX's own: none that it passes on is."""
        return self.have_sent(exchange.request, exchange.flow)

    def have_sent(self, request: Request, flow: Flow) -> bool:
        """Say the same of a request that is not looked at yet."""
        if not self.networks or not request.has_one_via:
            return False
        address = ip_address(flow.peer[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)
