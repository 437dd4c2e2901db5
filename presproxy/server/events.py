"""The event packages served here, as requests name them (RFC 6665 §8.2.1)."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from presproxy.interfaces import Bounds, IEventPackage
from presproxy.server.answer import Refusal
from presproxy.server.exchange import Exchange


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
    _bounds: Mapping[str, Bounds] = attrs.field(init=False)

    @allowed.default
    def _all_names(self) -> str:
        return ",".join(self.packages)

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
        if package is None:
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
