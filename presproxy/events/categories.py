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
    Stale,
)
from presproxy.errors import LimitReached, MalformedDocument, PresproxyError
from presproxy.events.category_records import (
    Kept,
    age_of,
    deletion_of,
    put_of,
    read_category,
)
from presproxy.events.expiry import Expiries
from presproxy.events.resource import Resources
from presproxy.model.record import Change, Record
from presproxy.sip.uri import AddressOfRecord

#: The packages whose state is composed from categories: for others, and for oneself.
PRESENCE, ROAMING_SELF = "presence", "vnd-microsoft-roaming-self"

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
class _Step:
    """One publication as it is, and as it is to be; None where there is none."""

    old: Kept | None
    new: Kept | None


@attrs.define(eq=False)
class StagedCategories:
    """
    Publications of one user on their way.

    ``ended`` are endpoints that end meanwhile, ``is_deserted`` says that the last did.
    """

    table: Categories
    user: AddressOfRecord
    steps: dict[CategoryName, _Step]
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
class _Owned:
    """What one user has, and what is on its way."""

    kept: dict[CategoryName, Kept] = attrs.field(factory=dict)
    under_way: list[StagedCategories] = attrs.field(factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.kept or self.under_way)

    def held(self, name: CategoryName) -> _Step | None:
        """Give what is under way of a publication."""
        return next(
            (each.steps[name] for each in self.under_way if name in each.steps), None
        )

    def step(self, name: CategoryName) -> _Step:
        """Give what is under way of a publication, or one that changes nothing."""
        kept = self.kept.get(name)
        return self.held(name) or _Step(kept, kept)


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
    _users: dict[AddressOfRecord, _Owned] = attrs.field(factory=dict)
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
        owned = self._users.get(user) or _Owned()
        steps: dict[CategoryName, _Step] = {}
        stale: list[Stale] = []
        for index, each in enumerate(asked, 1):
            step = steps.get(each.name) or owned.step(each.name)
            current = _version(step.new)
            is_right = whatever_version or _fits(each, current)
            if not is_right or owned.held(each.name) is not None:
                stale.append(Stale(index, each.version, current))
                continue
            new = self._made(user, each, index, step.new, endpoint, now)
            steps[each.name] = _Step(step.old, new)
        if stale:
            raise WrongVersion(tuple(stale))
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
        owned = self._users.setdefault(user, _Owned())
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

    def _made(
        self,
        user: AddressOfRecord,
        asked: Asked,
        index: int,
        old: Kept | None,
        endpoint: str,
        now: float,
    ) -> Kept | None:
        """Make of one that is asked for what is to be kept, nothing if it goes."""
        if asked.is_removal:
            return None
        category = Category(
            name=asked.name,
            version=_version(old) + 1,
            expire_type=asked.expire_type,
            body=asked.body,
            published_at=now,
            expires_at=_end_of(asked, index, now),
            endpoint=endpoint,
        )
        return Kept(category, self.make_key() if old is None else old.key, user)

    def _check_room(self, owned: _Owned, staged: StagedCategories) -> None:
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

    def _settled(self, staged: StagedCategories) -> _Owned:
        owned = self._users[staged.user]
        owned.under_way.remove(staged)
        self._growth -= staged.growth
        return owned

    def _end_late(self, owned: _Owned, staged: StagedCategories) -> bool:
        """End what should have ended while it was under way."""
        if not staged.ended:
            return False
        names = [name for name in staged.steps if name in owned.kept]
        return self._end(owned, names, staged.ended, staged.is_deserted)

    def _end(
        self,
        owned: _Owned,
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

    def _put(self, owned: _Owned, kept: Kept) -> None:
        owned.kept[kept.category.name] = kept
        self._alive += 1
        if kept.category.expire_type is ExpireType.TIME:
            self._expiries.keep(kept)

    def _drop(self, owned: _Owned, kept: Kept | None) -> None:
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

    def _forget_if_empty(self, user: AddressOfRecord, owned: _Owned) -> None:
        if owned.is_empty:
            self._users.pop(user, None)


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


def _lasts_as_long_as(
    category: Category, endpoints: set[str], is_deserted: bool
) -> bool:
    if category.expire_type is ExpireType.ENDPOINT:
        return category.endpoint in endpoints
    return is_deserted and category.expire_type is ExpireType.USER


def _octets(kept: Iterable[Kept | None]) -> int:
    return sum(len(each.category.body) for each in kept if each is not None)
