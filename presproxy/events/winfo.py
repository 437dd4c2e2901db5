"""
Watcher information as a source of state (RFC 3857 §4.7).

Who watches is known from the subscriptions themselves.  What they do not tell is kept
here: watchers that left a moment ago, and those who asked, were never decided about, and
are waiting to be.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2s

import attrs

from presproxy.events.resource import Resource
from presproxy.interfaces import Watcher
from presproxy.model.subscription import Happening, State, Subscription
from presproxy.sip.uri import AddressOfRecord

SUFFIX = ".winfo"

#: How long somebody who asked in vain is remembered.  RFC 3857 §4.7.1 leaves the time to
#: the server; a week is chosen, so that a holiday does not lose him.
WAITING = 7 * 86400.0

#: How a subscription's end is called (RFC 3857 §4.7.1).  A watcher who cannot be reached
#: did not refresh; it is not the presentity who is gone.
_EVENTS = {
    Happening.REFUSED: "rejected",
    Happening.DEACTIVATED: "deactivated",
    Happening.EXPIRED: "timeout",
    Happening.UNSUBSCRIBED: "timeout",
    Happening.UNREACHABLE: "timeout",
}

#: Whose state it is: a presentity, and the package that was subscribed to.
Watched = tuple[AddressOfRecord, str]

_Waiter = tuple[AddressOfRecord, str, AddressOfRecord]


@attrs.define(eq=False)
class Visitors:
    """
    The watchers of all presentities beyond the subscriptions that live.

    At most ``most`` wait for one presentity and ``most_in_all`` in all; the oldest make
    room.  One watcher waits for at most ``most_of_one`` presentities, so that he alone
    makes nobody lose his place (RFC 3857 §4.7.1).  They are kept in memory only: a
    watcher who asks again is pending again.
    """

    most: int = 100
    most_of_one: int = 1000
    most_in_all: int = 100_000
    #: All who wait, by presentity, package and watcher, in the order of their giving up.
    _waiting: OrderedDict[_Waiter, Watcher] = attrs.field(factory=OrderedDict)
    #: The same by presentity, and how often each watcher is there.
    _of: dict[AddressOfRecord, dict[_Waiter, None]] = attrs.field(factory=dict)
    _held: dict[AddressOfRecord, int] = attrs.field(factory=dict)
    _departed: dict[Watched, list[Watcher]] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._waiting)

    def departed(self, subscription: Subscription, happening: Happening) -> None:
        """A watcher's subscription has ended; who is told of watchers is told once."""
        departed = self._departed.setdefault(
            (subscription.presentity, subscription.package), []
        )
        departed.append(
            attrs.evolve(
                _watcher(subscription), status="terminated", event=_EVENTS[happening]
            )
        )
        del departed[: -self.most]

    def forget_departed(self, presentity: AddressOfRecord, package: str) -> None:
        """All who are told of watchers know who has left, or nobody is told any more."""
        self._departed.pop((presentity, package), None)

    def waits(self, subscription: Subscription, now: float) -> None:
        """A watcher has gone whom nobody decided about."""
        watcher = subscription.watcher.aor
        waiter = (subscription.presentity, subscription.package, watcher)
        self._leave(waiter)
        if self._held.get(watcher, 0) >= self.most_of_one:
            return
        self._waiting[waiter] = attrs.evolve(
            _watcher(subscription),
            status="waiting",
            event="timeout",
            expires_at=now + WAITING,
        )
        self._held[watcher] = self._held.get(watcher, 0) + 1
        waiters = self._of.setdefault(subscription.presentity, {})
        waiters[waiter] = None
        if len(waiters) > self.most:
            self._leave(next(iter(waiters)))
        if len(self._waiting) > self.most_in_all:
            self._leave(next(iter(self._waiting)))

    def decided(
        self, presentity: AddressOfRecord, package: str, watcher: AddressOfRecord
    ) -> bool:
        """
        A watcher waits no longer: he is there again, or was decided about.

        Says whether he did wait.
        """
        return self._leave((presentity, package, watcher))

    def waiting(self, presentity: AddressOfRecord) -> list[tuple[str, AddressOfRecord]]:
        """Give who waits for a presentity, as (package, watcher)."""
        return [
            (package, watcher) for _, package, watcher in self._of.get(presentity, {})
        ]

    def expire(self, now: float) -> set[Watched]:
        """Forget those who waited too long, and say for what."""
        ended = set()
        while self._waiting:
            waiter, watcher = next(iter(self._waiting.items()))
            if watcher.expires_at > now:
                break
            self._leave(waiter)
            ended.add(waiter[:2])
        return ended

    def watchers(
        self, presentity: AddressOfRecord, package: str, watched: Resource | None
    ) -> Sequence[Watcher]:
        """Give all watchers of one resource, and who has departed a moment ago."""
        subscriptions = () if watched is None else tuple(watched.living())
        waiters = self._of.get(presentity, {})
        return (
            *(_watcher(subscription) for subscription in subscriptions),
            *(self._waiting[each] for each in waiters if each[1] == package),
            *self._departed.get((presentity, package), ()),
        )

    def _leave(self, waiter: _Waiter) -> bool:
        if self._waiting.pop(waiter, None) is None:
            return False
        presentity, _, watcher = waiter
        self._held[watcher] -= 1
        if not self._held[watcher]:
            del self._held[watcher]
        waiters = self._of[presentity]
        del waiters[waiter]
        if not waiters:
            del self._of[presentity]
        return True


def watched_package(package: str) -> str | None:
    """Give the package whose watchers a package tells of (RFC 3857 §4.1), if it is one."""
    return package.removesuffix(SUFFIX) if package.endswith(SUFFIX) else None


def _watcher(subscription: Subscription) -> Watcher:
    event = "subscribe"
    if subscription.state is State.ACTIVE and subscription.was_approved:
        event = "approved"
    return Watcher(
        # Not the key itself: it is a tag of the dialog, which is nobody else's business.
        id=blake2s(subscription.key.encode(), digest_size=8).hexdigest(),
        uri=subscription.watcher.aor,
        status=subscription.state.value,
        event=event,
        since=subscription.since,
        expires_at=subscription.expires_at,
    )
