"""Records that are of no use any more, deleted while nobody waits for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import attrs

from presproxy.errors import Conflict, PresproxyError
from presproxy.model.record import Change
from presproxy.server.journal import Journal

#: Tried again in one turn.
_AT_ONCE = 200

#: Remembered while the storage fails; of more, a start finds the rest.
_MOST = 100_000


@attrs.frozen(eq=False)
class _Forgotten:
    """What is gone from memory already; see `Staged`."""

    changes: Sequence[Change]

    def live(self) -> None:
        """See `Staged`."""

    def take_back(self) -> None:
        """See `Staged`."""


@attrs.define(eq=False)
class Leftovers:
    """
    Deletes records once, or again and again until the storage takes it.

    ``run`` runs what nobody waits for.
    """

    journal: Journal
    run: Callable[[Awaitable[None]], None]
    _left: deque[Change] = attrs.field(factory=lambda: deque(maxlen=_MOST))

    def __len__(self) -> int:
        return len(self._left)

    def forget(self, changes: Sequence[Change]) -> None:
        """Delete what is of no use any more."""
        self.run(self._delete(tuple(changes)))

    def tick(self) -> None:
        """Try again what could not be deleted."""
        if self._left:
            again = [self._left.popleft() for _ in range(min(_AT_ONCE, len(self)))]
            self.forget(again)

    async def _delete(self, changes: Sequence[Change]) -> None:
        try:
            await self.journal.commit(_Forgotten(changes))
        except Conflict:
            # Somebody wrote it meanwhile, and so it is of use.
            return
        except PresproxyError:
            self._left.extend(changes)
