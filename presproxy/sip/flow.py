"""
The road a message came by, and the way back.

A flow is what the rooms above the transport know of sockets: where a message came
from, and how to send something there.  The transports make them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, Protocol

Address = tuple[str, int]

_SECURE = frozenset({"TLS", "WSS"})


class Seal(Protocol):
    """What signs all that goes to a peer, once that was agreed upon."""

    def sealed(self, data: bytes) -> bytes:
        """Give a whole message with its signature in it."""


class Flow:
    """
    A way to one peer by one socket of ours.

    ``peer`` and ``local`` are (host, port); an IPv6 host has no brackets.  ``sent_by``
    is our end as Via and Contact name it, brackets and port included.
    """

    __slots__ = ("local", "peer", "sent_by")

    transport: ClassVar[str] = ""
    """As Via writes it: ``UDP``, ``TCP``."""
    reliable: ClassVar[bool] = False
    is_full: bool = False
    """Whether what is sent now waits for the peer to read; never with datagrams."""

    def __init__(self, local: Address, peer: Address, sent_by: str) -> None:
        self.local = local
        self.peer = peer
        self.sent_by = sent_by

    @property
    def is_open(self) -> bool:
        """Whether something can still be sent."""
        return True

    @property
    def is_secure(self) -> bool:
        """Whether nobody on the way reads along."""
        return self.transport in _SECURE

    @property
    def key(self) -> Hashable:
        """Equal for two flows between the same ends."""
        return (self.transport, self.local, self.peer)

    def send(self, data: bytes) -> None:
        """
        Send one whole message; never waits.

        A datagram may be lost without a word.  Raises `FlowClosed` when a stream is gone
        or its peer reads too slowly to take more.
        """
        raise NotImplementedError

    def towards(self, peer: Address) -> Flow:
        """
        Give the flow to another address by the same socket (RFC 3261 §18.2.2).

        On a stream there is only the one peer, and this is the flow itself.
        """
        raise NotImplementedError

    def keep(self, seconds: float) -> None:
        """
        Say that something depends on this flow for ``seconds`` from now.

        A subscription or a registration says so when it is granted; a stream is not
        ended as idle before.  For datagrams there is nothing to keep.
        """

    def expect(self, seconds: float) -> None:
        """
        Say that the peer promised a word every ``seconds``, and is gone without one.

        That holds whatever `keep` says.  For datagrams nothing tells that it is gone.
        """

    def when_closed(self, tell: Callable[[], None]) -> Callable[[], None]:
        """
        Call ``tell`` once the flow is gone, in a turn of its own.

        It is gone, too, for all but the answers to what came, once its peer has said its
        last word.

        Gives what takes that back.  For datagrams it is never called.
        """
        return _nothing

    def end(self) -> None:
        """
        End the flow once all that was sent is on its way: nothing good comes by it.

        There is nothing to be ended with datagrams.
        """

    @property
    def certified(self) -> Sequence[str]:
        """
        The users whom a certificate of the peer is for, as URIs.

        A mailbox has the scheme ``mailto``.  Only by TLS there are any.
        """
        return ()

    @property
    def seal(self) -> Seal | None:
        """What signs all that is sent here; there is none with datagrams."""
        return None

    def seal_with(self, seal: Seal | None) -> None:
        """
        Sign all that is sent here from now on.

        With datagrams nothing can be: they may come by another way, or twice.
        """
        raise NotImplementedError

    def when_room(self, tell: Callable[[], None]) -> None:
        """
        Call ``tell`` once a flow that is full is so no more, or is closed.

        Whoever can do with the latest state alone waits for that before he sends.
        """
        raise NotImplementedError

    def __str__(self) -> str:
        host, port = self.peer
        return f"{self.transport.lower()}:{host}:{port}"


def uri_parameter(transport: str) -> str:
    """
    Give the parameter by which a URI names a transport, as Via writes it.

    None for UDP; and ``ws`` for WebSocket by TLS, too (RFC 7118 §5.2.1).
    """
    if transport == "UDP":
        return ""
    return ";transport=ws" if transport == "WSS" else f";transport={transport.lower()}"


def _nothing() -> None:
    """Nothing to take back."""
