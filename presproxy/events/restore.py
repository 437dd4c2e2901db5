"""
Records back into memory after a start.

What has expired meanwhile stays gone.  Whoever watched something of which a part expired
while nobody was there to tell is told by the first flush; nobody else is told anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
from twisted.logger import Logger

from presproxy.errors import MalformedDocument
from presproxy.events.agent import PresenceAgent
from presproxy.events.compositor import Compositor
from presproxy.events.locations import REGISTRATION, Locations
from presproxy.interfaces import IEventPackage, IRouteKeeper
from presproxy.model.payload import (
    PUBLICATION,
    SUBSCRIPTION,
    read_publication,
    read_subscription,
)
from presproxy.model.record import Record
from presproxy.sip.uri import AddressOfRecord

_log = Logger()


@attrs.define(eq=False)
class Restorer:
    """
    Reads records of each kind, once, at the start.

    ``keepers`` are the notifiers whose routes outlive the process, by name.
    """

    compositor: Compositor
    agent: PresenceAgent
    locations: Locations
    packages: Mapping[str, IEventPackage]
    keepers: Mapping[str, IRouteKeeper]
    now: float
    restored: int = 0
    unreadable: int = 0
    _expired: set[tuple[AddressOfRecord, str]] = attrs.field(factory=set)

    @property
    def kinds(self) -> dict[str, Callable[[Record], None]]:
        """What is read, in the order it must be read in."""
        return {
            PUBLICATION: self._publication,
            REGISTRATION: self._registration,
            SUBSCRIPTION: self._subscription,
        }

    def take(self, record: Record) -> None:
        """Take one record back; one that cannot be read is counted, logged and left."""
        try:
            self.kinds[record.kind](record)
        except (ValueError, MalformedDocument) as error:
            self.unreadable += 1
            if self.unreadable <= 20:
                _log.error(
                    "A {kind} is left out, its record cannot be read: {error}",
                    kind=record.kind,
                    error=error,
                )

    def finish(self) -> None:
        """Mark what changed while nobody was there to tell."""
        ticks = self.agent.ticks()
        for presentity, package in self._expired:
            self.agent.changed(presentity, package, ticks)
        self._expired.clear()

    def _publication(self, record: Record) -> None:
        publication = read_publication(record)
        package = self.packages.get(publication.package)
        if package is None:
            return
        if publication.expires_at <= self.now:
            self._expired.add((publication.presentity, publication.package))
            return
        publication.document = package.parse(publication.content_type, publication.body)
        self.compositor.restore(publication)
        self.restored += 1

    def _registration(self, record: Record) -> None:
        if self.locations.restore(record, self.now):
            self.restored += 1

    def _subscription(self, record: Record) -> None:
        if record.expires_at <= self.now:
            return
        subscription, payload = read_subscription(record)
        keeper = self.keepers.get(subscription.notifier)
        if subscription.package not in self.packages or keeper is None:
            return
        subscription.route = keeper.read(payload)
        self.agent.restore(subscription)
        self.restored += 1
