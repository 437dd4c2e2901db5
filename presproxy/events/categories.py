"""
Categories: what the endpoints of Lync's users publish ([MS-PRES] 2.2.2).

A publication is staged on the version that its publisher believes to be current, all of a
request or nothing of it.  How long it lasts is said by its expire type: what an endpoint
leaves behind is ended here, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from presproxy.documents.lync.categories import (
    Asked,
    Category,
    CategoryName,
    ExpireType,
)
from presproxy.errors import LimitReached
from presproxy.events.category_records import Kept, age_of, deletion_of, read_category
from presproxy.events.category_staging import Owned, StagedCategories
from presproxy.events.expiry import Expiries
from presproxy.events.resource import Resources
from presproxy.model.record import Change, Record
from presproxy.sip.uri import AddressOfRecord

#: The packages whose state is composed from categories: for others, and for oneself.
PRESENCE, ROAMING_SELF = "presence", "vnd-microsoft-roaming-self"


@attrs.frozen
class CategoryBounds:
    """How many publications, and octets in them, one user has, and how many are in all."""

    of_one: int = 500
    octets_of_one: int = 262_144
    in_all: int = 1_000_000


@attrs.define(eq=False)
class Categories:
    """
    The categories of all users.

    ``changed`` is told of each resource whose categories are others now, and when that
    was asked for.  ``forgotten`` is handed records that are of no use any more.
    """

    resources: Resources
    changed: Callable[[AddressOfRecord, str, float], None]
    make_key: Callable[[], str]
    forgotten: Callable[[Sequence[Change]], None]
    bounds: CategoryBounds = CategoryBounds()
    _users: dict[AddressOfRecord, Owned] = attrs.field(factory=dict)
    _expiries: Expiries[Kept] = attrs.field(factory=Expiries)
    _alive: int = 0
    _growth: int = 0

    def __len__(self) -> int:
        return self._alive

    def __iter__(self) -> Iterator[AddressOfRecord]:
        """Go through the users who published anything."""
        return iter(tuple(self._users))

    @property
    def expiring(self) -> int:
        """How many are kept by the second in which they end."""
        return len(self._expiries)

    def of(self, user: AddressOfRecord) -> tuple[Category, ...]:
        """Give all that a user published and that has not ended."""
        owned = self._users.get(user)
        if owned is None:
            return ()
        return tuple([kept.category for kept in owned.kept.values()])

    # -- Publishing ------------------------------------------------------------------

    def stage(
        self,
        user: AddressOfRecord,
        asked: Sequence[Asked],
        endpoint: str,
        now: float,
        changed_at: float,
        *,
        whatever_version: bool = False,
    ) -> StagedCategories:
        """
        Stage what an endpoint asks for, all of it.

        To remove what is not there is no mistake, whatever the version.  Raises
        `WrongVersion` with each that was made on another version than the current, if
        that is looked at, or that is on its way by another request; `LimitReached`; and
        `MalformedDocument` for what cannot be.
        """
        owned = self._users.get(user) or Owned()
        steps = owned.steps(user, asked, endpoint, now, self.make_key, whatever_version)
        staged = StagedCategories(self, user, steps, changed_at)
        self._check_room(owned, staged)
        owned.under_way.append(staged)
        self._users[user] = owned
        self._growth += staged.growth
        return staged

    def live(self, staged: StagedCategories) -> None:
        """Make what was committed seen."""
        owned = self._settled(staged)
        for name, step in staged.steps.items():
            # It may have expired meanwhile.
            self._drop(owned, owned.kept.get(name))
            if step.new is not None:
                self._put(owned, step.new)
        self._end_late(owned, staged)
        self._told(staged.user, staged.changed_at)

    def take_back(self, staged: StagedCategories) -> None:
        """Leave all as it was, but for what has ended meanwhile."""
        owned = self._settled(staged)
        if self._end_late(owned, staged):
            self._told(staged.user, staged.changed_at)
        else:
            self._forget_if_empty(staged.user, owned)

    # -- Ending ----------------------------------------------------------------------

    def end_endpoint(
        self, user: AddressOfRecord, endpoint: str, changed_at: float, *, is_last: bool
    ) -> None:
        """
        An endpoint is gone, and with it what was to last as long as it.

        With the last one goes what was to last as long as any.
        """
        owned = self._users.get(user)
        if owned is None:
            return
        for staged in owned.under_way:
            staged.ended.add(endpoint)
            staged.is_deserted |= is_last
        names = [name for name in owned.kept if owned.held(name) is None]
        if self._end(owned, names, {endpoint}, is_last):
            self._told(user, changed_at)

    def expire(self, now: float, changed_at: float) -> bool:
        """End some of those whose time is over, and say whether there are more."""
        for kept in self._expiries.due(now):
            owned = self._users[kept.user]
            self._drop(owned, kept)
            self._told(kept.user, changed_at)
        return self._expiries.is_due(now)

    # -- After a start ---------------------------------------------------------------

    def restore(self, record: Record, now: float) -> bool:
        """
        Take a publication back into memory, telling nobody; False if it is not alive.

        Of two with one name, as a failed removal leaves them, the later one counts.
        Raises ValueError for a payload that is none.
        """
        user = AddressOfRecord(record.owner)
        category = read_category(record)
        if category.expires_at <= now:
            return False
        owned = self._users.setdefault(user, Owned())
        there = owned.kept.get(category.name)
        kept = Kept(category, record.key, user)
        if there is not None:
            older, kept = sorted((there, kept), key=age_of)
            self.forgotten([deletion_of(older)])
            self._drop(owned, there)
        self._put(owned, kept)
        self._show(user)
        return True

    # -- Below -----------------------------------------------------------------------

    def _check_room(self, owned: Owned, staged: StagedCategories) -> None:
        """Raise `LimitReached` where there is no room for what would be more."""
        bounds, under_way = self.bounds, (*owned.under_way, staged)
        growth = sum(each.growth for each in under_way)
        if staged.growth > 0 and len(owned.kept) + growth > bounds.of_one:
            raise LimitReached("publications of one user", bounds.of_one)
        if staged.growth > 0 and (
            self._alive + self._growth + staged.growth > bounds.in_all
        ):
            raise LimitReached("publications", bounds.in_all)
        there = _octets(owned.kept.values())
        more = sum(
            _octets([step.new]) - _octets([step.old])
            for each in under_way
            for step in each.steps.values()
        )
        if more > 0 and there + more > bounds.octets_of_one:
            raise LimitReached("octets published by one user", bounds.octets_of_one)

    def _settled(self, staged: StagedCategories) -> Owned:
        owned = self._users[staged.user]
        owned.under_way.remove(staged)
        self._growth -= staged.growth
        return owned

    def _end_late(self, owned: Owned, staged: StagedCategories) -> bool:
        """End what should have ended while it was under way."""
        if not staged.ended:
            return False
        names = [name for name in staged.steps if name in owned.kept]
        return self._end(owned, names, staged.ended, staged.is_deserted)

    def _end(
        self,
        owned: Owned,
        names: Iterable[CategoryName],
        endpoints: set[str],
        is_deserted: bool,
    ) -> bool:
        """End of these what lasts no longer; say whether there was anything."""
        ending = [
            kept
            for kept in map(owned.kept.__getitem__, names)
            if _lasts_as_long_as(kept.category, endpoints, is_deserted)
        ]
        for kept in ending:
            self._drop(owned, kept)
        if ending:
            self.forgotten([deletion_of(kept) for kept in ending])
        return bool(ending)

    def _put(self, owned: Owned, kept: Kept) -> None:
        owned.kept[kept.category.name] = kept
        self._alive += 1
        if kept.category.expire_type is ExpireType.TIME:
            self._expiries.keep(kept)

    def _drop(self, owned: Owned, kept: Kept | None) -> None:
        if kept is not None and owned.kept.get(kept.category.name) is kept:
            del owned.kept[kept.category.name]
            self._alive -= 1
            self._expiries.drop(kept)

    def _told(self, user: AddressOfRecord, changed_at: float) -> None:
        """Show what a user's categories are now, and have it told."""
        self._show(user)
        for package in (PRESENCE, ROAMING_SELF):
            self.changed(user, package, changed_at)
        self._forget_if_empty(user, self._users[user])

    def _show(self, user: AddressOfRecord) -> None:
        if self.resources.serves(PRESENCE):
            resource = self.resources.take(user, PRESENCE)
            resource.categories = self.of(user)
            self.resources.drop_if_empty(resource)

    def _forget_if_empty(self, user: AddressOfRecord, owned: Owned) -> None:
        if owned.is_empty:
            self._users.pop(user, None)


def _lasts_as_long_as(
    category: Category, endpoints: set[str], is_deserted: bool
) -> bool:
    if category.expire_type is ExpireType.ENDPOINT:
        return category.endpoint in endpoints
    return is_deserted and category.expire_type is ExpireType.USER


def _octets(kept: Iterable[Kept | None]) -> int:
    return sum(len(each.category.body) for each in kept if each is not None)
