"""The event packages served here, as requests name them (RFC 6665 §8.2.1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from presproxy.interfaces import IEventPackage
from presproxy.server.answer import Refusal
from presproxy.server.exchange import Exchange
from presproxy.sip.uri import AddressOfRecord, domain_of


@attrs.frozen(eq=False)
class EventPackages:
    """Packages by their names, and the domains whose users they are about."""

    packages: Mapping[str, IEventPackage]
    domains: Collection[str]

    @property
    def allowed(self) -> str:
        """The value of Allow-Events."""
        return ", ".join(self.packages)

    def subscribable(self, exchange: Exchange) -> IEventPackage:
        """Give the package a SUBSCRIBE is for, or refuse with 489."""
        event = exchange.request.event
        package = None if event is None else self.packages.get(event.package)
        if package is None:
            raise self._bad_event()
        return package

    def publishable(self, exchange: Exchange) -> IEventPackage:
        """Give the package a PUBLISH is for, or refuse with 489 (RFC 3903 §6 step 2)."""
        package = self.subscribable(exchange)
        if not package.accepts:
            raise self._bad_event()
        return package

    def ours(self, aor: AddressOfRecord) -> AddressOfRecord:
        """Give the address back if its domain is served here, or refuse with 404."""
        if domain_of(aor) not in self.domains:
            raise Refusal(404, reason="This domain is not served here")
        return aor

    def _bad_event(self) -> Refusal:
        return Refusal(489, (("Allow-Events", self.allowed),))
