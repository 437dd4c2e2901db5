"""One presentity as one event package sees it: what is said of it, and who watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from presproxy.extend.guard import Guard, PluginFailed
from presproxy.interfaces import Feed, IEventPackage, Material, Watcher
from presproxy.model.decision import NEUTRAL, View
from presproxy.model.notice import Body, NumberedBody
from presproxy.model.publication import Publication
from presproxy.model.subscription import Subscription
from presproxy.sip.uri import AddressOfRecord

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
    #: The latest modified comes first.
    publications: list[Publication] = attrs.field(factory=list)
    subscriptions: dict[str, Subscription] = attrs.field(factory=dict)
    #: Gives the watchers, where the package feeds on them.
    watchers: Callable[[], Sequence[Watcher]] | None = None
    #: Changed since its watchers were last told.
    is_marked: bool = False
    #: When the first change since then was asked for, on the clock of latencies.
    changed_at: float = 0.0
    #: When its watchers were last told, on the same clock.
    told_at: float = float("-inf")
    _state: Any = _UNKNOWN
    _told: Any = _UNKNOWN
    _bodies: dict[tuple[View, str], Body | NumberedBody] = attrs.field(factory=dict)

    @property
    def package(self) -> IEventPackage:
        """The package, of which nothing is asked but its attributes."""
        return self.guard.plugin

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing left to remember."""
        return not (self.publications or self.subscriptions)

    def outdate(self) -> None:
        """What it is composed from is another now."""
        self._state = _UNKNOWN
        self._bodies.clear()

    def has_news(self) -> bool:
        """
        Say whether the state is another than the one last told to all, which it now is.

        What nobody was told yet, as after a start, is news.  A package that fails leaves
        the last state standing, and raises `PluginFailed`.
        """
        if self._state is _UNKNOWN:
            try:
                self._state = self._composed()
            except PluginFailed:
                self._state = self._told
                raise
        told, self._told = self._told, self._state
        return told is _UNKNOWN or bool(told != self._state)

    def forget(self) -> None:
        """Nobody watches any more; it is composed again when somebody asks."""
        self.outdate()
        self._told = _UNKNOWN

    def body(self, view: View, content_type: str) -> Body | NumberedBody:
        """Give the present state as one view shows it; raises `PluginFailed`."""
        key = (view, content_type)
        body = self._bodies.get(key)
        if body is None:
            state = self._seen(view)
            body = self.guard.tell(self.package.render, state, content_type)
            if self.subscriptions:
                self._bodies[key] = body
        return body

    def living(self) -> Iterator[Subscription]:
        """Go through the subscriptions that have not ended."""
        return (each for each in self.subscriptions.values() if each.is_alive)

    def _seen(self, view: View) -> Any:
        if view == NEUTRAL:
            return self.guard.tell(self.package.neutral, self.presentity)
        if not self.subscriptions:
            return self.guard.tell(self.package.narrow, self._composed(), view)
        if self._state is _UNKNOWN:
            self._state = self._composed()
        if self._told is _UNKNOWN and not self.is_marked:
            self._told = self._state
        return self.guard.tell(self.package.narrow, self._state, view)

    def _composed(self) -> Any:
        watchers: Sequence[Watcher] = ()
        if self.package.feeds is Feed.WATCHERS and self.watchers is not None:
            watchers = self.watchers()
        material = Material(self.presentity, tuple(self.publications), watchers)
        return self.guard.tell(self.package.compose, material)


@attrs.define(eq=False)
class Resources:
    """All resources, by presentity and package; only those which hold something."""

    _packages: Mapping[str, Guard[IEventPackage]]
    _resources: dict[tuple[AddressOfRecord, str], Resource] = attrs.field(factory=dict)

    def __iter__(self) -> Iterator[Resource]:
        return iter(tuple(self._resources.values()))

    def __len__(self) -> int:
        return len(self._resources)

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
            resource = Resource(presentity, self._packages[package])
            self._resources[key] = resource
        return resource

    def drop_if_empty(self, resource: Resource) -> None:
        """Forget a resource which holds nothing any more."""
        if resource.is_empty:
            self._resources.pop((resource.presentity, resource.package.name), None)
