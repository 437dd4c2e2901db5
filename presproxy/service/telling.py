"""Who is told of what, and the agent that knows it, from a plan."""

from __future__ import annotations

from collections.abc import Callable

from presproxy.config import Plan
from presproxy.events.agent import PresenceAgent
from presproxy.events.categories import PRESENCE, ROAMING_SELF
from presproxy.events.fanout import FanOut
from presproxy.metrics import Metrics
from presproxy.model.subscription import Subscription
from presproxy.notify.connected import CONNECTED, ConnectedNotifier
from presproxy.notify.lists import BACK_END, ListNotifier
from presproxy.notify.sip import SipNotifier
from presproxy.server.following import Following
from presproxy.server.keeping import Keeper
from presproxy.server.lync.connected import Connected
from presproxy.service.background import run
from presproxy.sip.uri import AddressOfRecord


def sip_notifier(plan: Plan) -> SipNotifier:
    """Give the notifier that is always there."""
    notifiers = (named.plugin for named in plan.notifiers)
    return next(each for each in notifiers if isinstance(each, SipNotifier))


def build_fanout(
    plan: Plan,
    sip: SipNotifier,
    lists: ListNotifier,
    soon: Callable[[Callable[[], None]], object],
    metrics: Metrics,
    now: Callable[[], float],
    ticks: Callable[[], float],
) -> FanOut:
    """Build what gives notices to all notifiers, those for Lync's users among them."""
    return FanOut(
        {
            **{named.name: named.plugin for named in plan.notifiers},
            CONNECTED: ConnectedNotifier(sip, now),
            BACK_END: lists,
        },
        soon,
        ticks,
        metrics.counter("notifier_failures", "Notices that a notifier did not take."),
    )


def published(
    agent: PresenceAgent, presentity: AddressOfRecord, package: str, changed_at: float
) -> None:
    """Publications changed: watchers are told, and what they make of somebody, too."""
    agent.changed(presentity, package, changed_at)
    if package == PRESENCE:
        agent.changed(presentity, ROAMING_SELF, changed_at)


def gone(
    keeper: Keeper,
    connected: Connected,
    following: Following,
    subscription: Subscription,
    now: float,
) -> None:
    """A subscription ended; the record of one that expired goes by itself."""
    following.forget(subscription)
    if subscription.notifier == CONNECTED:
        connected.release(subscription.key)
    if subscription.version and subscription.expires_at > now:
        run(keeper.forget(subscription))
