"""Taking away, now and then and in slices, what nobody will ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from presproxy.errors import StorageUnavailable
from presproxy.interfaces import IHouse

_log = Logger()

#: Seconds from one sweep to the next.  A sweep looks at every record, which at a million
#: is less than a second of one core.
PAUSE = 300.0


@attrs.define(eq=False)
class Sweeping:
    """
    Sweeps again and again.

    ``sweep`` takes away a slice before each of its yields, and yields how many records
    that were.  Between two slices the reactor breathes.
    """

    house: IHouse
    sweep: Callable[[], AsyncIterator[int]]
    _looping: LoopingCall | None = attrs.field(default=None, init=False)
    _under_way: Deferred[None] | None = attrs.field(default=None, init=False)

    def start(self) -> None:
        """Sweep after `PAUSE` seconds, and so on."""
        self._looping = LoopingCall(self._begin)
        self._looping.clock = self.house.reactor
        self._looping.start(PAUSE, now=False)

    async def stop(self) -> None:
        """Sweep no more; a sweep under way ends with its slice."""
        if self._looping is not None:
            self._looping.stop()
            self._looping = None
        if self._under_way is not None:
            await self._under_way

    def _begin(self) -> Deferred[None]:
        self._under_way = Deferred.fromCoroutine(self._once())
        return self._under_way

    async def _once(self) -> None:
        swept = self.house.metrics.counter(
            "storage_swept_records", "Records taken away after their expiry."
        )
        try:
            async for count in self.sweep():
                swept.value += count
                if self._looping is None:
                    break
                await deferLater(self.house.reactor, 0)
        except StorageUnavailable as error:
            # The next sweep finds the same records.
            _log.warn("expired records are kept for now: {why}", why=error.why)
