"""
Who is refused when the server is late, and when.

Late is measured by how long a message has waited, not by how many do: a thousand that are
worked off in time are no trouble, and ten that wait for a second are.  A request which
has waited too long is answered 503, in the time in which its sender still waits for the
first answer.  Nothing else is done for it, so that the time is spent on those who can
still be served.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.logger import Logger

from presproxy.metrics import Counter, Metrics
from presproxy.server.lanes import Lane
from presproxy.sip.flow import Flow

_log = Logger()

_NEVER = float("inf")

#: Seconds without a refusal after which the server is said not to be late any more.
_CALM = 5.0


@attrs.frozen
class Deadlines:
    """
    How many seconds may pass before a request is refused.

    ``new`` is for what begins or changes something, less than the half second after which
    it is sent again; ``keeping`` for refreshes and removals.  ``storage`` is how long the
    oldest commit may wait before nothing new that needs one is begun.  It is longer: to
    be sent again costs us little while it is the disk that is slow.
    """

    new: float = 0.2
    keeping: float = 0.35
    storage: float = 1.0


@attrs.define(eq=False)
class Refusals:
    """
    Requests refused a moment ago, so that one which comes again is refused again.

    Its sender may have the first answer by then, and would not know that he was served.
    Each is remembered for one to two ``period``s, and in each of them at most ``most``.
    """

    period: float = 2.0
    most: int = 50_000
    _young: set[int] = attrs.field(factory=set)
    _old: set[int] = attrs.field(factory=set)
    _turn_at: float = 0.0

    def __bool__(self) -> bool:
        return bool(self._young or self._old)

    def __contains__(self, data: bytes) -> bool:
        if not self:
            return False
        key = hash(data)
        return key in self._young or key in self._old

    def add(self, data: bytes) -> None:
        """Remember one."""
        if len(self._young) < self.most:
            self._young.add(hash(data))

    def tick(self, now: float) -> None:
        """Forget what is old enough."""
        if now >= self._turn_at:
            self._turn_at = now + self.period
            self._old, self._young = self._young, set()


@attrs.define(eq=False)
class Admission:
    """
    Refuses what has waited too long.

    ``answer`` answers 503 to a message that came by a flow, if it is a new request, and
    says whether it was.
    ``storage_waits`` says for how many seconds the oldest commit has waited at a moment.
    """

    answer: Callable[[bytes, Flow, float], bool]
    storage_waits: Callable[[float], float]
    deadlines: Deadlines
    metrics: Metrics
    refusals: Refusals = attrs.field(factory=Refusals)
    #: How long a message may wait, by its lane; nothing at all when below 0.
    patience: list[float] = attrs.field(init=False)
    _refused: list[Counter] = attrs.field(init=False)
    #: Since when the server is late, and when it was seen to be last.
    _since: float | None = attrs.field(default=None, init=False)
    _last: float = attrs.field(default=0.0, init=False)
    _count: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._set_patience(is_stuck=False)
        self._refused = [
            self.metrics.counter(
                "requests_late",
                "Requests answered 503 since they had waited too long.",
                lane=lane.name.lower(),
            )
            for lane in Lane
        ]
        self.metrics.gauge(
            "late",
            "1 while requests are refused since the server is late.",
            lambda: float(self._since is not None),
        )

    @property
    def is_open(self) -> bool:
        """Whether messages that need not wait may pass without being looked at."""
        return self.patience[Lane.NEW] >= 0 and not self.refusals

    def refuse(self, lane: Lane, data: bytes, flow: Flow, now: float) -> None:
        """Answer a request 503, unless it was answered or is being served already."""
        if self.answer(data, flow, now):
            self._refused[lane].value += 1
            if not flow.reliable:
                self.refusals.add(data)
            self._late(now)

    def tick(self, now: float) -> None:
        """Look around; to be called every 50 ms."""
        self.refusals.tick(now)
        self._set_patience(is_stuck=self.storage_waits(now) > self.deadlines.storage)
        if self._since is not None and now - self._last >= _CALM:
            _log.info(
                "no longer late: {count} requests were refused in {seconds:.1f} s",
                count=self._count,
                seconds=self._last - self._since,
            )
            self._since = None

    def _set_patience(self, *, is_stuck: bool) -> None:
        new, keeping = self.deadlines.new, self.deadlines.keeping
        changing = -1.0 if is_stuck else new
        # In the order of the lanes.  Whoever only asks needs no storage.
        self.patience = [_NEVER, keeping, changing, changing, new]

    def _late(self, now: float) -> None:
        if self._since is None:
            self._since, self._count = now, 0
            _log.warn("late: new requests are refused until others are served in time")
        self._last = now
        self._count += 1
