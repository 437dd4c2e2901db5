"""The next hop: where a message goes at last, once names are no more."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from presproxy.errors import PresproxyError
from presproxy.sip.flow import Address


@attrs.frozen
class Hop:
    """
    A transport (``udp``, ``tcp`` or ``tls``), an address and a port.

    ``host`` is a literal address, an IPv6 one without brackets.  ``name`` is the host or
    domain that it has to prove to be, by TLS.
    """

    transport: str
    host: str
    port: int
    name: str = ""

    @property
    def address(self) -> Address:
        """Host and port."""
        return self.host, self.port

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}:{host}:{self.port}"


def for_large(hops: Iterable[Hop]) -> list[Hop]:
    """
    Put the same place by TCP before each by UDP, for a message that may be fragmented.

    Who does not listen there is told by UDP all the same (RFC 3261 §18.1.1).
    """
    return [
        each
        for hop in hops
        for each in (
            (attrs.evolve(hop, transport="tcp"), hop)
            if hop.transport == "udp"
            else (hop,)
        )
    ]


@attrs.frozen(eq=False)
class Unreachable(PresproxyError):
    """No way leads to ``target``, a URI or a hop."""

    target: str
    why: str

    def __str__(self) -> str:
        return f"{self.target} cannot be reached: {self.why}"
