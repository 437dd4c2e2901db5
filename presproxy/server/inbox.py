"""
Where messages wait for their turn.

While there is time, a message passes through and nothing is kept of it.  When more has
come than could be done in one turn of the reactor, the rest is taken out of the system's
buffers all the same, with the moment it came: nobody can say how long a datagram has
waited in there.  From then on what is most worth it is done first, until nothing waits
any more.  What has waited too long is refused, once that has gone on for a while: after
a pause that was not the messages' fault, what waits is done sooner than it is refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs

from presproxy.metrics import Counter, Histogram, Metrics
from presproxy.server.admission import Admission
from presproxy.server.lanes import Lane, lane_of
from presproxy.sip.flow import Flow

#: Seconds of work before the reactor reads again, and the share of it that may go to
#: refusing.  While watchers wait to be told, it is half of it: their turn takes as long.
#: Chosen: in 10 ms a fast sender fills a tenth of the 4 MB asked of the system.
SLICE = 0.01
_REFUSING = 0.5

#: Seconds for which messages have been found to wait too long before one is refused.
#: Chosen: some turns, in which what a pause has left is worked off; and with the longest
#: patience still within the half second after which a request is sent again.
_PAUSE = 0.1

_CLOSED = float("-inf")

_KEEPING = Lane.KEEPING


@attrs.frozen
class Bounds:
    """
    How many messages may wait, and with how many octets.

    A datagram beyond it is lost, and who sent it sends it again.  Responses, refreshes
    and removals may take as much again.
    """

    messages: int = 20_000
    octets: int = 32 * 1024 * 1024


#: The moment it came, the message, and the flow it came by.
_Waiting = tuple[float, bytes, Flow]


@attrs.define(eq=False)
class Inbox:
    """
    Takes messages from the transports, and hands them on in time or not at all.

    ``receive`` gets each with its flow and the moment it came.  ``soon`` calls a function
    in the reactor's next turn; ``is_telling`` says whether watchers wait to be told.
    """

    receive: Callable[[bytes, Flow, float], None]
    admission: Admission
    ticks: Callable[[], float]
    soon: Callable[[Callable[[], None]], object]
    is_telling: Callable[[], bool]
    metrics: Metrics
    bounds: Bounds = attrs.field(factory=Bounds)
    _lanes: list[deque[_Waiting]] = attrs.field(init=False)
    _count: int = attrs.field(default=0, init=False)
    _octets: int = attrs.field(default=0, init=False)
    #: Until when messages pass through, in this turn.
    _open_until: float = attrs.field(default=_CLOSED, init=False)
    #: Since when messages have been found to wait too long, as long as any wait.
    _late_since: float | None = attrs.field(default=None, init=False)
    _is_coming: bool = attrs.field(default=False, init=False)
    _room_wanted: deque[Callable[[], None]] = attrs.field(factory=deque, init=False)
    _waited: Histogram = attrs.field(init=False)
    _dropped: Counter = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._lanes = [deque() for _ in Lane]
        metrics = self.metrics
        self._waited = metrics.histogram(
            "inbox_seconds", "How long messages waited, of those that had to."
        )
        self._dropped = metrics.counter(
            "inbox_dropped", "Datagrams dropped since too many messages were waiting."
        )
        metrics.gauge("inbox_messages", "Messages that wait.", lambda: self._count)
        metrics.gauge("inbox_octets", "What they take.", lambda: self._octets)

    def __len__(self) -> int:
        """How many messages wait."""
        return self._count

    def take(self, data: bytes, flow: Flow) -> None:
        """Take one message; it passes through if there is time."""
        now = self.ticks()
        if now < self._open_until:
            self.receive(data, flow, now)
        elif self._is_coming or not self.admission.is_open:
            self._keep(data, flow, now)
        else:
            # The first of this turn.
            self._come()
            self._open_until = now + self._slice()
            self.receive(data, flow, now)

    def tick(self, now: float) -> None:
        """Look around; to be called every 50 ms."""
        self.admission.tick(now)
        if not self.admission.is_open:
            self._open_until = _CLOSED

    def empty(self) -> None:
        """Hand on all that waits, however long that takes: nobody is there later."""
        for waiting in self._lanes:
            while waiting:
                arrived, data, flow = self._pop(waiting)
                self.receive(data, flow, arrived)

    # -- For streams -----------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether more may come; a stream is not read while there is none."""
        return self._count < self.bounds.messages and self._octets < self.bounds.octets

    def when_room(self, act: Callable[[], None]) -> None:
        """Call something once there is room, or in the next turn if there is."""
        self._room_wanted.append(act)
        self._come()

    # -- Within ----------------------------------------------------------------------

    def _keep(self, data: bytes, flow: Flow, arrived: float) -> None:
        lane = lane_of(data)
        if not (flow.reliable or self._has_room_for(lane)):
            self._dropped.value += 1
            return
        self._lanes[lane].append((arrived, data, flow))
        self._count += 1
        self._octets += len(data)
        self._come()

    def _has_room_for(self, lane: Lane) -> bool:
        factor = 2 if lane <= _KEEPING else 1
        bounds = self.bounds
        return (
            self._count < factor * bounds.messages
            and self._octets < factor * bounds.octets
        )

    def _come(self) -> None:
        if not self._is_coming:
            self._is_coming = True
            self._open_until = _CLOSED
            self.soon(self._work)

    def _work(self) -> None:
        """Do what there is time for in one turn."""
        self._is_coming = False
        self._open_until = _CLOSED
        if not (self._count or self._room_wanted):
            return
        began, slice_ = self.ticks(), self._slice()
        try:
            self._refuse_late(began, began + _REFUSING * slice_)
            self._serve(began + slice_)
            self._make_room()
        finally:
            if self._count or self._room_wanted:
                self._come()
            if not self._count:
                self._late_since = None

    def _slice(self) -> float:
        return SLICE / 2 if self.is_telling() else SLICE

    def _refuse_late(self, now: float, until: float) -> None:
        """Refuse what has waited too long, and what is not to begin at all."""
        refuse, patience = self.admission.refuse, self.admission.patience
        for lane, waiting in enumerate(self._lanes):
            came_by = now - patience[lane]
            if not (waiting and waiting[0][0] < came_by):
                continue
            if self._late_since is None:
                self._late_since = now
            if patience[lane] >= 0 and now < self._late_since + _PAUSE:
                continue
            while waiting and waiting[0][0] < came_by and now < until:
                _, data, flow = self._pop(waiting)
                refuse(Lane(lane), data, flow, now)
                now = self.ticks()

    def _serve(self, until: float) -> None:
        """Hand on what waits, lane by lane."""
        now = self.ticks()
        for lane, waiting in enumerate(self._lanes):
            while waiting and now < until:
                arrived, data, flow = self._pop(waiting)
                if lane and data in self.admission.refusals:
                    self.admission.refuse(Lane(lane), data, flow, now)
                else:
                    self._waited.observe(now - arrived)
                    self.receive(data, flow, arrived)
                now = self.ticks()

    def _pop(self, waiting: deque[_Waiting]) -> _Waiting:
        first = waiting.popleft()
        self._count -= 1
        self._octets -= len(first[1])
        return first

    def _make_room(self) -> None:
        """Let streams read on, one after the other, while there is room."""
        for _ in range(len(self._room_wanted)):
            if not self.has_room:
                return
            self._room_wanted.popleft()()
