"""Flows which keep what was sent, and send nothing."""

from __future__ import annotations

from presproxy.errors import FlowClosed
from presproxy.sip.flow import Address, Flow


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
    """A stream to one peer."""

    __slots__ = ()

    transport = "TCP"
    reliable = True

    def towards(self, peer: Address) -> Flow:
        return self
