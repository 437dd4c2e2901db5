"""
The endpoints of Lync's users: who is signed in, from where ([MS-SIPREGE] 3.1).

An endpoint is a user's client on one machine, named by its epid.  It is reached by the
connection it signed in on and by no other way, so it ends with that connection.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable
from functools import partial
from uuid import UUID

import attrs

from presproxy.errors import LimitReached
from presproxy.events.expiry import Expiries
from presproxy.sip.flow import Flow
from presproxy.sip.gruu import write_gruu
from presproxy.sip.uri import AddressOfRecord


class Ending(enum.Enum):
    """How an endpoint ends; a moved one goes on by another connection."""

    SIGNED_OFF = "signed off"
    EXPIRED = "expired"
    LOST = "connection lost"
    MOVED = "moved"


def _nothing() -> None:
    """Nothing to take back."""


@attrs.define(eq=False)
class Endpoint:
    """
    One client of a user.

    ``instance`` is its UUID, ``contact`` the URI it registered.  ``expires_at`` is a
    moment on the wall clock.
    """

    user: AddressOfRecord
    epid: str
    instance: UUID
    flow: Flow
    contact: str
    expires_at: float
    bucket: int = 0
    #: Takes back that the end of the connection is told.
    let_go: Callable[[], None] = _nothing


def gruu(user: AddressOfRecord, instance: UUID) -> str:
    """Give the URI that leads to one endpoint and no other ([MS-SIPRE] 2.2.3)."""
    return write_gruu(user, instance)


@attrs.define(eq=False)
class Endpoints:
    """
    All endpoints that are signed in.

    At most ``most_of_one`` are of one user, and ``most`` in all.  Each of ``when_ended``
    is called once an endpoint has ended and is found no more.
    """

    most_of_one: int = 20
    most: int = 1_000_000
    when_ended: list[Callable[[Endpoint, Ending], None]] = attrs.field(factory=list)
    _by_user: dict[AddressOfRecord, dict[str, Endpoint]] = attrs.field(factory=dict)
    _by_flow: dict[Hashable, list[Endpoint]] = attrs.field(factory=dict)
    _expiries: Expiries[Endpoint] = attrs.field(factory=Expiries)
    _alive: int = 0

    def __len__(self) -> int:
        return self._alive

    @property
    def expiring(self) -> int:
        """How many are kept by the second in which they end: all, unless some leak."""
        return len(self._expiries)

    def of(self, user: AddressOfRecord) -> tuple[Endpoint, ...]:
        """Give the endpoints of a user, the longest signed in first."""
        return tuple(self._by_user.get(user, {}).values())

    def find(self, user: AddressOfRecord, epid: str) -> Endpoint | None:
        """Give an endpoint that is signed in."""
        return self._by_user.get(user, {}).get(epid)

    def on(self, flow: Flow) -> tuple[Endpoint, ...]:
        """Give the endpoints that are reached by a connection."""
        return tuple(self._by_flow.get(flow.key, ()))

    def check(self, user: AddressOfRecord, epid: str) -> None:
        """Raise `LimitReached` if this endpoint would be one too many."""
        there = self._by_user.get(user, {})
        if epid in there:
            return
        if len(there) >= self.most_of_one:
            raise LimitReached("endpoints of one user", self.most_of_one)
        if self._alive >= self.most:
            raise LimitReached("endpoints", self.most)

    def sign_in(self, endpoint: Endpoint) -> bool:
        """
        An endpoint signs in, or goes on; say whether it is a new one.

        One that comes by another connection has moved, and the old one ends.
        """
        known = self.find(endpoint.user, endpoint.epid)
        if known is not None and known.flow.key == endpoint.flow.key:
            known.instance, known.contact = endpoint.instance, endpoint.contact
            self._keep(known, endpoint.expires_at)
            return False
        if known is not None:
            self._forget(known)
        self._by_user.setdefault(endpoint.user, {})[endpoint.epid] = endpoint
        self._by_flow.setdefault(endpoint.flow.key, []).append(endpoint)
        self._alive += 1
        self._keep(endpoint, endpoint.expires_at)
        lost = partial(self.end, endpoint, Ending.LOST)
        endpoint.let_go = endpoint.flow.when_closed(lost)
        if known is not None:
            self._tell(known, Ending.MOVED)
        return True

    def end(self, endpoint: Endpoint, ending: Ending) -> None:
        """End an endpoint; one that has ended already is no mistake."""
        if self.find(endpoint.user, endpoint.epid) is endpoint:
            self._forget(endpoint)
            self._tell(endpoint, ending)

    def expire(self, now: float) -> bool:
        """End some whose time is over, and say whether there are more."""
        for endpoint in self._expiries.due(now):
            self.end(endpoint, Ending.EXPIRED)
        return self._expiries.is_due(now)

    def _keep(self, endpoint: Endpoint, expires_at: float) -> None:
        endpoint.expires_at = expires_at
        self._expiries.keep(endpoint)

    def _forget(self, endpoint: Endpoint) -> None:
        endpoint.let_go()
        self._expiries.drop(endpoint)
        self._alive -= 1
        there = self._by_user[endpoint.user]
        del there[endpoint.epid]
        if not there:
            del self._by_user[endpoint.user]
        key = endpoint.flow.key
        self._by_flow[key].remove(endpoint)
        if not self._by_flow[key]:
            del self._by_flow[key]

    def _tell(self, endpoint: Endpoint, ending: Ending) -> None:
        for tell in tuple(self.when_ended):
            tell(endpoint, ending)
