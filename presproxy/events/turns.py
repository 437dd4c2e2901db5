"""
Whose turn it is to be passed to a server behind, and when that one is left alone.

A server that is away is asked by one, now and then; all others wait in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import attrs
from twisted.logger import Logger

from presproxy.events.passed import Passed
from presproxy.events.patience import AT_ONCE, pause_after
from presproxy.useragent.alarms import Alarm, Alarms

_log = Logger()


@attrs.define(eq=False)
class Turns:
    """
    The queue before one server.

    ``server`` names it in the log.  ``take`` is what is done with a turn, and raises
    nothing; ``run`` runs it.  ``returned`` is called once a server answers that did not.
    """

    server: str
    take: Callable[[Passed], Awaitable[None]]
    returned: Callable[[], None]
    run: Callable[[Awaitable[None]], None]
    alarms: Alarms
    #: Whether anybody has a turn yet, or any more.
    is_open: bool = attrs.field(default=False, init=False)
    _queue: deque[Passed] = attrs.field(factory=deque, init=False)
    _asking: int = attrs.field(default=0, init=False)
    #: How often in a row nobody answered, and when somebody did last.
    _silences: int = attrs.field(default=0, init=False)
    _heard_at: float = attrs.field(default=float("-inf"), init=False)
    #: When it is asked again, where it is left alone.
    _resting: Alarm = attrs.field(init=False)
    _is_resting: bool = attrs.field(default=False, init=False)

    @_resting.default
    def _make_resting(self) -> Alarm:
        return self.alarms.alarm()

    @property
    def is_away(self) -> bool:
        """Whether nobody answers there now."""
        return self._silences > 0

    def enqueue(self, passed: Passed) -> None:
        """Give one a turn, or another if it has one now."""
        passed.is_wanted = True
        if not passed.is_queued and not passed.is_asking:
            passed.is_queued = True
            self._queue.append(passed)
            self._ask_more()

    def _ask_more(self) -> None:
        while self.is_open and self._queue and self._asking < self._at_once():
            passed = self._queue.popleft()
            passed.is_queued = False
            self._asking += 1
            passed.is_asking = True
            self.run(self._turn(passed))

    def _at_once(self) -> int:
        """Say how many may be asked: of a server that is away one, now and then."""
        if self._is_resting:
            return 0
        return 1 if self.is_away else AT_ONCE

    async def _turn(self, passed: Passed) -> None:
        passed.is_wanted = False
        try:
            await self.take(passed)
        finally:
            passed.is_asking = False
            self._asking -= 1
            if passed.is_wanted and not passed.is_refused:
                self.enqueue(passed)
            self._ask_more()

    def heard(self) -> None:
        """The server has answered."""
        self._heard_at = self.alarms.clock.seconds()
        if self._silences:
            self._silences = 0
            _log.info("{server} takes again what is published", server=self.server)
            self.returned()

    def unheard(self, began: float, wanted: float) -> None:
        """
        Leave the server alone for a while, unless it has answered others meanwhile.

        What it did not answer ``began`` then, on the clock of alarms; ``wanted`` are the
        seconds it has asked for, if it did.
        """
        if self._heard_at > began or self._is_resting:
            return
        self._silences += 1
        pause = max(pause_after(self._silences), wanted)
        _log.warn(
            "{server} does not take what is published; asking again in {pause:g} s",
            server=self.server,
            pause=pause,
        )
        self._is_resting = True
        self._resting.set(pause, self._resume)

    def _resume(self) -> None:
        self._is_resting = False
        self._ask_more()
