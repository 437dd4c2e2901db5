"""What is fetched from a server behind, built, started and stopped."""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom
from typing import Any

import attrs

from presproxy.config import Configuration
from presproxy.config.behind import read_server, server_of
from presproxy.events.aim import Aim, Scope
from presproxy.events.resource import Resources
from presproxy.events.upstream import Upstream
from presproxy.interfaces import Feed
from presproxy.metrics import Metrics
from presproxy.server.front.routes import Action, Rule
from presproxy.service.agents import build_agent, open_agent
from presproxy.service.background import run
from presproxy.sip.uri import AddressOfRecord
from presproxy.trace import Tap
from presproxy.transport.certificates import Trust
from presproxy.useragent import Server, UserAgent
from presproxy.useragent.alarms import Alarms

#: Seconds within which all is asked for again when the connection to the server behind
#: broke.  Chosen: a server that has just started is not overrun by ten thousand.
_SPREAD = 5.0

_ALIVE = "Subscriptions at the server behind that are alive."


@attrs.frozen(eq=False)
class Aggregate:
    """The user agent that speaks to the server behind, and what it fetches."""

    agent: UserAgent
    upstream: Upstream

    def start(self) -> None:
        """Begin to fetch; nobody waits for a server behind that is not there yet."""
        run(open_agent(self.agent))
        self.upstream.start()

    async def stop(self) -> None:
        """Stop; what the server behind holds for us expires."""
        self.upstream.stop()
        await self.agent.stop()


def build_aggregate(
    configuration: Configuration,
    reactor: Any,
    resources: Resources,
    changed: Callable[[AddressOfRecord, str, float], None],
    metrics: Metrics,
    now: Callable[[], float],
    ticks: Callable[[], float],
    tap: Tap,
    trust: Trust,
) -> Aggregate | None:
    """Build what fetches from a server behind, if one is configured."""
    options = configuration.aggregate
    failures = metrics.counter(
        "behind_failures", "Subscriptions behind that were refused or lost."
    )
    unreadable = metrics.counter(
        "behind_unreadable", "NOTIFYs from behind that were not understood."
    )
    server = _server(configuration)
    if server is None:
        metrics.gauge("behind_subscriptions", _ALIVE, lambda: 0)
        return None
    agent = build_agent(
        options.user, server, options, configuration, reactor, tap, trust, _SPREAD
    )
    upstream = Upstream(
        _aim(configuration, resources),
        agent,
        resources,
        changed,
        run,
        Alarms(reactor),
        now,
        ticks,
        SystemRandom().random,
        failures,
        unreadable,
    )
    metrics.gauge("behind_subscriptions", _ALIVE, lambda: len(upstream))
    return Aggregate(agent, upstream)


def _server(configuration: Configuration) -> Server | None:
    """Give the server behind; requests are forwarded there, too, if no other is named."""
    if configuration.aggregate.server:
        return read_server(configuration.aggregate.server)
    if configuration.upstream and _rules(configuration):
        return server_of(configuration.upstream)
    return None


def _rules(configuration: Configuration) -> list[Rule]:
    return [each for each in configuration.route if each.action is Action.AGGREGATE]


def _aim(configuration: Configuration, resources: Resources) -> Aim:
    options = configuration.aggregate
    all_packages = frozenset(
        name
        for name in resources.packages
        if resources.guard(name).plugin.feeds is Feed.PUBLICATIONS
    )
    scopes = [
        Scope(frozenset(rule.package) or all_packages, frozenset(rule.domain))
        for rule in _rules(configuration)
    ]
    if options.server:
        scopes.append(Scope(frozenset(options.packages), frozenset(options.domains)))
    return Aim(
        scopes,
        options.domain,
        options.expires,
        options.linger,
        options.stale,
        options.wait,
        options.most,
    )
