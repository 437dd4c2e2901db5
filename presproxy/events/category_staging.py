"""
Categories on their way: what a request makes of what one user has.

Versions are compared here, all of a request at once; it knows neither resources nor who
is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from presproxy.documents.lync.categories import (
    Asked,
    Category,
    CategoryName,
    ExpireType,
    Stale,
)
from presproxy.errors import MalformedDocument, PresproxyError
from presproxy.events.category_records import Kept, deletion_of, put_of
from presproxy.model.record import Change
from presproxy.sip.uri import AddressOfRecord

#: Seconds that a publication lasts at the most which ends by itself: a year, chosen.
_LONGEST = 366 * 86400


@attrs.frozen(eq=False)
class WrongVersion(PresproxyError):
    """Publications were made on other versions than the current ones; nothing is done."""

    stale: Sequence[Stale]

    def __str__(self) -> str:
        each = self.stale[0]
        return (
            f"publication {each.index} was made on version {each.version}, and "
            f"{each.current} is current"
        )


@attrs.frozen
class Step:
    """One publication as it is, and as it is to be; None where there is none."""

    old: Kept | None
    new: Kept | None


class Table(Protocol):
    """Who brings to life what was staged."""

    def live(self, staged: StagedCategories) -> None:
        """Make what was committed seen."""

    def take_back(self, staged: StagedCategories) -> None:
        """Leave all as it was."""


@attrs.define(eq=False)
class StagedCategories:
    """
    Publications of one user on their way.

    ``ended`` are endpoints that end meanwhile, ``is_deserted`` says that the last did.
    """

    table: Table
    user: AddressOfRecord
    steps: dict[CategoryName, Step]
    changed_at: float
    ended: set[str] = attrs.field(factory=set)
    is_deserted: bool = False

    @property
    def growth(self) -> int:
        """By how many publications there will be more."""
        return sum(
            (step.new is not None) - (step.old is not None)
            for step in self.steps.values()
        )

    @property
    def changes(self) -> Sequence[Change]:
        """See `Staged`."""
        changes: list[Change] = []
        for old, new in ((step.old, step.new) for step in self.steps.values()):
            if old is not None and (new is None or new.key != old.key):
                changes.append(deletion_of(old))
            if new is not None:
                changes.append(put_of(new))
        return changes

    def live(self) -> None:
        """See `Staged`."""
        self.table.live(self)

    def take_back(self) -> None:
        """See `Staged`."""
        self.table.take_back(self)


@attrs.define(eq=False)
class Owned:
    """What one user has, and what is on its way."""

    kept: dict[CategoryName, Kept] = attrs.field(factory=dict)
    under_way: list[StagedCategories] = attrs.field(factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.kept or self.under_way)

    def held(self, name: CategoryName) -> Step | None:
        """Give what is under way of a publication."""
        return next(
            (each.steps[name] for each in self.under_way if name in each.steps), None
        )

    def _step(self, name: CategoryName) -> Step:
        """Give what is under way of a publication, or one that changes nothing."""
        kept = self.kept.get(name)
        return self.held(name) or Step(kept, kept)

    def steps(
        self,
        user: AddressOfRecord,
        asked: Sequence[Asked],
        endpoint: str,
        now: float,
        make_key: Callable[[], str],
        whatever_version: bool,
    ) -> dict[CategoryName, Step]:
        """
        Say what is to become of each publication that is asked for.

        Raises `WrongVersion` and `MalformedDocument`, as `Categories.stage` does.
        """
        steps: dict[CategoryName, Step] = {}
        stale: list[Stale] = []
        for index, each in enumerate(asked, 1):
            if each.name in steps:
                raise MalformedDocument(f"publication {index} is there twice")
            step = self._step(each.name)
            current = _version(step.new)
            is_right = whatever_version or _fits(each, current)
            if not is_right or self.held(each.name) is not None:
                stale.append(Stale(index, each.version, current))
                continue
            category = _made(each, index, current + 1, endpoint, now)
            new = None
            if category is not None:
                key = make_key() if step.new is None else step.new.key
                new = Kept(category, key, user)
            steps[each.name] = Step(step.old, new)
        if stale:
            raise WrongVersion(tuple(stale))
        return steps


def _made(
    asked: Asked, index: int, version: int, endpoint: str, now: float
) -> Category | None:
    """Make of one that is asked for what is to be kept, nothing if it goes."""
    if asked.is_removal:
        return None
    return Category(
        name=asked.name,
        version=version,
        expire_type=asked.expire_type,
        body=asked.body,
        published_at=now,
        expires_at=_end_of(asked, index, now),
        endpoint=endpoint,
    )


def _version(kept: Kept | None) -> int:
    return 0 if kept is None else kept.category.version


def _fits(asked: Asked, current: int) -> bool:
    """Whether a request was made on the current version, or ends what is not there."""
    return asked.version == current or (asked.is_removal and not current)


def _end_of(asked: Asked, index: int, now: float) -> float:
    if asked.expire_type is not ExpireType.TIME:
        return float("inf")
    if asked.expires is None:
        raise MalformedDocument(
            f"publication {index}: with expireType time, expires says for how long"
        )
    return now + min(asked.expires, _LONGEST)
