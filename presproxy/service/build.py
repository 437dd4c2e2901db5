"""The whole house from a plan, in one function, top to bottom."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import attrs

from presproxy.config import Plan
from presproxy.events.agent import PresenceAgent
from presproxy.events.categories import PRESENCE, ROAMING_SELF
from presproxy.events.compositor import Compositor
from presproxy.events.fanout import FanOut
from presproxy.events.locations import Locations
from presproxy.events.resource import Resources
from presproxy.events.winfo import Visitors
from presproxy.extend.build import Named
from presproxy.extend.guard import Guard
from presproxy.extend.maker import Kind
from presproxy.interfaces import Bounds
from presproxy.metrics import Metrics
from presproxy.model.publication import EntityTag
from presproxy.model.subscription import Subscription
from presproxy.notify.connected import CONNECTED, ConnectedNotifier
from presproxy.notify.lists import BACK_END, ListNotifier
from presproxy.notify.sip import SipNotifier
from presproxy.packages.registration import NAME as REG
from presproxy.proxying.gruus import Gruus
from presproxy.proxying.keys import SIZE, Keyring
from presproxy.server.admission import Admission, Deadlines
from presproxy.server.admit import Door
from presproxy.server.core import Core, Step
from presproxy.server.decide import Decider
from presproxy.server.dialogs import Dialogs
from presproxy.server.domains import Domains
from presproxy.server.events import EventPackages
from presproxy.server.following import Following
from presproxy.server.house import House
from presproxy.server.identify import Identifier
from presproxy.server.inbox import Bounds as InboxBounds
from presproxy.server.inbox import Inbox
from presproxy.server.journal import Journal
from presproxy.server.keeping import Keeper
from presproxy.server.keys import KeptKeys
from presproxy.server.lync.connected import Connected
from presproxy.server.lync.lists import ListDialogs
from presproxy.server.lync.piggyback import Piggyback
from presproxy.server.lync.service import ServiceStep
from presproxy.server.notify import NotifyStep
from presproxy.server.orders import Orders
from presproxy.server.outbound import OUTBOUND, Outbound
from presproxy.server.pbx import Pbxs
from presproxy.server.proxy import RELAYED, Proxy
from presproxy.server.publish import PublishStep
from presproxy.server.register import GRUU, RegisterStep
from presproxy.server.room import Room
from presproxy.server.screen import Screen
from presproxy.server.simple import OptionsStep
from presproxy.server.subscribe import SubscribeStep
from presproxy.server.targets import Targets
from presproxy.server.underway import UnderWay
from presproxy.server.ways import Ways
from presproxy.service.aggregating import aggregating
from presproxy.service.background import breath, run
from presproxy.service.batches import build_batches
from presproxy.service.behind import build_aggregate
from presproxy.service.front import Roads, build_front, build_prober
from presproxy.service.lamps import build_mailboxes
from presproxy.service.lists import build_lists
from presproxy.service.lync import build_lync
from presproxy.service.measures import measure
from presproxy.service.server import PresenceServer, route_keepers
from presproxy.service.upward import also_passing, build_passing
from presproxy.sip.flow import Address, Flow
from presproxy.sip.tokens import Pool, Tokens
from presproxy.sip.uri import AddressOfRecord
from presproxy.trace import Ring, Tap
from presproxy.transaction.client import ClientTransaction
from presproxy.transaction.layer import TransactionLayer
from presproxy.transport.certificates import Certificate, Trust
from presproxy.transport.connections import Connections
from presproxy.transport.hop import Hop
from presproxy.transport.stream import StreamLimits

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
) -> PresenceServer:
    """
    Build the whole house from a plan, opening nothing.

    ``now`` is the wall clock, which expiries are kept by; ``ticks`` one that never goes
    back, for transactions and latencies.
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
    journal = Journal(
        plan.storage.plugin,
        ticks,
        metrics.histogram("commit_seconds", "How long commits took."),
        metrics.counter("commit_failures", "Commits that failed."),
        metrics.counter("commit_defects", "Commits that went wrong by our own fault."),
    )
    keeper = Keeper(journal, route_keepers(plan), run)

    # What is there and who is told of it, which knows nothing of SIP.
    served = aggregating(
        plan.packages,
        guards.of("aggregator", plan.aggregator.name, plan.aggregator.plugin),
    )
    resources = Resources(
        {name: guards.of("package", name, each) for name, each in served.items()}
    )
    sip = _sip_notifier(plan)
    list_notifier = ListNotifier(sip.notify, soon, tokens)
    fanout = FanOut(
        {
            **{named.name: named.plugin for named in plan.notifiers},
            CONNECTED: ConnectedNotifier(sip, now),
            BACK_END: list_notifier,
        },
        soon,
        ticks,
        metrics.counter("notifier_failures", "Notices that a notifier did not take."),
    )
    connected = Connected()
    agent = PresenceAgent(
        resources,
        fanout,
        Visitors(),
        now,
        ticks,
        reactor.callLater,
        lambda subscription: _gone(keeper, connected, following, subscription, now()),
    )
    trust = Trust(configuration.transport.authorities, _shown(plan))
    aggregate = build_aggregate(
        configuration,
        reactor,
        resources,
        partial(_published, agent),
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
    if aggregate is not None:
        agent.watched = aggregate.upstream.watched
        agent.awaits = aggregate.upstream.awaits
        if passing is not None:
            aggregate.upstream.others = passing.others
            passing.tell_freed(aggregate.upstream.look_again)
    compositor = Compositor(
        resources,
        also_passing(passing, partial(_published, agent)),
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
        "SUBSCRIBE": SubscribeStep(
            packages,
            domains,
            agent,
            decider,
            keeper,
            room,
            tokens,
            limits.body,
            now,
            Piggyback(agent, connected, now),
            build_batches(
                packages,
                domains,
                agent,
                decider,
                room,
                tokens,
                list_dialogs,
                list_notifier,
                lists.subscribers.introduced,
                limits,
                now,
            ),
            following,
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
    proxy = Proxy(
        layer,
        identifier,
        Targets(domains, locations, ways, gruus, now),
        tokens,
        keys,
        os.urandom(SIZE),
        domains.names,
        ticks,
        metrics,
        UnderWay(limits.relayed, limits.relayed_of_one),
        Orders(pbxs, front),
        front,
        Screen(decider) if configuration.proxy.screen else None,
    )
    layer.give_acks_to(proxy.acknowledge)
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
    inbox = Inbox(
        core.receive,
        Admission(
            layer.refuse,
            journal.waited,
            Deadlines(limits.late, limits.late_keeping, limits.late_storage),
            metrics,
        ),
        ticks,
        soon,
        lambda: fanout.is_under_way,
        metrics,
        InboxBounds(limits.inbox, limits.inbox_octets),
    )
    connections = Connections(
        reactor,
        inbox.take,
        backlog=inbox,
        tap=tap,
        metrics=metrics,
        limits=StreamLimits(
            connections=limits.connections,
            per_peer=limits.connections_of_one,
            idle=limits.idle,
        ),
        advertised=configuration.advertise,
        trust=trust,
        stun=transport.stun,
        now=ticks,
    )
    sip.connect(_Wire(layer.send, connections), tokens, ticks, tap, ways.of_instance)

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


def _published(
    agent: PresenceAgent, presentity: AddressOfRecord, package: str, changed_at: float
) -> None:
    """Publications changed: watchers are told, and what they make of somebody, too."""
    agent.changed(presentity, package, changed_at)
    if package == PRESENCE:
        agent.changed(presentity, ROAMING_SELF, changed_at)


def _sip_notifier(plan: Plan) -> SipNotifier:
    """Give the notifier that is always there."""
    notifiers = (named.plugin for named in plan.notifiers)
    return next(each for each in notifiers if isinstance(each, SipNotifier))


def _shown(plan: Plan) -> Certificate | None:
    """Give what we prove with who we are to servers that ask."""
    for place in plan.configuration.listen:
        for chain, key in place.certificates:
            return Certificate.read(chain, key)
    return None


def _gone(
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


@attrs.frozen(eq=False)
class _Wire:
    """What a notifier sends with; ``send`` is `TransactionLayer.send` itself."""

    send: Callable[..., ClientTransaction]
    connections: Connections

    async def flow_to(self, uri: str, peer: Address | None) -> Flow:
        """See `Wire`."""
        if peer is not None:
            return await self.connections.flow_by(Hop("udp", *peer))
        return await self.connections.flow_to(uri)
