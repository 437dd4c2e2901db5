"""
Records in memory, and the rule by which they change.

Pure: the moment is handed in, nothing waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import attrs

from presproxy.errors import Conflict
from presproxy.model.record import Change, Delete, Record

#: Records in one page of a scan, and in one slice of a sweep.
PAGE = 1000

#: Seconds after its expiry, or after it was deleted, that a record is kept.  Longer than
#: any commit may take, so that nobody still holds a change staged on a version that has
#: gone.
GRACE = 60.0

_Name = tuple[str, str]


def record_of(change: Change) -> Record:
    """Give the record as ``change`` leaves it: a deleted one has no payload."""
    if isinstance(change, Delete):
        return Record(
            change.kind, change.key, change.owner, change.staged_on + 1, 0.0, b""
        )
    return Record(
        change.kind,
        change.key,
        change.owner,
        change.staged_on + 1,
        change.expires_at,
        change.payload,
        change.node,
    )


@attrs.define
class _Kept:
    """A record, and the moment when it expired, will expire, or was deleted."""

    record: Record
    ended_at: float


@attrs.define(eq=False)
class Records:
    """
    Records by their kind and key.

    A deleted record stays, without payload, until it is swept: a change which was staged
    before the deletion must not succeed after it.
    """

    _kept: dict[_Name, _Kept] = attrs.field(factory=dict, init=False)
    _names: defaultdict[str, set[_Name]] = attrs.field(
        factory=lambda: defaultdict(set), init=False
    )

    def __len__(self) -> int:
        return len(self._kept)

    def commit(self, changes: Sequence[Change], now: float) -> None:
        """
        Change all, or raise `Conflict`, which names every record that is in the way.

        A change fits a record that is not there, or is at the version it was staged on.
        """
        staged: dict[_Name, _Kept] = {}
        lost: list[_Name] = []
        for change in changes:
            name = (change.kind, change.key)
            kept = staged.get(name) or self._kept.get(name)
            if kept is not None and kept.record.version != change.staged_on:
                lost.append(name)
            record = record_of(change)
            staged[name] = _Kept(record, record.expires_at or now)
        if lost:
            raise Conflict(lost)
        for name, kept in staged.items():
            self._keep(name, kept)

    def fetch(self, kind: str, key: str) -> Record | None:
        """Give one record, deleted or not."""
        kept = self._kept.get((kind, key))
        return kept.record if kept else None

    def read(self, owners: Iterable[str]) -> list[Record]:
        """Give all records of these owners, the deleted ones included."""
        return [
            self._kept[name].record
            for owner in dict.fromkeys(owners)
            for name in self._names.get(owner, ())
        ]

    def pages(self, kind: str, node: str | None) -> Iterator[list[Record]]:
        """Give the records of a kind as they stand when their page is asked for."""
        names = [name for name in self._kept if name[0] == kind]
        for start in range(0, len(names), PAGE):
            found = [self._kept.get(name) for name in names[start : start + PAGE]]
            yield [
                kept.record
                for kept in found
                if kept
                and kept.record.expires_at
                and (node is None or kept.record.node == node)
            ]

    def count(self, kind: str) -> int:
        """Count the records of a kind, deleted ones included."""
        return sum(name[0] == kind for name in self._kept)

    def sweep(self, before: float) -> Iterator[int]:
        """Take away, slice by slice, what ended before a moment; say how many each time."""
        names = list(self._kept)
        for start in range(0, len(names), PAGE):
            ended = [
                name
                for name in names[start : start + PAGE]
                if (kept := self._kept.get(name)) and kept.ended_at < before
            ]
            for name in ended:
                self._drop(name)
            yield len(ended)

    def _keep(self, name: _Name, kept: _Kept) -> None:
        former = self._kept.get(name)
        if former is not None and former.record.owner != kept.record.owner:
            self._drop(name)
        self._kept[name] = kept
        self._names[kept.record.owner].add(name)

    def _drop(self, name: _Name) -> None:
        owner = self._kept.pop(name).record.owner
        names = self._names[owner]
        names.discard(name)
        if not names:
            del self._names[owner]
