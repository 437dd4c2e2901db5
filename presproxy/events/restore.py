"""
Records back into memory after a start.

What has expired meanwhile stays gone.  Whoever watched something of which a part expired
while nobody was there to tell is told once all is ready; nobody else is told anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import attrs
from twisted.logger import Logger

from presproxy.errors import MalformedDocument
from presproxy.events.agent import PresenceAgent
from presproxy.events.categories import PRESENCE, Categories
from presproxy.events.category_records import CATEGORY
from presproxy.events.compositor import Compositor
from presproxy.events.locations import REGISTRATION, Locations
from presproxy.events.passed import PASSED
from presproxy.events.subscribers import SUBSCRIBER, Subscribers
from presproxy.events.winfo import SUFFIX
from presproxy.extend.guard import PluginFailed
from presproxy.interfaces import IRouteKeeper
from presproxy.model.payload import (
    PUBLICATION,
    SUBSCRIPTION,
    read_publication,
    read_subscription,
)
from presproxy.model.record import Record
from presproxy.model.subscription import Subscription
from presproxy.sip.uri import AddressOfRecord

_log = Logger()

#: Unreadable records that get a line each; of more, the number is enough.
_LOGGED = 20

#: Changes told of before the reactor breathes; each is some microseconds and, where
#: somebody watches, a state composed a little later.
_PAGE = 200


@attrs.define(eq=False)
class Restorer:
    """
    Reads records of each kind, once, at the start.

    ``keepers`` are the notifiers whose routes outlive the process, by name.  Records of a
    package or a notifier that is not in use now are left alone.
    """

    compositor: Compositor
    agent: PresenceAgent
    locations: Locations
    categories: Categories
    subscribers: Subscribers
    keepers: Mapping[str, IRouteKeeper]
    now: float
    #: Takes what servers behind keep, and says whether it is wanted.
    passed: Callable[[Record], bool] = lambda record: False
    #: Told of each subscription that is back.
    watches: Callable[[Subscription], None] = lambda subscription: None
    restored: int = 0
    unreadable: int = 0
    #: How each kind is read, in the order in which they must be.
    kinds: Mapping[str, Callable[[Record], bool]] = attrs.field(init=False)
    _expired: dict[tuple[AddressOfRecord, str], None] = attrs.field(
        factory=dict, init=False
    )

    @kinds.default
    def _by_name(self) -> Mapping[str, Callable[[Record], bool]]:
        return {
            PUBLICATION: self._publication,
            REGISTRATION: self._registration,
            CATEGORY: self._category,
            SUBSCRIBER: self.subscribers.restore,
            SUBSCRIPTION: self._subscription,
            PASSED: self.passed,
        }

    def take(self, record: Record) -> None:
        """Take one record back; one that cannot be read is counted, logged and left."""
        try:
            self.restored += self.kinds[record.kind](record)
        except (ValueError, MalformedDocument, PluginFailed) as error:
            self.unreadable += 1
            if self.unreadable <= _LOGGED:
                _log.error(
                    "A {kind} is left out, its record cannot be read: {error}",
                    kind=record.kind,
                    error=error,
                )

    def finish(self) -> Iterator[None]:
        """
        Tell of what changed while nobody was there; all that tells is ready now.

        Where that is much, the reactor is to breathe at each yield.
        """
        ticks = self.agent.ticks()
        for number, (presentity, package) in enumerate(self._expired, 1):
            self.agent.changed(presentity, package, ticks)
            if number % _PAGE == 0:
                yield
        self._expired.clear()

    def _publication(self, record: Record) -> bool:
        publication = read_publication(record)
        resources, name = self.compositor.resources, publication.package
        if not resources.serves(name):
            return False
        if publication.expires_at <= self.now:
            self._expired[publication.presentity, name] = None
            return False
        guard = resources.guard(name)
        publication.document = guard.tell(
            guard.plugin.parse, publication.content_type, publication.body
        )
        self.compositor.restore(publication)
        return True

    def _registration(self, record: Record) -> bool:
        return self.locations.restore(record, self.now)

    def _category(self, record: Record) -> bool:
        is_alive = self.categories.restore(record, self.now)
        if not is_alive and self.agent.resources.serves(PRESENCE):
            self._expired[AddressOfRecord(record.owner), PRESENCE] = None
        return is_alive

    def _subscription(self, record: Record) -> bool:
        subscription, payload = read_subscription(record)
        keeper = self.keepers.get(subscription.notifier)
        if not self.agent.resources.serves(subscription.package) or keeper is None:
            return False
        if subscription.expires_at <= self.now:
            # He watches no longer, of which others may be told.
            watchers = subscription.package + SUFFIX
            self._expired[subscription.presentity, watchers] = None
            return False
        subscription.route = keeper.read(payload)
        self.agent.restore(subscription)
        self.watches(subscription)
        return True
