"""Changes of one user's things, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
from twisted.internet.defer import DeferredLock

from presproxy.sip.uri import AddressOfRecord


@attrs.define(eq=False)
class Turns:
    """Who changes something waits for those who came before him; users at rest cost nothing."""

    _turns: dict[AddressOfRecord, DeferredLock] = attrs.field(init=False, factory=dict)

    def __len__(self) -> int:
        return len(self._turns)

    @asynccontextmanager
    async def of(self, user: AddressOfRecord) -> AsyncIterator[None]:
        """Let one change of a user's begin when the one before it is lasting."""
        turn = self._turns.setdefault(user, DeferredLock())
        await turn.acquire()
        try:
            yield
        finally:
            # Before the release, which runs the next one to its end if it can.
            if not turn.waiting:
                del self._turns[user]
            turn.release()
