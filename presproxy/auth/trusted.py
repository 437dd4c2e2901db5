"""
Neighbours whose word is taken (RFC 3325): they have asked who the sender is, and say it.

They are known by the address that a message comes from.  By TCP and TLS that is where
they are; a datagram may say that it comes from anywhere, so that by UDP it is the network
which has to keep others from speaking in a neighbour's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import attrs
from zope.interface import implementer

from presproxy.errors import AccessDenied, MalformedField
from presproxy.extend.maker import option
from presproxy.interfaces import IAuthenticator, IHouse
from presproxy.model.identity import Identity
from presproxy.sip.fields import parse_name_address
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.uri import AddressOfRecord

#: What vouches for the identities said here.
TRUSTED = "trusted"

_ASSERTED = "P-Asserted-Identity"

#: One with sip or sips, and one with tel (RFC 3325 §9.1).
_MOST = 2


def _are_networks(
    plugin: TrustedAuthenticator, field: attrs.Attribute[Sequence[str]], peers: object
) -> None:
    if not plugin.peers:
        raise ValueError("peers names nobody")
    for peer in plugin.peers:
        _network(peer)


@implementer(IAuthenticator)
@attrs.define(eq=False)
class TrustedAuthenticator:
    """Believes P-Asserted-Identity from some neighbours, and from nobody else."""

    peers: tuple[str, ...] = option(
        "The neighbours: addresses, or networks as 192.0.2.0/24.",
        validator=_are_networks,
    )
    believe_from: bool = option(
        "Take the sender in From where they assert nobody, as PBXs that publish the state "
        "of their phones do.",
        default=False,
    )
    _networks: Sequence[IPv4Network | IPv6Network] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._networks = [_network(peer) for peer in self.peers]

    async def start(self, house: IHouse) -> None:
        """Need nothing."""

    async def stop(self) -> None:
        """Hold nothing."""

    def trusts(self, flow: Flow) -> bool:
        """Whether a neighbour is at the other end of a flow."""
        address = ip_address(flow.peer[0].partition("%")[0])
        return any(address in network for network in self._networks)

    async def authenticate(self, request: Request, flow: Flow) -> Identity | None:
        if not self.trusts(flow):
            return None
        try:
            asserted = _asserted(request)
            if asserted is not None:
                return Identity(asserted, TRUSTED, is_asserted=True)
            if self.believe_from:
                return Identity(request.from_.aor, TRUSTED)
        except MalformedField as error:
            raise AccessDenied(f"nobody to believe in: {error}") from error
        return None

    def challenge(self, request: Request, realm: str, stale: bool) -> Sequence[str]:
        return ()


def _asserted(request: Request) -> AddressOfRecord | None:
    """Give who is asserted to be the sender: by a SIP URI, if there is one."""
    values = request.values(_ASSERTED.lower())
    if len(values) > _MOST:
        raise MalformedField(_ASSERTED, "there are more than two")
    said = [parse_name_address(_ASSERTED, value).aor for value in values]
    return min(said, key=lambda aor: not aor.startswith("sip:"), default=None)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is neither an address nor a network") from error
