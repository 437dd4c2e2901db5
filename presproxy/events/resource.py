"""One presentity as one event package sees it: what is said of it, and who watches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import attrs

from presproxy.documents.lync.categories import Category
from presproxy.extend.guard import Guard, PluginFailed
from presproxy.interfaces import (
    Account,
    Bound,
    Feed,
    IDeltaPackage,
    IEventPackage,
    Material,
    Watcher,
)
from presproxy.model.decision import NEUTRAL, View
from presproxy.model.notice import Body, DeltaBody, NumberedBody
from presproxy.model.publication import Publication
from presproxy.model.subscription import Subscription
from presproxy.sip.uri import AddressOfRecord

#: Bodies of one state that are kept to be shared: so many, and some for each who watches.
#: Chosen: all that clients ask for are some dozens, and who thinks of more only costs
#: himself and others the rendering.  Where one watches many, he could fill the memory.
_MOST_BODIES = 500
_BODIES, _BODIES_OF_ONE = 16, 2

#: Not composed yet; None may be a package's state.
_UNKNOWN: Any = object()


@attrs.define(eq=False)
class Resource:
    """
    What there is of one presentity for one package.

    The state is composed when somebody asks for it and kept while somebody watches.
    """

    presentity: AddressOfRecord
    guard: Guard[IEventPackage]
    #: Whether the package can say what is new, too.
    tells_changes: bool = False
    #: The latest modified comes first.
    publications: list[Publication] = attrs.field(factory=list)
    #: What a server behind says, in memory only.
    fetched: Publication | None = None
    #: What Lync endpoints published, in no order.
    categories: Sequence[Category] = ()
    #: By how many there will be more when all first ones on their way are live.
    growth: int = 0
    subscriptions: dict[str, Subscription] = attrs.field(factory=dict)
    #: Gives the watchers, where the package feeds on them.
    watchers: Callable[[], Sequence[Watcher]] | None = None
    #: Gives what the presentity keeps of himself, where the package feeds on that.
    account: Callable[[], Account] | None = None
    #: Gives where the presentity is registered, where the package feeds on that.
    bindings: Callable[[], Sequence[Bound]] | None = None
    #: Whether somebody watches who is shown more than nobody at home.
    is_attended: bool = False
    #: Changed since its watchers were last told, and whether that waits for a pause.
    is_marked: bool = False
    is_pausing: bool = False
    #: When the first change since then was asked for, on the clock of latencies.
    changed_at: float = 0.0
    #: When its watchers were last told, on the same clock.
    told_at: float = float("-inf")
    #: As composed of all there is, and as last told to everybody.
    _state: Any = _UNKNOWN
    _told: Any = _UNKNOWN
    #: Whether somebody was told a state in between.
    _has_strays: bool = False
    #: Bodies by view and content type, with the state each was made of.
    _bodies: dict[tuple[View, str], tuple[Any, Body | NumberedBody]] = attrs.field(
        factory=dict
    )

    @property
    def package(self) -> IEventPackage:
        """The package, of which nothing is asked but its attributes."""
        return self.guard.plugin

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing left to remember."""
        return not (
            self.publications
            or self.subscriptions
            or self.categories
            or self.growth
            or self.fetched
        )

    def outdate(self) -> None:
        """What it is composed from is another now."""
        self._state = _UNKNOWN

    def has_news(self) -> bool:
        """
        Say whether somebody has not been told the present state; from now on all have.

        What nobody was told yet, as after a start, is news.  A package that fails leaves
        the last state standing; `PluginFailed` is raised if there is none.
        """
        state = self._present()
        told, self._told = self._told, state
        strayed, self._has_strays = self._has_strays, False
        if told is _UNKNOWN or strayed:
            return True
        return told is not state and self.guard.tell(_differ, told, state)

    def owe(self) -> None:
        """Remember that somebody is to be told the state, even if it stays as it is."""
        self._has_strays = True

    def forget(self) -> None:
        """Nobody watches any more; it is composed again when somebody asks."""
        self._state = self._told = _UNKNOWN
        self._has_strays = False
        self._bodies.clear()

    def body(self, view: View, content_type: str) -> Body | NumberedBody:
        """
        Give the present state as one view shows it; raises `PluginFailed`.

        While nothing changes for a view, it is the very same object.
        """
        state = self.presentity if view == NEUTRAL else self._present()
        key = (view, content_type)
        made_of, former = self._bodies.get(key, (_UNKNOWN, None))
        if former is not None and made_of is state:
            return former
        body = self._rendered(state, view, content_type)
        if body == former:
            body = former
        elif self.tells_changes and isinstance(former, DeltaBody):
            body = self._with_change(body, former, state, made_of, key)
        if self.subscriptions:
            room = _BODIES + _BODIES_OF_ONE * len(self.subscriptions)
            if len(self._bodies) >= min(room, _MOST_BODIES):
                self._bodies.clear()
            self._bodies[key] = (state, body)
        return body

    def showing(self, view: View, content_type: str) -> Body | NumberedBody:
        """Give what `body` does, for one watcher who is told by himself."""
        body = self.body(view, content_type)
        if view != NEUTRAL and self.subscriptions:
            if self._told is _UNKNOWN and not self.is_marked:
                self._told = self._state
            elif self._told is not self._state:
                self._has_strays = True
        return body

    def living(self) -> Iterator[Subscription]:
        """Go through the subscriptions that have not ended."""
        return (each for each in self.subscriptions.values() if each.is_alive)

    def _present(self) -> Any:
        """Give the present state, the last one told if the package fails now."""
        if not self.subscriptions:
            return self._composed()
        if self._state is _UNKNOWN:
            try:
                self._state = self._composed()
            except PluginFailed:
                if self._told is _UNKNOWN:
                    raise
                self._state = self._told
        return self._state

    def _composed(self) -> Any:
        watchers: Sequence[Watcher] = ()
        if self.package.feeds is Feed.WATCHERS and self.watchers is not None:
            watchers = self.watchers()
        account = None
        if self.package.feeds is Feed.ACCOUNT and self.account is not None:
            account = self.account()
        bindings: Sequence[Bound] = ()
        if self.package.feeds is Feed.REGISTRATIONS and self.bindings is not None:
            bindings = self.bindings()
        material = Material(
            self.presentity,
            self._told_of(),
            watchers,
            self.categories,
            account,
            bindings,
        )
        return self.guard.tell(self.package.compose, material)

    def _told_of(self) -> Sequence[Publication]:
        if self.fetched is None:
            return tuple(self.publications)
        several = (*self.publications, self.fetched)
        return sorted(several, key=lambda each: -each.modified_at)

    def _rendered(
        self, state: Any, view: View, content_type: str
    ) -> Body | NumberedBody:
        package, tell = self.package, self.guard.tell
        if view == NEUTRAL:
            shown = tell(package.neutral, self.presentity)
        else:
            shown = tell(package.narrow, state, view)
        body = tell(package.render, shown, content_type)
        if self.tells_changes:
            return DeltaBody(body.content_type, body.numbered(0))
        return body

    def _with_change(
        self,
        body: Body | NumberedBody,
        former: DeltaBody,
        state: Any,
        made_of: Any,
        key: tuple[View, str],
    ) -> DeltaBody:
        """
        Add what is new since a former body; nothing is if the package cannot say.

        The content type asked for may name a part, which that of the body does not.
        """
        # Each knows the one before it and no more, or none would ever be let go.
        former.base, former.delta = None, b""
        delta = self._change(state, made_of, *key)
        base = None if delta is None else former
        data = body.numbered(0)
        return DeltaBody(body.content_type, data, base, delta or b"")

    def _change(
        self, state: Any, former: Any, view: View, content_type: str
    ) -> bytes | None:
        if view == NEUTRAL:
            return None
        plugin: Any = self.guard.plugin  # An `IDeltaPackage`, too.
        tell = self.guard.tell
        try:
            shown = tell(plugin.narrow, state, view)
            before = tell(plugin.narrow, former, view)
            delta: bytes | None = tell(
                plugin.render_change, shown, before, content_type
            )
        except PluginFailed:
            # Counted and logged by its guard; all is said again.
            return None
        return delta


def _differ(one: Any, other: Any) -> bool:
    return bool(one != other)


@attrs.define(eq=False)
class Resources:
    """All resources, by presentity and package; only those which hold something."""

    _packages: Mapping[str, Guard[IEventPackage]]
    _resources: dict[tuple[AddressOfRecord, str], Resource] = attrs.field(factory=dict)
    #: How many resources each presentity has.
    _numbers: dict[AddressOfRecord, int] = attrs.field(factory=dict)
    #: The packages that can say what is new.
    _telling_changes: frozenset[str] = attrs.field(init=False)

    @_telling_changes.default
    def _ask_once(self) -> frozenset[str]:
        return frozenset(
            name
            for name, guard in self._packages.items()
            if IDeltaPackage.providedBy(guard.plugin)
        )

    def __iter__(self) -> Iterator[Resource]:
        return iter(tuple(self._resources.values()))

    def __len__(self) -> int:
        return len(self._resources)

    @property
    def presentities(self) -> Collection[AddressOfRecord]:
        """All who have any, the longest known first; not to be kept."""
        return self._numbers.keys()

    @property
    def packages(self) -> Collection[str]:
        """The names of all packages there are."""
        return self._packages.keys()

    def serves(self, package: str) -> bool:
        """Whether this package is there."""
        return package in self._packages

    def guard(self, package: str) -> Guard[IEventPackage]:
        """Give a package behind its guard; KeyError if it is not served."""
        return self._packages[package]

    def find(self, presentity: AddressOfRecord, package: str) -> Resource | None:
        """Give a resource that holds something."""
        return self._resources.get((presentity, package))

    def of(self, presentity: AddressOfRecord) -> list[Resource]:
        """Give the resources of one presentity."""
        found = (self.find(presentity, package) for package in self._packages)
        return [resource for resource in found if resource is not None]

    def take(self, presentity: AddressOfRecord, package: str) -> Resource:
        """Give the resource, made when there is none; whoever takes it puts something in."""
        key = (presentity, package)
        resource = self._resources.get(key)
        if resource is None:
            tells_changes = package in self._telling_changes
            resource = Resource(presentity, self._packages[package], tells_changes)
            self._resources[key] = resource
            self._numbers[presentity] = self._numbers.get(presentity, 0) + 1
        return resource

    def drop_if_empty(self, resource: Resource) -> None:
        """Forget a resource which holds nothing any more."""
        key = (resource.presentity, resource.package.name)
        if resource.is_empty and self._resources.get(key) is resource:
            del self._resources[key]
            left = self._numbers[resource.presentity] - 1
            if left:
                self._numbers[resource.presentity] = left
            else:
                del self._numbers[resource.presentity]
