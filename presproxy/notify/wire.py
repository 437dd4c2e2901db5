"""What the SIP notifier asks of those who know flows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from presproxy.sip.flow import Address, Flow
from presproxy.sip.uri import AddressOfRecord
from presproxy.transaction.client import Sender


class Wire(Sender, Protocol):
    """What the notifier needs of the transactions and the transports."""

    def flow_to(self, uri: str, peer: Address | None) -> Awaitable[Flow]:
        """Find a way to a URI, or to the datagram address that it was last seen at."""


#: Gives the flow by which an instance of a user's is registered; None if there is none.
FlowOf = Callable[[AddressOfRecord, str], Flow | None]


def no_flow(aor: AddressOfRecord, instance: str) -> Flow | None:
    """Know of no flows."""
    return None
