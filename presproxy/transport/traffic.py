"""
What goes over one kind of transport: handed on, counted, and shown to who looks.

All that comes from the wire passes `Traffic.take`, the one place where a failure of
what is above is caught, counted and, within bounds, logged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.logger import Logger

from presproxy.metrics import Metrics
from presproxy.sip.flow import Flow
from presproxy.trace import Tap

_log = Logger()

Receive = Callable[[bytes, Flow], None]
"""Takes one whole message and the flow it came by; never waits."""

Closed = Callable[[Flow], None]
"""Told of a stream that is gone, once, after the last message of it."""


class Backlog(Protocol):
    """What waits for the server, of all transports."""

    @property
    def has_room(self) -> bool:
        """Whether more may come; a stream is not read while there is none."""

    def when_room(self, act: Callable[[], None]) -> None:
        """Call something once there is room."""


#: Seconds between two tracebacks in the log.  Chosen: whoever finds a message that makes
#: us fail can send a thousand of it a second.
_BETWEEN_TRACEBACKS = 60.0


class Traffic:
    """
    The messages of one transport, both ways.

    ``now`` tells the moment on the clock of latencies; it is asked only while the tap is
    recorded or something failed.  ``backlog`` says whether streams may be read; None
    lets them always.
    """

    __slots__ = (
        "_closed",
        "_failures",
        "_logged",
        "_now",
        "_receive",
        "_tap",
        "_unlogged",
        "backlog",
        "messages_received",
        "messages_sent",
        "octets_received",
        "octets_sent",
        "transport",
    )

    def __init__(
        self,
        transport: str,
        receive: Receive,
        closed: Closed = lambda flow: None,
        *,
        tap: Tap,
        metrics: Metrics,
        now: Callable[[], float],
        backlog: Backlog | None = None,
    ) -> None:
        self.transport = transport
        self.backlog = backlog
        self._receive = receive
        self._closed = closed
        self._tap = tap
        self._now = now
        self._logged = float("-inf")
        self._unlogged = 0
        self.messages_received = metrics.counter(
            "messages_received", "Messages that came in.", transport=transport
        )
        self.octets_received = metrics.counter(
            "octets_received", "Octets of messages that came in.", transport=transport
        )
        self.messages_sent = metrics.counter(
            "messages_sent", "Messages that went out.", transport=transport
        )
        self.octets_sent = metrics.counter(
            "octets_sent", "Octets of messages that went out.", transport=transport
        )
        self._failures = metrics.counter(
            "deliveries_failed",
            "Messages and closings on which the server failed; a bug.",
            transport=transport,
        )

    def take(self, data: bytes, flow: Flow) -> None:
        """Hand on a message that came in.  Raises nothing that the message can cause."""
        self.messages_received.value += 1
        self.octets_received.value += len(data)
        record = self._tap.record
        try:
            if record is not None:
                record((self._now(), None, flow.transport, flow.local, flow.peer, data))
        except Exception:
            self._fail(flow)
        try:
            self._receive(data, flow)
        except Exception:
            self._fail(flow)

    def gave(self, data: bytes, flow: Flow) -> None:
        """Count a message that was sent."""
        self.messages_sent.value += 1
        self.octets_sent.value += len(data)
        tap = self._tap
        if tap.record is None:
            return
        entry = (self._now(), tap.cause, flow.transport, flow.local, flow.peer, data)
        try:
            tap.record(entry)
        except Exception:
            self._fail(flow)

    def end(self, flow: Flow) -> None:
        """Tell that a flow is gone."""
        try:
            self._closed(flow)
        except Exception:
            self._fail(flow)

    def _fail(self, flow: Flow) -> None:
        self._failures.value += 1
        now = self._now()
        if now < self._logged + _BETWEEN_TRACEBACKS:
            self._unlogged += 1
            return
        _log.failure(
            "what came by {flow} made the server fail; {unlogged} more since the last line",
            flow=flow,
            unlogged=self._unlogged,
        )
        self._logged, self._unlogged = now, 0
