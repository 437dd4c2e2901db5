"""How much there is of what, as metrics."""

from __future__ import annotations

from presproxy.events.agent import PresenceAgent
from presproxy.events.compositor import Compositor
from presproxy.events.locations import Locations
from presproxy.events.resource import Resources
from presproxy.metrics import Metrics
from presproxy.server.lync.lists import ListDialogs


def measure(
    metrics: Metrics,
    agent: PresenceAgent,
    list_dialogs: ListDialogs,
    compositor: Compositor,
    locations: Locations,
    resources: Resources,
) -> None:
    """Measure what is kept in memory."""
    metrics.gauge(
        "lists", "Batches of contacts that are watched.", lambda: len(list_dialogs)
    )
    metrics.gauge("subscriptions", "Subscriptions alive.", lambda: len(agent))
    metrics.gauge("publications", "Publications alive.", lambda: len(compositor))
    metrics.gauge("registrations", "Users registered.", lambda: len(locations))
    metrics.gauge(
        "resources",
        "Presentities by package, of those who publish or are watched.",
        lambda: len(resources),
    )
    ending = {
        "publication": lambda: compositor.expiring,
        "registration": lambda: locations.expiring,
        "subscription": lambda: agent.expiring,
        "list": lambda: list_dialogs.expiring,
    }
    for kind, count in ending.items():
        metrics.gauge("expiries", "What is to end at a moment.", count, kind=kind)
    metrics.gauge(
        "notices_waiting",
        "Slices of watchers that wait to be told.",
        lambda: len(agent.fanout),
    )
