"""
Watcher information as a source of state (RFC 3857 §4.7).

Who watches is known from the subscriptions themselves.  What they do not tell is kept
here: watchers that left a moment ago, and those who asked, were never decided about, and
are waiting to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2s

import attrs

from presproxy.events.resource import Resource
from presproxy.interfaces import Watcher
from presproxy.model.subscription import Happening, Reason, State, Subscription
from presproxy.sip.uri import AddressOfRecord

SUFFIX = ".winfo"

#: How long somebody who asked in vain is remembered.  RFC 3857 §4.7.1 leaves the time to
#: the server; a week is chosen, so that a holiday does not lose him.
WAITING = 7 * 86400.0

_EVENTS = {
    Happening.APPROVED: "approved",
    Happening.REFUSED: "rejected",
    Happening.EXPIRED: "timeout",
    Happening.UNSUBSCRIBED: "timeout",
    Happening.UNREACHABLE: "noresource",
}


@attrs.define(eq=False)
class Visitors:
    """
    The watchers of all presentities beyond the subscriptions that live.

    At most ``most`` wait for one presentity; the oldest make room.  They are kept in
    memory only: a watcher who asks again is pending again.
    """

    most: int = 100
    _waiting: dict[tuple[AddressOfRecord, str], dict[AddressOfRecord, Watcher]] = (
        attrs.field(factory=dict)
    )
    _departed: dict[tuple[AddressOfRecord, str], list[Watcher]] = attrs.field(
        factory=dict
    )

    def departed(self, subscription: Subscription, happening: Happening) -> None:
        """A watcher's subscription has ended; tell of it once."""
        key = (subscription.presentity, subscription.package)
        watcher = attrs.evolve(
            _watcher(subscription),
            status="terminated",
            event=_event(subscription, happening),
        )
        departed = self._departed.setdefault(key, [])
        departed.append(watcher)
        del departed[: -self.most]

    def waits(self, subscription: Subscription, now: float) -> None:
        """A watcher has gone whom nobody decided about."""
        key = (subscription.presentity, subscription.package)
        waiting = self._waiting.setdefault(key, {})
        waiting.pop(subscription.watcher.aor, None)
        waiting[subscription.watcher.aor] = attrs.evolve(
            _watcher(subscription),
            status="waiting",
            event="timeout",
            expires_at=now + WAITING,
        )
        while len(waiting) > self.most:
            del waiting[next(iter(waiting))]

    def arrived(self, subscription: Subscription) -> None:
        """A watcher is there again, or was decided about: he waits no longer."""
        self.decided(
            subscription.presentity, subscription.package, subscription.watcher.aor
        )

    def decided(
        self, presentity: AddressOfRecord, package: str, watcher: AddressOfRecord
    ) -> None:
        """The presentity has made up his mind about a watcher."""
        key = (presentity, package)
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.pop(watcher, None)
            if not waiting:
                del self._waiting[key]

    def waiting(self, presentity: AddressOfRecord) -> list[tuple[str, AddressOfRecord]]:
        """Give who waits for a presentity, as (package, watcher)."""
        return [
            (package, watcher)
            for (owner, package), watchers in self._waiting.items()
            if owner == presentity
            for watcher in watchers
        ]

    def expire(self, now: float) -> None:
        """Forget those who waited too long."""
        for key, waiting in tuple(self._waiting.items()):
            for aor, watcher in tuple(waiting.items()):
                if watcher.expires_at <= now:
                    del waiting[aor]
            if not waiting:
                del self._waiting[key]

    def watchers(
        self, presentity: AddressOfRecord, package: str, watched: Resource | None
    ) -> Sequence[Watcher]:
        """Give all watchers of one resource; who has departed is given once."""
        key = (presentity, package)
        subscriptions = () if watched is None else tuple(watched.living())
        return (
            *(_watcher(subscription) for subscription in subscriptions),
            *self._waiting.get(key, {}).values(),
            *self._departed.pop(key, ()),
        )


def watched_package(package: str) -> str | None:
    """Give the package whose watchers a package tells of (RFC 3857 §3), if it is one."""
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


def _event(subscription: Subscription, happening: Happening) -> str:
    if subscription.reason is Reason.DEACTIVATED:
        return "deactivated"
    return _EVENTS.get(happening, "timeout")
