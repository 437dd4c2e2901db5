"""What a storage answers which serves one process only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from presproxy.errors import PresproxyError
from presproxy.model.record import Batch, Record


class NotShared(PresproxyError):
    """Nobody else writes to this storage, so there is nothing to follow."""


@attrs.define
class Held:
    """
    The lease of a node that has no others beside it: it always holds.

    The node has the same name after every start, as nobody else could have taken what
    was bound to it.
    """

    node: str = "only"

    def holds(self) -> bool:
        """Say that the node may send."""
        return True


class Alone:
    """The half of an `IStorage` which is about other nodes, for one that has none."""

    shared = False
    lease = Held()

    async def follow(self, changed: Callable[[Batch | None], None]) -> int:
        raise NotShared("this storage serves one process; there is no feed to follow")

    async def orphans(self, limit: int) -> Sequence[Record]:
        return ()
