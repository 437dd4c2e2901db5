"""What the HTTP door sees of the house."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Literal

import attrs

from presproxy.documents.lync.contacts import ContactList
from presproxy.events.agent import PresenceAgent
from presproxy.events.locations import Locations
from presproxy.extend.maker import Kind
from presproxy.interfaces import IContactList, IEventPackage
from presproxy.metrics import Metrics
from presproxy.model.decision import Explained
from presproxy.model.identity import Identity
from presproxy.sip.uri import AddressOfRecord
from presproxy.trace import Ring


@attrs.frozen
class Used:
    """A plugin in use: its kind, its name, and how the configuration writes it."""

    kind: Kind
    name: str
    spec: str


@attrs.frozen
class Behind:
    """A server behind us: its hosts, those of them that answer, and what went wrong."""

    uri: str
    hosts: Sequence[str]
    answering: Sequence[str]
    is_away: bool
    why: str


@attrs.frozen
class KeptBehind:
    """
    One presentity's state at a server behind, ``fetched`` from there or ``passed`` there.

    ``expires_in`` is None while it is not there; ``body`` is what was said last, by either
    side.
    """

    presentity: AddressOfRecord
    package: str
    server: str
    direction: Literal["fetched", "passed"]
    is_there: bool
    expires_in: float | None
    tries: int
    why: str
    content_type: str
    body: bytes


@attrs.frozen(eq=False)
class Sight:
    """
    What is shown and may be changed by HTTP.

    ``home`` gives an address as it is kept here; ``explain`` asks the contact ACLs;
    ``lists`` is the one whose lists can be written, if there is one; ``kept`` gives a
    contact list as its owner's clients show it; ``now`` is the wall clock, and
    ``ticks`` that of latencies, by which ``ring`` holds messages.  ``listeners`` are the
    places really listened on.  ``behind`` gives the servers behind us, and
    ``kept_behind`` what they keep of whom.
    """

    version: str
    domains: Collection[str]
    home: Callable[[AddressOfRecord], AddressOfRecord]
    packages: Mapping[str, IEventPackage]
    plugins: Sequence[Used]
    agent: PresenceAgent
    locations: Locations
    explain: Callable[[Identity, AddressOfRecord, str], Awaitable[Explained]]
    lists: IContactList | None
    kept: Callable[[AddressOfRecord], ContactList]
    metrics: Metrics
    now: Callable[[], float]
    ticks: Callable[[], float]
    ring: Ring
    listeners: Callable[[], Sequence[str]]
    is_ready: Callable[[], bool]
    behind: Callable[[], Sequence[Behind]] = tuple
    kept_behind: Callable[[], Sequence[KeptBehind]] = tuple
