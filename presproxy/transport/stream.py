"""
SIP over a stream: one connection (RFC 3261 §18.3, RFC 5626 §3.5.1).

A connection is in one of four states, and only goes down: open; answering (nothing more
that is of use comes in, and what came is still answered); draining (we have said our
last word and wait for the peer to read it); closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, ClassVar, Protocol

import attrs
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from zope.interface import implementer

from presproxy.errors import FlowClosed
from presproxy.sip.flow import Address
from presproxy.sip.framing import Framer, Framing, Limits, StreamBroken
from presproxy.transport.refusal import refusal
from presproxy.transport.sockets import notice_silence
from presproxy.transport.streamflow import Ending, State, StreamFlow
from presproxy.transport.traffic import Traffic

_log = Logger()

_PONG = b"\r\n"


@attrs.frozen
class StreamLimits:
    """
    What a connection may cost.  Times are in seconds, sizes in octets.

    ``connections`` and ``per_peer`` count those open at once, in all and from one peer:
    one IPv4 address, or one /64 of IPv6, which is what one subscriber has at least.
    """

    connections: int = 10_000
    #: Chosen for an office behind one address.
    per_peer: int = 1_000
    #: From a message's first octet to its last.  The 32 seconds of Timer F, after which
    #: nobody waits for the answer, less a little.
    message: float = 30.0
    #: For a connection that we accepted to bring its first message or ping.
    first: float = 60.0
    #: Without a word from the peer, unless `StreamFlow.keep` said longer.  User agents
    #: that want a connection kept send something every two minutes (RFC 5626 §4.4.1),
    #: Lync's every five.
    idle: float = 600.0
    #: For a peer to read our last words, or for us to find them once it has said its own.
    #: Chosen: answers take milliseconds.
    closing: float = 5.0
    #: What may wait for a peer that reads slowly, besides what the system holds.
    unsent: int = 1024 * 1024
    #: For a peer to read what makes its flow full: Twisted's 64 KiB, and before them what
    #: the system holds.  The 32 seconds of timer F, after which it is gone by UDP as well.
    unread: float = 32.0
    #: What all connections together may have half read or unsent.  Chosen: a thousandth
    #: of what they could have each by itself.
    buffered: int = 64 * 1024 * 1024
    message_size: Limits = attrs.field(factory=Limits)
    #: Messages handed on before others have their turn: two or three milliseconds.
    turn: int = 64


class Keeper(Protocol):
    """Who keeps the connections."""

    traffic: Traffic
    limits: StreamLimits
    clock: IReactorTime

    def opened(self, connection: StreamConnection) -> None:
        """Take a connection whose flow is made now."""

    def ended(self, ending: Ending) -> None:
        """Count that we ended a connection."""

    def closed(self, connection: StreamConnection) -> None:
        """Forget a connection which is gone."""

    def buffer(self, octets: int) -> bool:
        """Count more octets as half read or unsent, or fewer; whether there is room."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class StreamConnection(TwistedProtocol):
    """
    One connection, accepted or opened by us.

    ``name`` gives the sent-by for the local address of the connection.  As a producer
    it is told by the transport when the peer reads too slowly, and holds back what is
    sent meanwhile.
    """

    transport: Any  # TCP or TLS; Twisted has no one interface for both
    flow_type: ClassVar[type[StreamFlow]] = StreamFlow
    framing: ClassVar[type[Framing]] = Framer

    def __init__(
        self,
        keeper: Keeper,
        name: Callable[[Address], str],
        *,
        is_accepted: bool = False,
    ) -> None:
        self.state = State.OPEN
        self.flow: StreamFlow
        self._keeper = keeper
        self._name = name
        self._framer = self.framing(keeper.limits.message_size)
        self._waiting: deque[bytes] = deque()
        self._held: list[bytes] | None = None
        self._held_octets = 0
        self._full_since = inf
        self._waits_for_room: list[Callable[[], None]] = []
        self._waits_for_end: dict[object, Callable[[], None]] = {}
        self._half_read = 0
        self._is_strange = is_accepted
        self._heard_at = keeper.clock.seconds()
        self._begun_at: float | None = None
        self._keep_until = 0.0
        self._promised: float | None = None
        self._end_by: float | None = None
        # Not after the first of the moments above; they mostly move away meanwhile.
        self.look_at = 0.0
        self._let_peer_close = False
        self._peer_is_done = False
        self._reading_is_paused = False

    # --- In

    def leads_to(self, name: str) -> bool:
        """Whether what is meant for a host or a domain may go here; it is not proved."""
        return True

    def connectionMade(self) -> None:
        """Make the flow."""
        local, peer = self.transport.getHost(), self.transport.getPeer()
        here = (local.host, local.port)
        name = self._name(here)
        self.flow = self.flow_type(self, here, (peer.host, peer.port), name)
        self.transport.setTcpNoDelay(True)
        notice_silence(self.transport.getHandle())
        self.transport.registerProducer(self, True)
        self._keeper.opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Cut the stream into messages and hand them on."""
        if self.state is not State.OPEN:
            return
        now = self._heard_at = self._keeper.clock.seconds()
        try:
            messages = self._framer.feed(data)
        except StreamBroken as broken:
            self._break_off(broken)
            return
        if messages or self._framer.keepalives:
            self._is_strange = False
        if self._half_read or not self._framer.is_idle:
            self._note_half_read(len(data), bool(messages), now)
        self._hand_on(messages)
        if self._framer.keepalives and self.state is State.OPEN:
            self._write(_PONG * self._framer.keepalives)

    def readConnectionLost(self) -> None:
        """Leave a peer that has sent its last octet some time to read our answers."""
        self._peer_is_done = True
        if self.state is State.OPEN:
            self._answer_only()
        elif self.state is State.DRAINING and self._held is None:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Wait for the peer to read what we said; `look` sees that it is not for ever."""

    def connectionLost(self, reason: object = None) -> None:
        """Hand on what is left, then tell that the flow is gone."""
        self.state = State.CLOSED
        self._keeper.buffer(-self._half_read - self._held_octets)
        self._held, self._held_octets, self._half_read = None, 0, 0
        while self._waiting:
            self._keeper.traffic.take(self._waiting.popleft(), self.flow)
        self._keeper.closed(self)
        self._tell_of_room()
        self._tell_of_end()
        self.flow.part(self._keeper.clock)

    def _note_half_read(self, octets: int, begins: bool, now: float) -> None:
        before = self._half_read
        if self._framer.is_idle:
            self._begun_at, self._half_read = None, 0
        elif begins or self._begun_at is None:
            self._begun_at, self._half_read = now, octets
            self.look_at = min(self.look_at, self._slow_at)
        else:
            self._half_read += octets
        if not self._keeper.buffer(self._half_read - before):
            self.close(Ending.CROWDED)

    def _hand_on(self, messages: list[bytes]) -> None:
        backlog = self._keeper.traffic.backlog
        if self._waiting:
            self._waiting += messages
        elif len(messages) <= self._keeper.limits.turn and (
            backlog is None or backlog.has_room
        ):
            take, flow = self._keeper.traffic.take, self.flow
            for message in messages:
                take(message, flow)
        else:
            self._waiting += messages
            self._take_turn()

    def _take_turn(self) -> None:
        if self.state is State.CLOSED:
            return
        take, flow = self._keeper.traffic.take, self.flow
        backlog = self._keeper.traffic.backlog
        for _ in range(min(self._keeper.limits.turn, len(self._waiting))):
            if backlog is not None and not backlog.has_room:
                break
            take(self._waiting.popleft(), flow)
        if self._waiting:
            self._reading_is_paused = True
            self.transport.pauseProducing()
            if backlog is None:
                self._keeper.clock.callLater(0, self._take_turn)
            else:
                backlog.when_room(self._take_turn)
        elif self._reading_is_paused:
            self._reading_is_paused = False
            self.transport.resumeProducing()

    def _break_off(self, broken: StreamBroken) -> None:
        self._begun_at = None
        self._hand_on(list(broken.messages))
        answer = refusal(broken, self.flow.peer)
        if answer is not None and self.state < State.DRAINING:
            self._write(answer)
            self._keeper.traffic.gave(answer, self.flow)
        self._keeper.ended(Ending.BROKEN)
        if broken.messages and self.state is State.OPEN:
            # They were whole, and their answers may take a moment.
            self._answer_only()
        elif self.state < State.DRAINING:
            self._drain(unread=True)

    def _answer_only(self) -> None:
        """Answer what came; nobody is there for what happens from now on."""
        self.state = State.ANSWERING
        self._end_soon()
        self._tell_of_end()

    # --- Out

    def send(self, data: bytes) -> None:
        """Send one message; raises `FlowClosed`."""
        if self.state >= State.DRAINING:
            raise FlowClosed(str(self.flow))
        self._write(data)
        if self.state is State.CLOSED:
            raise FlowClosed(str(self.flow))
        self._keeper.traffic.gave(data, self.flow)

    def keep(self, seconds: float) -> None:
        """Be no candidate for ageing for so long."""
        until = self._keeper.clock.seconds() + seconds
        self._keep_until = max(self._keep_until, until)

    def expect(self, seconds: float) -> None:
        """Be gone after so long without a word, and not before."""
        self._promised = seconds
        self.look_at = min(self.look_at, self._idle_at)

    @property
    def is_full(self) -> bool:
        """Whether what is sent now is held back."""
        return self._held is not None

    def when_room(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` once nothing is held back, or the connection is gone."""
        self._waits_for_room.append(tell)

    def when_closed(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Call ``tell`` once the connection is gone; gives what takes that back."""
        key = object()
        self._waits_for_end[key] = tell
        if self.state is not State.OPEN:
            self._tell_of_end()

        def take_back() -> None:
            self._waits_for_end.pop(key, None)

        return take_back

    def _tell_of_end(self) -> None:
        if self._waits_for_end:
            self._keeper.clock.callLater(0, self._tell_all_of_end)

    def _tell_all_of_end(self) -> None:
        """Tell all who still want to know; what one of them raises stops no other."""
        while self._waits_for_end:
            _, tell = self._waits_for_end.popitem()
            try:
                tell()
            except Exception:
                _log.failure("The end of {flow} was not taken note of", flow=self.flow)

    def _tell_of_room(self) -> None:
        waiting, self._waits_for_room = self._waits_for_room, []
        for tell in waiting:
            tell()

    def pauseProducing(self) -> None:
        """Hold back what is sent: the peer reads too slowly."""
        if self._held is None:
            self._held = []
            self._full_since = self._keeper.clock.seconds()
            self.look_at = min(self.look_at, self._unread_at)

    def resumeProducing(self) -> None:
        """Let go of what was held: all before it is sent."""
        self._keeper.buffer(-self._held_octets)
        held, self._held, self._held_octets = self._held, None, 0
        self._full_since = inf
        if held:
            self.transport.write(b"".join(held))
        if self._held is not None:
            return
        if self.state is State.DRAINING:
            self._shut()
        self._tell_of_room()

    def stopProducing(self) -> None:
        """The transport is closed; `connectionLost` follows."""

    def _write(self, data: bytes) -> None:
        if self._held is None:
            self.transport.write(data)
            return
        self._held.append(data)
        self._held_octets += len(data)
        if not self._keeper.buffer(len(data)):
            self.abort(Ending.CROWDED)
        elif self._held_octets > self._keeper.limits.unsent:
            self.abort(Ending.UNREAD)

    # --- The end

    def look(self, now: float) -> None:
        """
        Go on to the end if a time is up.

        Called every second in which `look_at` lies behind.
        """
        if self._end_by is not None:
            if now < self._end_by:
                self.look_at = self._end_by
            elif self.state is State.ANSWERING:
                self._drain(unread=True)
            elif self.state is State.DRAINING:
                self._give_up()
        elif now >= self._unread_at:
            self.abort(Ending.UNREAD)
        elif now >= self._slow_at:
            self.close(Ending.SLOW)
        elif now >= self._idle_at:
            self.close(Ending.IDLE)
        else:
            self.look_at = min(self._slow_at, self._idle_at, self._unread_at)

    @property
    def _slow_at(self) -> float:
        if self._begun_at is None:
            return inf
        return self._begun_at + self._keeper.limits.message

    @property
    def _unread_at(self) -> float:
        return self._full_since + self._keeper.limits.unread

    @property
    def _idle_at(self) -> float:
        if self._promised is not None:
            return self._heard_at + self._promised
        limits = self._keeper.limits
        idle = limits.first if self._is_strange else limits.idle
        return max(self._heard_at + idle, self._keep_until)

    def close(self, ending: Ending) -> None:
        """End the connection once all that was sent is on its way."""
        if self.state < State.DRAINING:
            self._keeper.ended(ending)
            self._drain()

    def abort(self, ending: Ending) -> None:
        """End the connection at once."""
        if self.state is not State.CLOSED:
            self._keeper.ended(ending)
            self._give_up()

    def _drain(self, *, unread: bool = False) -> None:
        """
        Say nothing more, and close once the transport has what was said.

        With ``unread``, more of what we do not want may be coming in.  Closing would make
        the system reset the connection then, and the peer lose our answer: it is left to
        the peer to close, or to `look`.
        """
        self.state = State.DRAINING
        self._end_soon()
        self._let_peer_close = unread
        if self._held is None:
            self._shut()

    def _end_soon(self) -> None:
        self._end_by = self._keeper.clock.seconds() + self._keeper.limits.closing
        self.look_at = min(self.look_at, self._end_by)

    def _shut(self) -> None:
        self.transport.unregisterProducer()
        if self._let_peer_close and not self._peer_is_done:
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()

    def _give_up(self) -> None:
        self.state = State.CLOSED
        self.transport.abortConnection()
