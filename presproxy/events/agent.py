"""
The presence agent: what changed, and who is to be told (RFC 3856 §6, RFC 6665 §4.2).

It is told of publications that are live, of subscriptions that begin, go on and end, and
of decisions of the contact ACLs.  All of it happens in memory and at once; what is to be
told goes out at the end of the reactor's turn, so that many changes of one turn are one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import attrs

from presproxy.events.expiry import Expiries
from presproxy.events.fanout import SLICE, FanOut
from presproxy.events.resource import Resource, Resources
from presproxy.events.winfo import SUFFIX, Visitors, watched_package
from presproxy.extend.guard import PluginFailed
from presproxy.interfaces import Account, Bound, Feed
from presproxy.model.decision import NEUTRAL, Decision, Handling, View
from presproxy.model.subscription import (
    Happening,
    Reason,
    State,
    Subscription,
    Tell,
)
from presproxy.sip.uri import AddressOfRecord

# To look these up in their enumerations takes ten times as long before Python 3.12.
_ALLOW, _REFRESHED, _STATE = Handling.ALLOW, Happening.REFRESHED, Tell.STATE

_REASONS = {
    Happening.REFUSED: Reason.REJECTED,
    Happening.DEACTIVATED: Reason.DEACTIVATED,
    Happening.EXPIRED: Reason.TIMEOUT,
    Happening.UNSUBSCRIBED: Reason.TIMEOUT,
    Happening.UNREACHABLE: Reason.NORESOURCE,
}

#: Resources looked at in one turn of the reactor.  Chosen: each takes up to 30 µs, as its
#: state is composed, so these are some ten milliseconds.
_AT_ONCE = SLICE


@attrs.define(eq=False)
class PresenceAgent:
    """
    Keeps who watches what, and tells them.

    ``now`` is the wall clock; ``ticks`` the clock of latencies and pauses.  ``later``
    calls a function after some seconds, 0 for the end of this turn.  ``gone`` is told of
    each subscription that ended, so that its record can be deleted.
    """

    resources: Resources
    fanout: FanOut
    visitors: Visitors
    now: Callable[[], float]
    ticks: Callable[[], float]
    later: Callable[[float, Callable[[], None]], object]
    gone: Callable[[Subscription], None]
    #: Gives what a user keeps here of himself.
    accounts: Callable[[AddressOfRecord], Account] = lambda aor: Account()
    #: Gives where a user is registered.
    bindings: Callable[[AddressOfRecord], Sequence[Bound]] = lambda aor: ()
    #: Told of a presentity and a package that somebody watches who may see something,
    #: where nobody did before, and that nobody watches any more.
    watched: Callable[[AddressOfRecord, str, bool], None] = lambda aor, package, is_: (
        None
    )
    #: Whether what is known of them is about to come.
    awaits: Callable[[AddressOfRecord, str], bool] = lambda aor, package: False
    _subscriptions: dict[str, Subscription] = attrs.field(factory=dict)
    _by_watcher: dict[AddressOfRecord, int] = attrs.field(factory=dict)
    _expiries: Expiries[Subscription] = attrs.field(factory=Expiries)
    _marked: dict[Resource, None] = attrs.field(factory=dict)
    _is_coming: bool = False

    # -- What is there -------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._subscriptions)

    @property
    def expiring(self) -> int:
        """How many are kept by the second in which they end: all, unless some leak."""
        return len(self._expiries)

    def subscription(self, key: str) -> Subscription | None:
        """Give a subscription that has not ended."""
        return self._subscriptions.get(key)

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Give all subscriptions that have not ended."""
        return tuple(self._subscriptions.values())

    def of(self, presentity: AddressOfRecord) -> list[Subscription]:
        """Give the subscriptions to one presentity, of all packages."""
        return [
            subscription
            for resource in self.resources.of(presentity)
            for subscription in resource.living()
        ]

    def count_of(self, watcher: AddressOfRecord) -> int:
        """Say how many subscriptions one watcher has."""
        return self._by_watcher.get(watcher, 0)

    # -- Publications --------------------------------------------------------------

    def changed(
        self, presentity: AddressOfRecord, package: str, changed_at: float
    ) -> None:
        """The publications of a presentity are others now, as was asked for then."""
        resource = self.resources.find(presentity, package)
        if resource is not None and resource.subscriptions:
            self._mark(resource, changed_at)

    # -- Subscriptions -------------------------------------------------------------

    def restore(self, subscription: Subscription) -> None:
        """Take a subscription back into memory after a start, telling nobody."""
        self._keep(subscription)

    def begin(self, subscription: Subscription, is_patient: bool = False) -> None:
        """
        A new subscription: its watcher is told the state, and those told of watchers.

        Who ``is_patient`` is told a little later if that is when the state is known, so
        that he is told once.
        """
        resource = self._keep(subscription)
        self._wait_no_longer(subscription)
        if is_patient and self._is_to_wait(subscription):
            resource.owe()
        else:
            self.fanout.tell_one(resource, subscription)
        self._watchers_changed(subscription.presentity, subscription.package)

    def refreshed(self, subscription: Subscription) -> None:
        """A subscription goes on, unless it has ended; its watcher is told the state again."""
        if subscription.happen(_REFRESHED) is _STATE:
            self._expiries.keep(subscription)
            self.fanout.tell_one(self._resource(subscription), subscription)

    def end(self, subscription: Subscription, happening: Happening) -> None:
        """A subscription ends, as ``happening`` says; its watcher is told so if he can be."""
        if not subscription.is_alive:
            return
        was_pending = subscription.state is State.PENDING
        tell = subscription.happen(happening)
        subscription.reason = subscription.reason or _REASONS[happening]
        if happening in (Happening.REFUSED, Happening.DEACTIVATED):
            # What he is not to see is not shown in parting.
            subscription.view = NEUTRAL
        resource = self._resource(subscription)
        if tell is Tell.LAST:
            self.fanout.tell_one(resource, subscription)
        self._remove(resource, subscription)
        if was_pending and happening is not Happening.REFUSED:
            # However it came: nobody has decided, and the presentity is to know of it.
            self.visitors.waits(subscription, self.now())
        elif self._is_told_of(subscription.presentity, subscription.package):
            self.visitors.departed(subscription, happening)
        self._watchers_changed(subscription.presentity, subscription.package)
        self.gone(subscription)

    def fetch(self, subscription: Subscription) -> None:
        """
        Tell a watcher the state once (RFC 6665 §4.4.3).

        The subscription has no life: it is not kept, and its one notification ends it.
        """
        was_pending = subscription.state is State.PENDING
        subscription.state = State.TERMINATED
        subscription.reason = Reason.TIMEOUT
        resource = self.resources.take(subscription.presentity, subscription.package)
        self._feed(resource)
        if not was_pending and not resource.subscriptions:
            # Who asks again soon is told what will be known then.
            self._attend(resource, subscription.view)
            self._attend_no_more(resource)
        self.fanout.tell_one(resource, subscription)
        self.resources.drop_if_empty(resource)
        if was_pending:
            self.visitors.waits(subscription, self.now())
            self._watchers_changed(subscription.presentity, subscription.package)

    def decided(self, subscription: Subscription, decision: Decision) -> bool:
        """
        A contact ACL decided about a subscription; say whether its record is another now.

        An active one that must wait for a decision again ends and may ask anew: no
        watcher takes a way back from active to pending.
        """
        if not subscription.is_alive:
            return False
        subscription.rule = decision.rule
        if decision.handling is Handling.CONFIRM:
            if subscription.state is State.ACTIVE:
                self.end(subscription, Happening.DEACTIVATED)
            return False
        self._wait_no_longer(subscription)
        if decision.handling is Handling.BLOCK:
            self.end(subscription, Happening.REFUSED)
            return False
        view = view_of(decision)
        if subscription.state is State.ACTIVE and subscription.view == view:
            return False
        subscription.view = view
        self._attend(self._resource(subscription), view)
        if subscription.happen(Happening.APPROVED) is Tell.STATE:
            self.fanout.tell_one(self._resource(subscription), subscription)
        self._watchers_changed(subscription.presentity, subscription.package)
        return True

    def forget_visitor(
        self, presentity: AddressOfRecord, package: str, watcher: AddressOfRecord
    ) -> None:
        """The presentity has made up his mind about somebody who waits."""
        if self.visitors.decided(presentity, package, watcher):
            self._watchers_changed(presentity, package)

    def expire(self, now: float) -> bool:
        """End some subscriptions whose time is over, and say whether there are more."""
        ended = self._expiries.due(now)
        for subscription in ended:
            self.end(subscription, Happening.EXPIRED)
        for presentity, package in self.visitors.expire(now):
            self._watchers_changed(presentity, package)
        return self._expiries.is_due(now)

    def flush(self) -> None:
        """
        Tell what was marked as changed; whose pause is not over waits for it.

        Where much was, the rest has turns of its own.
        """
        self._is_coming = False
        ticks = self.ticks()
        for resource in tuple(islice(self._marked, _AT_ONCE)):
            del self._marked[resource]
            wait = resource.told_at + resource.package.pause - ticks
            if wait > 0:
                resource.is_pausing = True
                self.later(wait, partial(self._pause_over, resource))
            else:
                self._tell(resource, ticks)
        if self._marked:
            self._flush_soon()
        self.fanout.go_on()

    # -- Below -----------------------------------------------------------------------

    def _tell(self, resource: Resource, ticks: float) -> None:
        """Tell the watchers of a resource that was marked, if there is news."""
        resource.is_marked = False
        if not resource.subscriptions:
            return
        try:
            has_news = resource.has_news()
        except PluginFailed:
            # Counted and logged by its guard; the last state stands.
            return
        if has_news:
            resource.told_at = ticks
            self.fanout.tell(resource, resource.changed_at)
        watched = watched_package(resource.package.name)
        if watched is not None:
            self.visitors.forget_departed(resource.presentity, watched)

    def _mark(self, resource: Resource, changed_at: float) -> None:
        resource.outdate()
        if not resource.is_marked:
            resource.is_marked = True
            resource.changed_at = changed_at
        if not resource.is_pausing:
            self._marked[resource] = None
            self._flush_soon()

    def _pause_over(self, resource: Resource) -> None:
        resource.is_pausing = False
        self._marked[resource] = None
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._is_coming:
            self._is_coming = True
            self.later(0, self.flush)

    def _resource(self, subscription: Subscription) -> Resource:
        return self.resources.take(subscription.presentity, subscription.package)

    def _keep(self, subscription: Subscription) -> Resource:
        resource = self._resource(subscription)
        self._feed(resource)
        # One string for all who watch.
        subscription.presentity = resource.presentity
        if subscription.state is State.ACTIVE:
            self._attend(resource, subscription.view)
        resource.subscriptions[subscription.key] = subscription
        self._subscriptions[subscription.key] = subscription
        watcher = subscription.watcher.aor
        self._by_watcher[watcher] = self._by_watcher.get(watcher, 0) + 1
        self._expiries.keep(subscription)
        return resource

    def _remove(self, resource: Resource, subscription: Subscription) -> None:
        resource.subscriptions.pop(subscription.key, None)
        self._expiries.drop(subscription)
        if self._subscriptions.pop(subscription.key, None) is not None:
            watcher = subscription.watcher.aor
            left = self._by_watcher[watcher] - 1
            if left:
                self._by_watcher[watcher] = left
            else:
                del self._by_watcher[watcher]
        if not resource.subscriptions:
            resource.forget()
            self._attend_no_more(resource)
            watched = watched_package(subscription.package)
            if watched is not None:
                self.visitors.forget_departed(subscription.presentity, watched)
        self.resources.drop_if_empty(resource)

    def _is_to_wait(self, subscription: Subscription) -> bool:
        """Whether a watcher who sees something will be told of a change in a moment."""
        return (
            subscription.state is State.ACTIVE
            and subscription.view != NEUTRAL
            and self.awaits(subscription.presentity, subscription.package)
        )

    def _attend(self, resource: Resource, view: View) -> None:
        if not resource.is_attended and view != NEUTRAL:
            resource.is_attended = True
            self.watched(resource.presentity, resource.package.name, True)

    def _attend_no_more(self, resource: Resource) -> None:
        if resource.is_attended:
            resource.is_attended = False
            self.watched(resource.presentity, resource.package.name, False)

    def _feed(self, resource: Resource) -> None:
        """Tell a resource where that is which it feeds on, if not on publications."""
        if resource.package.feeds is Feed.ACCOUNT and resource.account is None:
            resource.account = partial(self.accounts, resource.presentity)
        if resource.package.feeds is Feed.REGISTRATIONS and resource.bindings is None:
            resource.bindings = partial(self.bindings, resource.presentity)
        watched = watched_package(resource.package.name)
        if watched is not None and resource.watchers is None:
            resource.watchers = lambda: self.visitors.watchers(
                resource.presentity,
                watched,
                self.resources.find(resource.presentity, watched),
            )

    def _wait_no_longer(self, subscription: Subscription) -> None:
        presentity, package = subscription.presentity, subscription.package
        if self.visitors.decided(presentity, package, subscription.watcher.aor):
            self._watchers_changed(presentity, package)

    def _is_told_of(self, presentity: AddressOfRecord, package: str) -> bool:
        """Whether anybody is told of the watchers of a resource."""
        resource = self.resources.find(presentity, package + SUFFIX)
        return resource is not None and bool(resource.subscriptions)

    def _watchers_changed(self, presentity: AddressOfRecord, package: str) -> None:
        self.changed(presentity, package + SUFFIX, self.ticks())


def view_of(decision: Decision) -> View:
    """Give the view a decision opens: polite blocking and waiting show nobody at home."""
    return decision.view if decision.handling is _ALLOW else NEUTRAL
