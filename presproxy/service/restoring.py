"""Reading everything back at the start, and saying how far that is."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.logger import Logger

from presproxy.events.restore import Restorer
from presproxy.interfaces import IStorage

_log = Logger()

#: Seconds between two lines that tell how far it is; a start that takes less has none.
_TOLD = 1.0


@attrs.define(eq=False)
class Restoring:
    """
    Hands the records that are kept to a `Restorer`, page by page.

    ``ticks`` is a clock that never goes back.
    """

    storage: IStorage
    restorer: Restorer
    ticks: Callable[[], float]
    _told_at: float = attrs.field(init=False, default=0.0)

    async def run(self) -> None:
        """Read all of it."""
        began = self._told_at = self.ticks()
        for kind in self.restorer.kinds:
            await self._read(kind)
        if self.restorer.restored or self.restorer.unreadable:
            _log.info(
                "{restored:,} records are back after {took:.1f} s, {unreadable:,} "
                "could not be read",
                restored=self.restorer.restored,
                unreadable=self.restorer.unreadable,
                took=self.ticks() - began,
            )

    async def _read(self, kind: str) -> None:
        read = 0
        async for page in self.storage.scan(kind):
            for record in page:
                self.restorer.take(record)
            read += len(page)
            if self.ticks() - self._told_at >= _TOLD:
                await self._tell(kind, read)

    async def _tell(self, kind: str, read: int) -> None:
        _log.info(
            "restored {read:,} of {count:,} {kind}s",
            read=read,
            count=await self.storage.count(kind),
            kind=kind,
        )
        self._told_at = self.ticks()
