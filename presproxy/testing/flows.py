"""Flows which keep what was sent, and send nothing."""

from __future__ import annotations

from collections.abc import Callable

from presproxy.errors import FlowClosed
from presproxy.sip.flow import Address, Flow, Seal


class RecordingFlow(Flow):
    """
    A datagram flow; those to other addresses share its record.

    ``sent`` is what was sent and to whom, in order.
    """

    __slots__ = ("_closed", "sent")

    transport = "UDP"

    def __init__(
        self,
        peer: Address = ("192.0.2.1", 5060),
        local: Address = ("192.0.2.100", 5060),
        sent_by: str = "192.0.2.100:5060",
    ) -> None:
        super().__init__(local, peer, sent_by)
        self.sent: list[tuple[Address, bytes]] = []
        self._closed: list[bool] = []

    @property
    def is_open(self) -> bool:
        return not self._closed

    def close(self) -> None:
        """Refuse whatever is sent from now on, whichever address it is for."""
        self._closed.append(True)

    def send(self, data: bytes) -> None:
        if self._closed:
            raise FlowClosed(str(self))
        self.sent.append((self.peer, data))

    def towards(self, peer: Address) -> Flow:
        other = RecordingFlow(peer, self.local, self.sent_by)
        other.sent, other._closed = self.sent, self._closed
        return other


class RecordingStream(RecordingFlow):
    """
    A stream to one peer, who reads all there is, or nothing while ``is_full``.

    With ``room`` it is full after so many messages, until `read`.  Its end is told of at
    once, not in a turn of its own.  ``expected`` is how long its peer may be silent.
    """

    __slots__ = ("_end", "_tell", "expected", "is_full", "room", "seal")

    transport = "TCP"
    reliable = True
    seal: Seal | None

    def __init__(
        self,
        peer: Address = ("192.0.2.1", 5060),
        local: Address = ("192.0.2.100", 5060),
        sent_by: str = "192.0.2.100:5060",
        room: int | None = None,
    ) -> None:
        super().__init__(peer, local, sent_by)
        self.room = room
        self.is_full = room == 0
        self._tell: list[Callable[[], None]] = []
        self._end: dict[object, Callable[[], None]] = {}
        self.seal = None
        self.expected: float | None = None

    def expect(self, seconds: float) -> None:
        self.expected = seconds

    def send(self, data: bytes) -> None:
        super().send(data if self.seal is None else self.seal.sealed(data))
        if self.room is not None:
            self.room -= 1
            self.is_full = self.room <= 0

    def read(self, room: int | None = None) -> None:
        """Let the peer read all, and have room for so many more."""
        self.room, self.is_full = room, room == 0
        self._tell_all()

    def close(self) -> None:
        super().close()
        self.is_full = False
        self._tell_all()
        while self._end:
            _, tell = self._end.popitem()
            tell()

    def end(self) -> None:
        self.close()

    @property
    def holds(self) -> int:
        """How many want to know of its end."""
        return len(self._end)

    def when_closed(self, tell: Callable[[], None]) -> Callable[[], None]:
        key = object()
        self._end[key] = tell
        return lambda: self._end.pop(key, None) and None

    def when_room(self, tell: Callable[[], None]) -> None:
        self._tell.append(tell)

    def seal_with(self, seal: Seal | None) -> None:
        self.seal = seal

    def _tell_all(self) -> None:
        waiting, self._tell = self._tell, []
        for tell in waiting:
            tell()

    def towards(self, peer: Address) -> Flow:
        return self
