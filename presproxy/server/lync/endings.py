"""What follows when an endpoint of a Lync user ends ([MS-PRES] 3.2, [MS-SIPREGE] 3.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from presproxy.documents.lync.categories import ExpireType
from presproxy.errors import PresproxyError
from presproxy.events.categories import Categories
from presproxy.events.endpoints import Ending, Endpoint, Endpoints
from presproxy.events.locations import Locations
from presproxy.server.journal import Journal
from presproxy.sip.uri import AddressOfRecord

#: Users looked at in one turn once the grace after a start is over.
_PAGE = 200


@attrs.define(eq=False)
class Endings:
    """
    Ends what was to last as long as an endpoint, or as long as any of a user's.

    ``now`` is the wall clock, ``ticks`` the one of latencies; ``run`` runs what nobody
    waits for.  After a start nobody is signed in, and what endpoints left is kept until
    ``grace`` seconds later, for them to come back.
    """

    endpoints: Endpoints
    categories: Categories
    locations: Locations
    journal: Journal
    now: Callable[[], float]
    ticks: Callable[[], float]
    run: Callable[[Awaitable[None]], None]
    grace: float
    #: Who is still to be looked at, when the grace is over.
    _waiting: list[AddressOfRecord] = attrs.field(factory=list, init=False)
    _over_at: float | None = attrs.field(default=None, init=False)

    def ended(self, endpoint: Endpoint, ending: Ending) -> None:
        """An endpoint has ended; one that moved goes on with all it has."""
        if ending is Ending.MOVED:
            return
        user = endpoint.user
        is_last = not self.endpoints.of(user)
        self.categories.end_endpoint(user, endpoint.epid, self.ticks(), is_last=is_last)
        if ending is Ending.LOST:
            self.run(self._unregister(endpoint))

    def begin_grace(self) -> None:
        """The server starts: whoever was signed in has some time to come back."""
        self._waiting = list(self.categories)
        self._over_at = self.ticks() + self.grace

    def end_grace(self) -> bool:
        """End what nobody came back for, of some users, and say whether there are more."""
        if self._over_at is None or self.ticks() < self._over_at:
            return False
        for user in self._waiting[-_PAGE:]:
            self._end_deserted(user)
        del self._waiting[-_PAGE:]
        if not self._waiting:
            self._over_at = None
        return bool(self._waiting)

    def _end_deserted(self, user: AddressOfRecord) -> None:
        there = {endpoint.epid for endpoint in self.endpoints.of(user)}
        left = {
            category.endpoint
            for category in self.categories.of(user)
            if category.expire_type in (ExpireType.ENDPOINT, ExpireType.USER)
        }
        for epid in left - there:
            self.categories.end_endpoint(user, epid, self.ticks(), is_last=not there)

    async def _unregister(self, endpoint: Endpoint) -> None:
        """Remove the binding of a connection that is gone: nothing leads to it any more."""
        now = self.now()
        gone = [
            attrs.evolve(binding, expires_at=0.0)
            for binding in self.locations.bindings(endpoint.user, now)
            if binding.uri == endpoint.contact
        ]
        if not gone:
            return
        try:
            staged = self.locations.stage(endpoint.user, gone, now)
            await self.journal.commit(staged)
        except PresproxyError:
            # It expires by itself.
            return
