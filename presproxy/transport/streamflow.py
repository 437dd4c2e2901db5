"""The flow of a connection, and what it knows of the connection (RFC 3261 §18)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from presproxy.errors import FlowClosed
from presproxy.sip.flow import Address, Flow, Seal


class Ending(enum.Enum):
    """Why we end a connection."""

    IDLE = "idle"
    SLOW = "slow"
    UNREAD = "unread"
    BROKEN = "broken"
    UNSECURED = "unsecured"
    CROWDED = "crowded"
    UNPROVED = "unproved"
    STOPPED = "stopped"


class State(enum.IntEnum):
    """How far down a connection is."""

    OPEN = 0
    ANSWERING = 1
    DRAINING = 2
    CLOSED = 3


class Connection(Protocol):
    """What a flow asks of the connection that it is a way by."""

    state: State

    @property
    def is_full(self) -> bool:
        """Whether what is sent now is held back."""

    def send(self, data: bytes) -> None:
        """Send one message; raises `FlowClosed`."""

    def close(self, ending: Ending) -> None:
        """End the connection once all that was sent is on its way."""

    def keep(self, seconds: float) -> None:
        """Be no candidate for ageing for so long."""

    def expect(self, seconds: float) -> None:
        """Be gone after so long without a word, and not before."""

    def when_room(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` once nothing is held back, or the connection is gone."""

    def when_closed(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Call ``tell`` once the connection is gone; gives what takes that back."""


class _Gone:
    """What a flow knows of a connection that is gone, ``name``: nothing of it is kept."""

    __slots__ = ("_clock", "_name")

    state = State.CLOSED
    is_full = False

    def __init__(self, name: str, clock: IReactorTime) -> None:
        self._name = name
        self._clock = clock

    def send(self, data: bytes) -> None:
        """Raise `FlowClosed`."""
        raise FlowClosed(self._name)

    def close(self, ending: Ending) -> None:
        """Do nothing: it has ended."""

    def keep(self, seconds: float) -> None:
        """Do nothing: there is nothing to keep."""

    def expect(self, seconds: float) -> None:
        """Do nothing: no word will come."""

    def when_room(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` in a turn of its own: nothing will be on its way any more."""
        self._clock.callLater(0, tell)

    def when_closed(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Call ``tell`` in a turn of its own; gives what takes that back."""
        call = self._clock.callLater(0, tell)

        def take_back() -> None:
            if call.active():
                call.cancel()

        return take_back


class StreamFlow(Flow):
    """
    A way to one peer by a connection; it ends with it.

    Whoever knows the peer by it may keep it for long after, such as a subscription.
    """

    __slots__ = ("_connection", "seal")

    transport = "TCP"
    reliable = True
    seal: Seal | None
    _connection: Connection

    def __init__(
        self, connection: Connection, local: Address, peer: Address, sent_by: str
    ) -> None:
        super().__init__(local, peer, sent_by)
        self._connection = connection
        self.seal = None

    def part(self, clock: IReactorTime) -> None:
        """
        Let go of the connection, which is gone.

        It knows its flow: together they would wait for the garbage collector, which looks
        for what lived longer than a moment once in some minutes.
        """
        self._connection = _Gone(str(self), clock)

    @property
    def is_open(self) -> bool:
        """Whether the peer may still answer to what is sent."""
        return self._connection.state is State.OPEN

    def send(self, data: bytes) -> None:
        """
        Send one message.

        Raises `FlowClosed` when the connection is gone, and when more than
        `StreamLimits.unsent` waits for a peer that does not read: that ends it.
        """
        seal = self.seal
        self._connection.send(data if seal is None else seal.sealed(data))

    def end(self) -> None:
        """End the connection once all that was sent is on its way."""
        self._connection.close(Ending.UNPROVED)

    def seal_with(self, seal: Seal | None) -> None:
        """Sign all that is sent from now on."""
        self.seal = seal

    @property
    def is_full(self) -> bool:  # type: ignore[override]  # read-only here
        """Whether what is sent now waits for the peer to read."""
        return self._connection.is_full

    def when_room(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` once what waits for the peer is on its way, or never will be."""
        self._connection.when_room(tell)

    def when_closed(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Call ``tell`` once the connection is gone; gives what takes that back."""
        return self._connection.when_closed(tell)

    def towards(self, peer: Address) -> Flow:
        """Give the flow itself."""
        return self

    def keep(self, seconds: float) -> None:
        """Do not end the connection as idle before ``seconds`` from now."""
        self._connection.keep(seconds)

    def expect(self, seconds: float) -> None:
        """End the connection after ``seconds`` without a word of the peer."""
        self._connection.expect(seconds)
