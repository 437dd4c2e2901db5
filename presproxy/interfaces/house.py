"""
What every plugin has, and what it may see of the server: the house.

The storage is here because the house hands it on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Any, Protocol

from zope.interface import Attribute, Interface

from presproxy.interfaces.books import ContactBook, ContainerBook
from presproxy.metrics import Metrics
from presproxy.model.identity import Identity
from presproxy.model.record import Batch, Change, Record, Snapshot
from presproxy.model.subscription import Reason, Subscription
from presproxy.sip.uri import AddressOfRecord


class IPluggable(Interface):
    """What every swappable plugin has."""

    def start(house: IHouse) -> Awaitable[None]:
        """
        Make ready.  Called once, before anything listens.

        Raising stops the server from starting.
        """

    def stop() -> Awaitable[None]:
        """Let go of everything.  Called once; never while another call is under way."""


class Lease(Protocol):
    """A node's right to speak for its dialogs."""

    node: str
    """As records name it; never used twice."""

    def holds(self) -> bool:
        """Say whether the node may send now.  Costs a clock reading at most."""


class IStorage(IPluggable):
    """
    Where records outlive the process.

    Asked once per request which changes something, never once per watcher.
    """

    durable: bool = Attribute(
        "Whether an answered commit survives the death of the machine."
    )
    shared: bool = Attribute("Whether other nodes may write to it, too.")
    lease: Lease = Attribute("Of this node.  Always holds unless ``shared``.")

    def commit(changes: Sequence[Change]) -> Awaitable[None]:
        """
        Make ``changes`` lasting: all or none; to one record, in the order of the calls.

        Many calls may be under way at once; sharing one write among them is expected.
        The peer hears of success only after the answer.

        Raises `Conflict`, which names the records that had another version (nothing was
        written); `NodeLost` (nothing was written, this node's dialogs are others' now);
        `StorageUnavailable` (nothing was written or, only if ``shared``, nobody knows
        yet: if it was, it comes by the feed).
        """

    def fetch(kind: str, key: str) -> Awaitable[Record | None]:
        """Read one record; the reader looks at ``expires_at``."""

    def read(owners: Sequence[str]) -> Awaitable[Snapshot]:
        """Read all records of these owners, and the feed's position they stand at."""

    def scan(kind: str, node: str | None = None) -> AsyncIterator[Sequence[Record]]:
        """
        Read all records of a kind, or those bound to one node, in pages of any order.

        Deleted ones are left out; expired ones may come.  Called at the start and when a
        node takes over another's dialogs.
        """

    def count(kind: str) -> Awaitable[int]:
        """
        Say about how many records of a kind there are, deleted ones perhaps among them.

        Called now and then while a scan is under way, to tell people how far it is.
        """

    def follow(changed: Callable[[Batch | None], None]) -> Awaitable[int]:
        """
        Begin to tell what was committed, one's own included; answer the position begun at.

        ``changed`` is called in the reactor's thread; None is "read again, and let it
        replace what you hold".  Only if ``shared``.
        """

    def orphans(limit: int) -> Awaitable[Sequence[Record]]:
        """Mark nodes whose lease ran out as dead, and give some of their records."""


class IClock(Protocol):
    """The part of a reactor that tells time."""

    def seconds(self) -> float:
        """A moment on a clock that never goes back."""

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object
    ) -> Any:
        """Call something after ``delay`` seconds."""


class IHouse(Interface):
    """The little of the server that a plugin may see."""

    reactor: Any = Attribute("For timers, names, threads and connections of its own.")
    domains: Collection[str] = Attribute("The domains served here, in lower case.")
    metrics: Metrics = Attribute("Where a plugin may count.")
    storage: IStorage = Attribute(
        "For records of a plugin's own kinds; started before all others."
    )
    contacts: ContactBook = Attribute("The contact lists; to be opened first.")
    containers: ContainerBook = Attribute("Lync's containers; to be opened first.")

    def now() -> float:
        """The moment on the wall clock, in seconds since 1970."""

    def decide_again(presentity: AddressOfRecord) -> None:
        """Ask the contact ACLs anew: the rules of ``presentity`` changed."""

    def ended(subscription: Subscription, reason: Reason) -> None:
        """The watcher is gone, or cannot be reached any more."""

    def keep(subscription: Subscription) -> Awaitable[None]:
        """
        Write the record of a subscription anew, as its route now is.

        Raises `StorageUnavailable` when it could not be written, and `SubscriptionEnded`.
        """

    def watch(
        watcher: Identity,
        presentity: AddressOfRecord,
        package: str,
        notifier: str,
        route: object,
        expires: int,
    ) -> Awaitable[Subscription]:
        """
        Open a subscription for a watcher who did not come by SUBSCRIBE.

        It passes the same ACLs.  ``notifier`` is the name of the notifier that serves it,
        ``route`` means something only to that one.  It lives in memory: whoever opened it
        opens it again after a start.

        Raises `AccessDenied`, `LimitReached`, `IntervalTooBrief`, and LookupError for a
        package that is not served.
        """
