"""
State fetched from a server behind: one subscription there for all who watch here.

The first watcher of a presentity makes it, later ones share it, and some time after the
last has left it is ended.  What the server behind says is kept in memory alone, beside
what was published here, and the contact ACLs decide here who sees it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol

import attrs
from twisted.logger import Logger

from presproxy.errors import MalformedDocument, PresproxyError
from presproxy.events.aim import Aim
from presproxy.events.patience import (
    AT_ONCE,
    LONGEST_OBEYED,
    REFUSED,
    pause_after,
)
from presproxy.events.resource import Resources
from presproxy.extend.guard import PluginFailed
from presproxy.interfaces import IFollowingPackage
from presproxy.metrics import Counter, has_doubled
from presproxy.model.publication import EntityTag, Publication
from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent.alarms import Alarm, Alarms
from presproxy.useragent.errors import Refused, SubscriptionEnded
from presproxy.useragent.subscription import Notification

_log = Logger()

#: A subscription that lived for so many seconds was a good one.
_LIVED = 60.0
#: Seconds between two refreshes of one subscription since something was missed.  Chosen.
_LOOK_AGAIN = 30.0
#: Seconds between two looks at what is stale.
_LOOK = 5.0

_FINAL_REASONS = frozenset({"rejected", "invariant"})


class Held(Protocol):
    """A subscription behind."""

    @property
    def is_alive(self) -> bool:
        """Whether further notifications may come."""

    @property
    def confirmed_until(self) -> float:
        """When it ends unless it is refreshed, on the clock of alarms."""

    async def refresh(self) -> None:
        """Ask for all that is known there.  Raises a `PresproxyError`."""

    async def unsubscribe(self) -> None:
        """End it.  Raises a `PresproxyError`."""


class Behind(Protocol):
    """Who asks the server behind."""

    def subscribe(
        self,
        presentity: AddressOfRecord,
        expires: int,
        package: str,
        accepts: Sequence[str],
        told: Callable[[Notification], None],
        lost: Callable[[PresproxyError], None],
    ) -> Awaitable[Held]:
        """Subscribe, and hold it.  Raises a `PresproxyError`."""


@attrs.define(eq=False)
class Shared:
    """One subscription behind, or the wish for one."""

    presentity: AddressOfRecord
    package: str
    expires: int
    #: When it is asked for again, and when it is given up.
    again: Alarm
    giving_up: Alarm
    #: When those who wait to be told what is known wait no longer.
    waiting: Alarm
    is_awaited: bool = False
    #: When all was asked for again last, since something was missed.
    looked_at: float = float("-inf")
    held: Held | None = None
    document: Any = None
    #: How often in a row it was refused or lost, and when it was granted last.
    tries: int = 0
    granted_at: float = 0.0
    #: What went wrong last, empty while all is well.
    why: str = ""
    #: Until when what is known was confirmed.
    known_until: float = 0.0
    is_over: bool = False


@attrs.define(eq=False)
class Upstream:
    """
    All subscriptions behind.

    ``changed`` is told of each resource whose state from behind is another now, and when
    that was, by ``ticks``.  ``run`` runs what waits; ``now`` is the wall clock.
    ``random`` gives numbers from 0 to 1, so that not all come at once.
    """

    aim: Aim
    behind: Behind
    resources: Resources
    changed: Callable[[AddressOfRecord, str, float], None]
    run: Callable[[Awaitable[None]], None]
    alarms: Alarms
    now: Callable[[], float]
    ticks: Callable[[], float]
    random: Callable[[], float]
    failures: Counter
    unreadable: Counter
    #: Gives what a document says besides what we passed there ourselves; None if nothing.
    others: Callable[[AddressOfRecord, str, Any], Any] = (
        lambda presentity, package, document: document
    )
    _shared: dict[tuple[AddressOfRecord, str], Shared] = attrs.field(factory=dict)
    _queue: deque[Shared] = attrs.field(factory=deque)
    _asking: int = 0
    _is_started: bool = False
    _looked_at: float = float("-inf")

    def __len__(self) -> int:
        """How many subscriptions behind are alive."""
        return sum(each.held is not None for each in self._shared.values())

    def all(self) -> tuple[Shared, ...]:
        """Give all that is fetched, or is to be."""
        return tuple(self._shared.values())

    # -- Who watches here ------------------------------------------------------------

    def watched(
        self, presentity: AddressOfRecord, package: str, is_watched: bool
    ) -> None:
        """Somebody watches where nobody did before, or nobody does any more."""
        if not self.aim.takes_in(presentity, package):
            return
        shared = self._shared.get((presentity, package))
        if not is_watched:
            if shared is not None:
                shared.giving_up.set(
                    self.aim.linger, partial(self._give_up, presentity, package)
                )
        elif shared is not None:
            shared.giving_up.clear()
        elif len(self._shared) < self.aim.most:
            self._begin(presentity, package)
        else:
            self._count_failure(
                presentity, package, f"there are {self.aim.most} already"
            )

    def awaits(self, presentity: AddressOfRecord, package: str) -> bool:
        """Whether what is known of somebody is about to come."""
        shared = self._shared.get((presentity, package))
        return shared is not None and shared.is_awaited

    def look_again(self, presentity: AddressOfRecord, package: str) -> None:
        """Have all told again that is known behind of somebody who is watched."""
        shared = self._shared.get((presentity, package))
        if shared is not None and shared.held is not None:
            self.run(_look(shared.held))

    def start(self) -> None:
        """Ask from now on."""
        self._is_started = True
        self._ask_more()

    def stop(self) -> None:
        """Ask no more."""
        self._is_started = False
        self.alarms.stop()

    def sweep(self) -> None:
        """Show no longer what was not confirmed for too long; to be called now and then."""
        clock = self.alarms.clock.seconds()
        if not self.aim.stale or clock < self._looked_at + _LOOK:
            return
        self._looked_at = clock
        for shared in self._shared.values():
            if shared.held is not None:
                shared.known_until = shared.held.confirmed_until
            is_stale = clock > shared.known_until + self.aim.stale
            if is_stale and shared.document is not None:
                _log.warn(
                    "{package} of {presentity} is stale: the server behind says nothing",
                    package=shared.package,
                    presentity=shared.presentity,
                )
                shared.document = None
                self._show(shared, None)

    # -- One subscription ------------------------------------------------------------

    def _begin(self, presentity: AddressOfRecord, package: str) -> None:
        alarms = self.alarms
        shared = Shared(
            presentity,
            package,
            self.aim.expires,
            alarms.alarm(),
            alarms.alarm(),
            alarms.alarm(),
        )
        self._shared[presentity, package] = shared
        if self.aim.wait and self._is_started:
            shared.is_awaited = True
            shared.waiting.set(self.aim.wait, partial(self._wait_no_longer, shared))
        self._enqueue(shared)

    def _give_up(self, presentity: AddressOfRecord, package: str) -> None:
        shared = self._shared.pop((presentity, package))
        shared.is_over = True
        shared.again.clear()
        shared.waiting.clear()
        self._show(shared, None)
        if shared.held is not None:
            self.run(_end(shared.held))

    def _wait_no_longer(self, shared: Shared) -> None:
        """Have all told what is known, however little that is."""
        if shared.is_awaited:
            shared.is_awaited = False
            shared.waiting.clear()
            self.changed(shared.presentity, shared.package, self.ticks())

    def _enqueue(self, shared: Shared) -> None:
        self._queue.append(shared)
        self._ask_more()

    def _ask_more(self) -> None:
        while self._is_started and self._queue and self._asking < AT_ONCE:
            shared = self._queue.popleft()
            if not shared.is_over:
                self._asking += 1
                self.run(self._ask(shared))

    async def _ask(self, shared: Shared) -> None:
        try:
            await self._subscribe(shared)
        except PresproxyError as error:
            self._again(shared, error)
        finally:
            self._asking -= 1
            self._ask_more()

    async def _subscribe(self, shared: Shared) -> None:
        held = await self.behind.subscribe(
            self.aim.name_behind(shared.presentity),
            shared.expires,
            shared.package,
            self.resources.guard(shared.package).plugin.produces,
            partial(self._told, shared),
            partial(self._lost, shared),
        )
        if not held.is_alive:
            # It ended before it was granted, and was heard of as lost.
            return
        if shared.is_over:
            await _end(held)
            return
        shared.held = held
        shared.granted_at, shared.why = self.alarms.clock.seconds(), ""

    def _lost(self, shared: Shared, error: PresproxyError) -> None:
        clock = self.alarms.clock.seconds()
        if shared.held is not None and clock - shared.granted_at > _LIVED:
            shared.tries = 0
        shared.held = None
        shared.known_until = clock
        self._again(shared, error)

    def _again(self, shared: Shared, error: PresproxyError) -> None:
        """Ask once more in a while."""
        if shared.is_over:
            return
        self._wait_no_longer(shared)
        shared.why = str(error)
        self._count_failure(shared.presentity, shared.package, shared.why)
        pause = self._pause(shared, error)
        shared.again.set(pause, partial(self._enqueue, shared))

    def _pause(self, shared: Shared, error: PresproxyError) -> float:
        shared.tries += 1
        is_brief = isinstance(error, Refused) and error.status == 423
        if is_brief and shared.expires < LONGEST_OBEYED:
            shared.expires = min(2 * shared.expires, LONGEST_OBEYED)
            return 0.0
        wanted = 0
        if isinstance(error, Refused | SubscriptionEnded):
            wanted = min(error.retry_after or 0, LONGEST_OBEYED)
        pause = pause_after(shared.tries)
        if _is_refusal(error):
            pause = REFUSED
        elif shared.tries == 1 and not wanted:
            # A server that has just started has lost its subscriptions, and no more.
            pause = 0.0
        return max(pause, wanted) + self.random() * max(pause / 5, 1.0)

    def _count_failure(
        self, presentity: AddressOfRecord, package: str, why: str
    ) -> None:
        self.failures.value += 1
        if has_doubled(self.failures.value):
            # One line each time the number has doubled.
            _log.warn(
                "{package} of {presentity} is not to be had from behind: {why} "
                "(failure {count})",
                package=package,
                presentity=presentity,
                why=why,
                count=self.failures.value,
            )

    # -- What is said behind -----------------------------------------------------------

    def _told(self, shared: Shared, notification: Notification) -> None:
        """
        Take a NOTIFY from behind.

        One without a body says to wait, as Kamailio's first; one in parting shows no state
        but that we may not see it.
        """
        if shared.is_over or notification.is_last or not notification.body:
            return
        content_type = notification.content_type or ""
        try:
            document = self._read(shared, content_type, notification.body)
            shown = self.others(shared.presentity, shared.package, document)
        except (MalformedDocument, PluginFailed) as error:
            self.unreadable.value += 1
            if has_doubled(self.unreadable.value):
                _log.warn(
                    "{package} of {presentity} from behind cannot be read: {error}",
                    package=shared.package,
                    presentity=shared.presentity,
                    error=error,
                )
            return
        shared.document = document
        self._show(shared, shown, content_type, notification.body)
        self._wait_no_longer(shared)

    def _read(self, shared: Shared, content_type: str, body: bytes) -> Any:
        guard = self.resources.guard(shared.package)
        package: Any = guard.plugin
        if content_type not in package.accepts:
            raise MalformedDocument(f"it is of the type {content_type[:80]!r}")
        document = guard.tell(package.parse, content_type, body)
        if IFollowingPackage.providedBy(package):
            if guard.tell(package.has_missed, document, shared.document):
                self._missed(shared)
            if shared.document is not None:
                document = guard.tell(package.follow, document, shared.document)
        return document

    def _missed(self, shared: Shared) -> None:
        """Ask for all there is, now and then: some servers never count as they should."""
        clock = self.alarms.clock.seconds()
        if shared.held is not None and clock >= shared.looked_at + _LOOK_AGAIN:
            shared.looked_at = clock
            self.run(_look(shared.held))

    def _show(
        self, shared: Shared, document: Any, content_type: str = "", body: bytes = b""
    ) -> None:
        """Put a document from behind beside what was published here; None takes it away."""
        resource = self.resources.take(shared.presentity, shared.package)
        former, resource.fetched = resource.fetched, None
        if former is not None and document is not None and former.document == document:
            # Said again, it is no later than what was published here meanwhile.
            former.body = body
            resource.fetched = former
            return
        if document is not None:
            resource.fetched = Publication(
                key="behind",
                presentity=resource.presentity,
                package=shared.package,
                entity_tag=EntityTag(""),
                content_type=content_type,
                body=body,
                document=document,
                expires_at=float("inf"),
                modified_at=self.now(),
            )
        self.changed(shared.presentity, shared.package, self.ticks())
        self.resources.drop_if_empty(resource)


async def _look(held: Held) -> None:
    try:
        await held.refresh()
    except PresproxyError as error:
        # Its own refreshing goes on.
        _log.debug("A subscription behind was not refreshed: {error}", error=error)


async def _end(held: Held) -> None:
    try:
        await held.unsubscribe()
    except PresproxyError as error:
        # It expires by itself.
        _log.debug("A subscription behind was not ended: {error}", error=error)


def _is_refusal(error: PresproxyError) -> bool:
    """Say whether only somebody's doing can help, and not time."""
    if isinstance(error, Refused):
        return not error.may_pass and error.status != 481
    return isinstance(error, SubscriptionEnded) and error.reason in _FINAL_REASONS
