"""Things to be done later, all of which can be called off at once."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@attrs.define(eq=False)
class Alarm:
    """At most one thing to be done later."""

    _alarms: Alarms
    _call: IDelayedCall | None = None

    def set(self, seconds: float, do: Callable[[], object]) -> None:
        """Do it in so many seconds, and what was set before not at all."""
        self.clear()
        if not self._alarms.is_over:
            self._call = self._alarms.clock.callLater(seconds, self._go, do)
            self._alarms.ticking.add(self)

    def clear(self) -> None:
        """Do nothing later."""
        self._alarms.ticking.discard(self)
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _go(self, do: Callable[[], object]) -> None:
        self._call = None
        self._alarms.ticking.discard(self)
        do()


@attrs.define(eq=False)
class Alarms:
    """Makes alarms, and stops them."""

    clock: IReactorTime
    is_over: bool = False
    ticking: set[Alarm] = attrs.field(factory=set)

    def alarm(self) -> Alarm:
        """Make one, not yet set."""
        return Alarm(self)

    def stop(self) -> None:
        """Clear all there are; none is set any more."""
        self.is_over = True
        for alarm in tuple(self.ticking):
            alarm.clear()
