"""
Whoever looks at the trace: what is gathered is kept while somebody does.

The first look reads all that the ring holds, a slice in each turn of the reactor; later
ones only what has come since.  A minute after the last one all of it is forgotten.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from presproxy.trace import Ring
from presproxy.tracing.gathering import Gathering

#: Seconds after the last look for which what was gathered is kept.
KEPT = 60.0


@attrs.define(eq=False)
class Looking:
    """
    Gives what is gathered of a ring, up to date.

    ``now`` is the wall clock and ``ticks`` that of the ring.  ``breathe`` lets the reactor
    do what else there is to do.  `sweep` is to be called now and then.
    """

    ring: Ring
    now: Callable[[], float]
    ticks: Callable[[], float]
    breathe: Callable[[], Awaitable[None]]
    _gathering: Gathering | None = None
    _looked_at: float = 0.0

    async def look(self) -> Gathering:
        """Give all that is held by now."""
        if self._gathering is None:
            self._gathering = Gathering(self.ring)
        gathering = self._gathering
        self._looked_at = self.ticks()
        self.ring.trim(self._looked_at)
        # What comes while it catches up is for the next look.
        until = self.ring.next
        while gathering.catch_up() and gathering.latest < until - 1:
            await self.breathe()
        return gathering

    def sweep(self) -> None:
        """Forget what was gathered, if nobody has looked for a while."""
        if self._gathering is not None and self.ticks() > self._looked_at + KEPT:
            self._gathering = None

    def wall(self, at: float) -> float:
        """Give a moment of the ring on the wall clock, as that goes now."""
        return at + self.now() - self.ticks()
