"""The whole house from a plan, top to bottom; its rooms are built beside."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import attrs

from presproxy.config import Plan
from presproxy.events.agent import PresenceAgent
from presproxy.events.compositor import Compositor
from presproxy.events.locations import Locations
from presproxy.events.resource import Resources
from presproxy.events.winfo import Visitors
from presproxy.extend.build import Named
from presproxy.extend.guard import Guard
from presproxy.extend.maker import Kind
from presproxy.interfaces import Bounds
from presproxy.metrics import Metrics
from presproxy.model.publication import EntityTag
from presproxy.notify.lists import ListNotifier
from presproxy.packages.registration import NAME as REG
from presproxy.proxying.gruus import Gruus
from presproxy.proxying.keys import SIZE, Keyring
from presproxy.server.admit import Door
from presproxy.server.core import Core, Step
from presproxy.server.decide import Decider
from presproxy.server.dialogs import Dialogs
from presproxy.server.domains import Domains
from presproxy.server.events import EventPackages
from presproxy.server.following import Following
from presproxy.server.house import House
from presproxy.server.identify import Identifier
from presproxy.server.journal import Journal
from presproxy.server.keeping import Keeper
from presproxy.server.keys import KeptKeys
from presproxy.server.lync.connected import Connected
from presproxy.server.lync.lists import ListDialogs
from presproxy.server.lync.service import ServiceStep
from presproxy.server.notify import NotifyStep
from presproxy.server.orders import Orders
from presproxy.server.outbound import OUTBOUND, Outbound
from presproxy.server.pbx import Pbxs
from presproxy.server.proxy import RELAYED
from presproxy.server.publish import PublishStep
from presproxy.server.register import GRUU, RegisterStep
from presproxy.server.room import Room
from presproxy.server.simple import OptionsStep
from presproxy.server.targets import Targets
from presproxy.server.ways import Ways
from presproxy.service.aggregating import aggregating
from presproxy.service.background import breath, run
from presproxy.service.behind import Aggregate, build_aggregate
from presproxy.service.front import Roads, build_front, build_prober
from presproxy.service.lamps import build_mailboxes
from presproxy.service.lists import build_lists
from presproxy.service.lync import build_lync
from presproxy.service.measures import measure
from presproxy.service.proxying import build_proxy
from presproxy.service.server import PresenceServer, route_keepers
from presproxy.service.subscribing import build_subscribing
from presproxy.service.telling import build_fanout, gone, published, sip_notifier
from presproxy.service.upward import Passing, also_passing, build_passing
from presproxy.service.wires import (
    NotifyingWire,
    build_connections,
    build_inbox,
    build_trust,
)
from presproxy.sip.tokens import Pool, Tokens
from presproxy.trace import Ring, Tap
from presproxy.transaction.layer import TransactionLayer
from presproxy.transport.hop import Hop
from presproxy.transport.locate import Locator

#: What a user agent may ask for, in the order Allow names it.
METHODS = (
    *("PUBLISH", "SUBSCRIBE", "NOTIFY", "REGISTER", "SERVICE", "OPTIONS"),
    *RELAYED,
)

#: Option tags of Require that are understood (RFC 3327, RFC 5626, RFC 5627, [MS-PRES]
#: 2.2.2.4.1).
EXTENSIONS = ("path", OUTBOUND, GRUU, "adhoclist", "categorylist")

#: Seconds granted to a registration that names none, and at the most.
_REGISTERED, _REGISTERED_AT_MOST = 3600, 86400


def build(
    plan: Plan,
    reactor: Any,
    *,
    tap: Tap | None = None,
    now: Callable[[], float] = time.time,
    ticks: Callable[[], float] = time.monotonic,
    locator: Locator | None = None,
) -> PresenceServer:
    """
    Build the whole house from a plan, opening nothing.

    ``now`` is the wall clock, which expiries are kept by; ``ticks`` one that never goes
    back, for transactions and latencies.  ``locator`` finds where URIs lead; by default it
    asks the name servers of this host.
    """
    configuration = plan.configuration
    limits = configuration.limits
    metrics = Metrics()
    tokens = Tokens(Pool(os.urandom))
    tap = tap or Tap()
    ring = Ring()
    tap.keep(ring.append)
    guards = _Guards(metrics, reactor, limits.plugin_wait)

    def soon(act: Callable[[], None]) -> object:
        return reactor.callLater(0, act)

    # What is lasting.
    journal = _journal(plan, metrics, ticks)
    keeper = Keeper(journal, route_keepers(plan), run)

    # What is there and who is told of it, which knows nothing of SIP.
    served = aggregating(
        plan.packages,
        guards.of("aggregator", plan.aggregator.name, plan.aggregator.plugin),
    )
    resources = Resources(
        {name: guards.of("package", name, each) for name, each in served.items()}
    )
    sip = sip_notifier(plan)
    list_notifier = ListNotifier(sip.notify, soon, tokens)
    fanout = build_fanout(plan, sip, list_notifier, soon, metrics, now, ticks)
    connected = Connected()
    agent = PresenceAgent(
        resources,
        fanout,
        Visitors(),
        now,
        ticks,
        reactor.callLater,
        lambda subscription: gone(keeper, connected, following, subscription, now()),
    )
    trust = build_trust(configuration)
    aggregate = build_aggregate(
        configuration,
        reactor,
        resources,
        partial(published, agent),
        metrics,
        now,
        ticks,
        tap,
        trust,
    )
    passing = build_passing(
        configuration,
        reactor,
        resources,
        journal.commit,
        tokens,
        metrics,
        now,
        tap,
        trust,
    )
    _join(agent, aggregate, passing)
    compositor = Compositor(
        resources,
        also_passing(passing, partial(published, agent)),
        lambda: EntityTag(tokens.entity_tag()),
        tokens.tag,
        limits.publications_of_one,
        limits.publications,
    )
    locations = Locations(limits.contacts_of_one, limits.registrations)
    locations.changed = lambda aor: agent.changed(aor, REG, ticks())
    agent.bindings = lambda aor: locations.bound(aor, now())
    decider = Decider(
        guards.each("acl", plan.acl),
        agent,
        keeper.keep,
        run,
        lambda: breath(reactor),
    )
    list_dialogs = ListDialogs(agent, connected, list_notifier.tell, soon)
    measure(metrics, agent, list_dialogs, compositor, locations, resources)

    # Requests, from the wire to the steps.
    domains = Domains(frozenset(configuration.domains))
    packages = EventPackages(served, configuration.min_expires)
    lists = build_lists(
        plan.storage.plugin, agent, decider, journal, domains, run, limits.registrations
    )
    transport = configuration.transport
    keys = Keyring(os.urandom(SIZE))
    gruus = Gruus(keys, os.urandom)
    outbound = Outbound(transport.flow_timer, transport.stun)
    ways = Ways(
        lambda peer: connections.flow_by(Hop("udp", *peer)), os.urandom(6).hex()
    )
    following = Following(ways, sip.moved)
    ways.tell = following.registered
    room = Room(agent, limits.subscriptions_of_one, limits.subscriptions)
    lync = build_lync(
        configuration,
        agent,
        locations,
        journal,
        domains,
        lists,
        tokens,
        run,
        now,
        ticks,
        also_passing(passing, agent.changed),
    )
    lync.endpoints.when_ended.append(
        lambda endpoint, _: connected.end_of(endpoint.flow, endpoint.user)
    )
    lync.measure(metrics)
    pbxs = Pbxs(configuration.pbx)
    mailboxes = build_mailboxes(
        served, resources, compositor, journal, domains, configuration, now
    )
    registering = RegisterStep(
        packages,
        domains,
        locations,
        journal,
        guards.of("storage", plan.storage.name, plan.storage.plugin),
        Bounds(configuration.min_expires, _REGISTERED, _REGISTERED_AT_MOST),
        lync.signing_in,
        ways,
        outbound,
        gruus,
        now,
    )
    steps: dict[str, Step] = {
        "PUBLISH": PublishStep(
            packages, domains, resources, compositor, journal, limits.body, now, pbxs
        ),
        "SUBSCRIBE": build_subscribing(
            packages,
            domains,
            agent,
            decider,
            keeper,
            room,
            tokens,
            limits,
            connected,
            list_dialogs,
            list_notifier,
            lists.subscribers.introduced,
            following,
            now,
        ),
        "NOTIFY": NotifyStep(pbxs, mailboxes),
        "REGISTER": registering,
        "SERVICE": ServiceStep(lync.services, limits.body),
        "OPTIONS": OptionsStep(packages, METHODS, EXTENSIONS),
    }
    layer = TransactionLayer(metrics=metrics, to_source=transport.to_source)
    identifier = Identifier(guards.each("auth", plan.auth), domains, pbxs)
    front = build_front(
        configuration,
        served,
        Roads(
            lambda uri: connections.locate(uri), lambda hop: connections.flow_by(hop)
        ),
        ways,
        keys,
        outbound,
        registering,
        ticks,
    )
    proxy = build_proxy(
        configuration,
        layer,
        identifier,
        Targets(domains, locations, ways, gruus, now),
        tokens,
        keys,
        Orders(pbxs, front),
        front,
        decider,
        metrics,
        ticks,
    )
    core = Core(
        layer,
        Door(METHODS, EXTENSIONS, Dialogs(agent, now, list_dialogs.subscription)),
        identifier,
        steps,
        proxy,
        tokens,
        ticks,
        metrics,
        tap,
    )
    inbox = build_inbox(core, journal, fanout, limits, soon, metrics, ticks)
    connections = build_connections(
        configuration, reactor, inbox, trust, tap, metrics, ticks, locator
    )
    sip.connect(
        NotifyingWire(layer.send, connections), tokens, ticks, tap, ways.of_instance
    )

    house = House(
        reactor,
        domains.names,
        metrics,
        plan.storage.plugin,
        lists.contacts,
        lists.containers,
        agent,
        decider,
        keeper,
        packages,
        room,
        tokens,
        now,
        list_dialogs,
    )
    return PresenceServer(
        plan,
        reactor,
        metrics,
        core,
        inbox,
        connections,
        journal,
        decider,
        agent,
        compositor,
        locations,
        lync,
        house,
        KeptKeys(keys, plan.storage.plugin, os.urandom, now),
        ring,
        following,
        None if front is None else build_prober(front, layer, tokens, ticks),
        aggregate,
        passing,
    )


@attrs.frozen(eq=False)
class _Guards:
    """Puts plugins behind guards; ``wait`` is how many seconds one may take to answer."""

    metrics: Metrics
    reactor: Any
    wait: float

    def of(self, kind: Kind, name: str, plugin: Any) -> Guard[Any]:
        """Guard one plugin."""
        return Guard(kind, name, plugin, self.metrics, self.reactor, self.wait)

    def each(self, kind: Kind, plugins: Sequence[Named[Any]]) -> list[Guard[Any]]:
        """Guard some plugins, in their order."""
        return [self.of(kind, named.name, named.plugin) for named in plugins]


def _journal(plan: Plan, metrics: Metrics, ticks: Callable[[], float]) -> Journal:
    return Journal(
        plan.storage.plugin,
        ticks,
        metrics.histogram("commit_seconds", "How long commits took."),
        metrics.counter("commit_failures", "Commits that failed."),
        metrics.counter("commit_defects", "Commits that went wrong by our own fault."),
    )


def _join(
    agent: PresenceAgent, aggregate: Aggregate | None, passing: Passing | None
) -> None:
    """Have watchers told what is fetched, and nobody what comes back of our own."""
    if aggregate is None:
        return
    agent.watched = aggregate.upstream.watched
    agent.awaits = aggregate.upstream.awaits
    if passing is not None:
        aggregate.upstream.others = passing.others
        passing.tell_freed(aggregate.upstream.look_again)
