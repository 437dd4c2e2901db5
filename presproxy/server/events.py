"""The event packages served here, as requests name them (RFC 6665 §8.2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from zope.interface.interface import InterfaceClass

from presproxy.interfaces import (
    Bounds,
    Feed,
    IEventPackage,
    IFollowingPackage,
    IPrivatePackage,
    ITailoredPackage,
)
from presproxy.server.answer import Refusal
from presproxy.server.exchange import Exchange
from presproxy.sip.eventfields import Event

#: Phones that share a line keep its state among themselves by these parameters.  It is
#: another state than that of a user's calls, and not kept here.
_SHARED_LINE = frozenset({"sla", "ma"})


@attrs.frozen(eq=False)
class EventPackages:
    """
    Packages by their names.

    ``shortest`` is the least interval granted whatever the package, in seconds; a package
    may want more.
    """

    packages: Mapping[str, IEventPackage]
    shortest: int
    #: The value of Allow-Events; without spaces, which SIPE takes for part of a name.
    allowed: str = attrs.field(init=False)
    #: Those that none but the presentity may watch.
    private: frozenset[str] = attrs.field(init=False)
    #: Those which write for the user agent that reads, and those which follow what they
    #: were told before.  Who asks a package itself each time takes half a microsecond.
    tailored: frozenset[str] = attrs.field(init=False)
    following: frozenset[str] = attrs.field(init=False)
    _bounds: Mapping[str, Bounds] = attrs.field(init=False)

    @allowed.default
    def _all_names(self) -> str:
        return ",".join(self.packages)

    @private.default
    def _all_private(self) -> frozenset[str]:
        return frozenset(
            name for name, package in self.packages.items() if _is_private(package)
        )

    @tailored.default
    def _all_tailored(self) -> frozenset[str]:
        return _providing(ITailoredPackage, self.packages)

    @following.default
    def _all_following(self) -> frozenset[str]:
        return _providing(IFollowingPackage, self.packages)

    @_bounds.default
    def _never_shorter(self) -> Mapping[str, Bounds]:
        return {
            name: attrs.evolve(
                package.bounds, shortest=max(self.shortest, package.bounds.shortest)
            )
            for name, package in self.packages.items()
        }

    def subscribable(self, exchange: Exchange) -> IEventPackage:
        """Give the package a SUBSCRIBE is for, or refuse with 489."""
        event = exchange.request.event
        package = None if event is None else self.packages.get(event.package)
        if package is None or (event is not None and _is_of_shared_line(event)):
            raise self.bad_event()
        return package

    def publishable(self, exchange: Exchange) -> IEventPackage:
        """Give the package a PUBLISH is for, or refuse with 489 (RFC 3903 §6 step 2)."""
        package = self.subscribable(exchange)
        if not package.accepts:
            raise self.bad_event()
        return package

    def grant(self, package: str, asked: int | None) -> int:
        """Say how long what was asked for will last; raises `IntervalTooBrief`."""
        return self._bounds[package].grant(asked)

    def bad_event(self) -> Refusal:
        """Refuse with 489."""
        return Refusal(489, (("Allow-Events", self.allowed),))


def _is_private(package: IEventPackage) -> bool:
    if package.feeds is Feed.ACCOUNT:
        return True
    private: Any = package
    return IPrivatePackage.providedBy(package) and bool(private.is_private)


def _providing(
    interface: InterfaceClass, packages: Mapping[str, IEventPackage]
) -> frozenset[str]:
    return frozenset(
        name for name, package in packages.items() if interface.providedBy(package)
    )


def _is_of_shared_line(event: Event) -> bool:
    return event.package == "dialog" and any(
        name.lower() in _SHARED_LINE for name, _ in event.parameters
    )
