"""What the house has for Lync's users: built, swept and measured together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from presproxy.config import Configuration
from presproxy.events.agent import PresenceAgent
from presproxy.events.categories import Categories, CategoryBounds
from presproxy.events.endpoints import Endpoints
from presproxy.events.locations import Locations
from presproxy.interfaces import Account
from presproxy.metrics import Metrics
from presproxy.server.domains import Domains
from presproxy.server.journal import Journal
from presproxy.server.leftovers import Leftovers
from presproxy.server.lync.endings import Endings
from presproxy.server.lync.publish import CategoryPublishing
from presproxy.server.lync.service import Handler
from presproxy.server.lync.signin import SigningIn
from presproxy.service.lists import Lists
from presproxy.service.shown import Shown
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord


@attrs.frozen(eq=False)
class Lync:
    """
    Endpoints and what they keep here.

    ``services`` serve SERVICE by the content type of its body.
    """

    endpoints: Endpoints
    categories: Categories
    endings: Endings
    leftovers: Leftovers
    signing_in: SigningIn
    shown: Shown
    lists: Lists
    services: dict[str, Handler] = attrs.field(factory=dict)

    def account(self, user: AddressOfRecord) -> Account:
        """Give what a user keeps here of himself."""
        return attrs.evolve(self.lists.account(user), categories=self.shown.of(user))

    def sweep(self, now: float, ticks: float) -> bool:
        """End some of what is over, and say whether there is more."""
        self.leftovers.tick()
        has_more = (
            self.endpoints.expire(now),
            self.categories.expire(now, ticks),
            self.endings.end_grace(),
        )
        return any(has_more)

    def measure(self, metrics: Metrics) -> None:
        """Count what there is."""
        metrics.gauge(
            "endpoints", "Lync endpoints signed in.", lambda: len(self.endpoints)
        )
        metrics.gauge(
            "categories",
            "Publications of Lync endpoints alive.",
            lambda: len(self.categories),
        )
        metrics.gauge(
            "leftovers",
            "Records of no use that could not be deleted yet.",
            lambda: len(self.leftovers),
        )
        metrics.gauge(
            "expiries",
            "What is to end at a moment.",
            lambda: self.endpoints.expiring,
            kind="endpoint",
        )


def build_lync(
    configuration: Configuration,
    agent: PresenceAgent,
    locations: Locations,
    journal: Journal,
    domains: Domains,
    lists: Lists,
    tokens: Tokens,
    run: Callable[[Awaitable[None]], None],
    now: Callable[[], float],
    ticks: Callable[[], float],
    changed: Callable[[AddressOfRecord, str, float], None],
) -> Lync:
    """
    Build all of it, and let the agent know of it.

    ``changed`` is told of each resource whose categories are others now.
    """
    limits = configuration.limits
    leftovers = Leftovers(journal, run)
    endpoints = Endpoints(limits.contacts_of_one, limits.registrations)
    categories = Categories(
        agent.resources,
        changed,
        tokens.tag,
        leftovers.forget,
        CategoryBounds(
            limits.categories_of_one, limits.categories_octets, limits.categories
        ),
    )
    endings = Endings(
        endpoints,
        categories,
        locations,
        journal,
        now,
        ticks,
        run,
        configuration.lync.grace,
    )
    endpoints.when_ended.append(endings.ended)
    shown = Shown(agent.resources, categories)
    lync = Lync(
        endpoints,
        categories,
        endings,
        leftovers,
        SigningIn(endpoints, now),
        shown,
        lists,
        {**lists.services},
    )
    publishing = CategoryPublishing(
        domains,
        categories,
        endpoints,
        journal,
        shown.of,
        now,
        lists.conflicts,
    )
    lync.services[publishing.content_type] = publishing.serve
    agent.accounts = lync.account
    return lync
