"""
The values of RFC 3261 Table 4, and a queue for things that wait one of them.

Nothing here reads a clock: a moment is handed in, and what is due is handed out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")

#: Sums of intervals such as 0.1 are not exact; what lacks less than this is over.
_NOTHING = 1e-6


@attrs.frozen
class Timers:
    """
    The timers of RFC 3261 Table 4, in seconds.

    ``t1`` is an estimate of a round trip, ``t2`` the longest interval between two
    retransmissions, ``t4`` the longest time a message stays in the network.
    """

    t1: float = attrs.field(default=0.5, validator=attrs.validators.gt(0))
    t2: float = attrs.field(default=4.0, validator=attrs.validators.gt(0))
    t4: float = attrs.field(default=5.0, validator=attrs.validators.ge(0))

    @property
    def longest(self) -> float:
        """How long anything lasts without an answer: timers B, F, H and J."""
        return 64 * self.t1

    def following(self, interval: float, waited: float) -> float:
        """
        Give the interval to wait after one of ``interval``: timers E and G.

        ``waited`` is what was waited in all.  The intervals double up to T2; the last
        one ends with timer F or H, after which this is 0.
        """
        left = self.longest - waited
        return 0.0 if left < _NOTHING else min(2 * interval, self.t2, left)


class DelayQueue(Generic[T]):
    """
    Things that wait, each for one of a few constant delays.

    One deque per delay: whatever waits equally long is due in the order it came, so that
    nothing is ever sorted.  Nothing is taken out before it is due; whoever takes it then
    looks whether it still matters.  So it is for delays after which most things are done
    with, and what must wait long comes back several times.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[float, deque[tuple[float, T]]] = {}

    def put(self, thing: T, delay: float, now: float) -> None:
        """Let ``thing`` wait from ``now`` for ``delay`` seconds."""
        try:
            self._waiting[delay].append((now + delay, thing))
        except KeyError:
            self._waiting[delay] = deque([(now + delay, thing)])

    def tick(self, now: float) -> list[T]:
        """Take out what is due at ``now``."""
        return list(self.due(now))

    def due(self, now: float) -> Iterator[T]:
        """
        Take out what is due at ``now`` one by one; what is not asked for stays.

        More may be put in meanwhile.
        """
        for waiting in tuple(self._waiting.values()):
            while waiting and waiting[0][0] <= now:
                yield waiting.popleft()[1]

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))
