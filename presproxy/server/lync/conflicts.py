"""
How often an endpoint was told that its versions are old.

SIPE publishes again at once when it is told so, and takes over the versions of those
publications only which it knew before.  Without a bound it would go on as fast as the
network lets it.
"""

from __future__ import annotations

from collections import deque

import attrs

from presproxy.sip.uri import AddressOfRecord

_Key = tuple[AddressOfRecord, str]


@attrs.define(eq=False)
class _Row:
    in_a_row: int = 0
    times: deque[float] = attrs.field(factory=deque)

    def lately(self, now: float) -> int:
        """Say how many there were within a second."""
        while self.times and self.times[0] <= now - 1.0:
            self.times.popleft()
        return len(self.times)


@attrs.define(eq=False)
class Conflicts:
    """
    Counts them by endpoint, of ``most`` endpoints at the most.

    After ``patience`` in a row a request is to be accepted whatever its versions are.
    After ``in_a_second`` within a second neither that nor one more conflict is his answer
    until a second is over.  ``now`` is a moment on a clock that never goes back.
    """

    patience: int = 3
    in_a_second: int = 10
    most: int = 10_000
    _rows: dict[_Key, _Row] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._rows)

    def is_enough(self, user: AddressOfRecord, epid: str, now: float) -> bool:
        """Whether the next request is to be accepted whatever its versions are."""
        row = self._rows.get((user, epid))
        if row is None or row.in_a_row < self.patience:
            return False
        return row.lately(now) < self.in_a_second

    def happened(self, user: AddressOfRecord, epid: str, now: float) -> bool:
        """Count one in its row, and say whether it may be answered as such."""
        self._row((user, epid)).in_a_row += 1
        return self.may_be_told(user, epid, now)

    def may_be_told(self, user: AddressOfRecord, epid: str, now: float) -> bool:
        """Say whether one may be answered as such, of what is never accepted unlooked at."""
        row = self._row((user, epid))
        if row.lately(now) >= self.in_a_second:
            return False
        row.times.append(now)
        return True

    def accepted(self, user: AddressOfRecord, epid: str) -> None:
        """A request was accepted: the row is broken."""
        row = self._rows.get((user, epid))
        if row is not None:
            row.in_a_row = 0

    def _row(self, key: _Key) -> _Row:
        # The one that was told last comes last, and the first makes room.
        row = self._rows.pop(key) if key in self._rows else _Row()
        self._rows[key] = row
        if len(self._rows) > self.most:
            del self._rows[next(iter(self._rows))]
        return row
