"""Starting and stopping the house, and the timers that keep it going."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from presproxy import __version__
from presproxy.config import Plan
from presproxy.errors import StorageUnavailable
from presproxy.events.agent import PresenceAgent
from presproxy.events.compositor import Compositor
from presproxy.events.locations import Locations
from presproxy.events.restore import Restorer
from presproxy.extend.build import Named
from presproxy.http.sight import Behind, Sight, Used
from presproxy.http.site import HttpDoor
from presproxy.interfaces import IContactList, IRouteKeeper
from presproxy.metrics import Counter, Metrics, has_doubled
from presproxy.model.record import Record
from presproxy.server.core import Core
from presproxy.server.decide import Decider
from presproxy.server.following import Following
from presproxy.server.front.probing import Prober
from presproxy.server.house import House
from presproxy.server.inbox import Inbox
from presproxy.server.journal import Journal
from presproxy.server.keys import LOOK, KeptKeys
from presproxy.service.background import breath, quietly, run, within
from presproxy.service.behind import Aggregate
from presproxy.service.kept import kept_behind
from presproxy.service.lync import Lync
from presproxy.service.restoring import Restoring
from presproxy.service.upward import Passing
from presproxy.trace import Ring
from presproxy.transport.certificates import UnusableCertificate
from presproxy.transport.connections import Connections
from presproxy.transport.where import Where

_log = Logger()

#: Seconds between two looks at the timers of transactions, which need no finer.
_TURN = 0.05

#: Seconds between two looks at what has expired.
_SWEEP = 1.0

#: Seconds after which a contact ACL that failed is asked again.
_ASK_AGAIN = 30.0

#: Seconds between two looks whether watchers have been told.
_LOOK = 0.02

Stop = Callable[[], Coroutine[Any, Any, None]]


@attrs.frozen
class Patience:
    """
    How many seconds a stop waits: for requests that were taken, for watchers to be told of
    what came of them, and for each part to end.

    Chosen: even with two parts that hang, a stop takes less than the 15 to 90 seconds after
    which supervisors kill.
    """

    serving: float = 5.0
    telling: float = 0.5
    ending: float = 5.0


@attrs.define(eq=False)
class PresenceServer:
    """
    Everything there is, wired together.

    ``loaded`` is called at the start, when what was kept is back and nobody is served yet.
    """

    plan: Plan
    reactor: Any
    metrics: Metrics
    core: Core
    inbox: Inbox
    connections: Connections
    journal: Journal
    decider: Decider
    agent: PresenceAgent
    compositor: Compositor
    locations: Locations
    lync: Lync
    house: House
    keys: KeptKeys
    ring: Ring
    following: Following
    prober: Prober | None = None
    #: What is fetched from a server behind, if anything is.
    aggregate: Aggregate | None = None
    #: What is passed to servers behind, if anything is.
    passing: Passing | None = None
    loaded: Callable[[], object] = lambda: None
    patience: Patience = Patience()
    #: The places really listened on, once it is started.
    bound: list[Where] = attrs.field(factory=list, init=False)
    #: Where HTTP is really listened on.
    http_bound: Where | None = attrs.field(default=None, init=False)
    is_ready: bool = attrs.field(default=False, init=False)
    #: What was started, and how it is stopped.
    _started: list[tuple[str, Stop]] = attrs.field(factory=list, init=False)
    #: The next slice of a turn of the timers that is under way, and of a sweep.
    _rest_of_turn: IDelayedCall | None = attrs.field(default=None, init=False)
    _rest_of_sweep: IDelayedCall | None = attrs.field(default=None, init=False)
    _defects: Counter = attrs.field(init=False)

    @_defects.default
    def _count_defects(self) -> Counter:
        return self.metrics.counter(
            "timer_defects", "Errors nobody expected of what is done by the clock."
        )

    # -- Starting --------------------------------------------------------------------

    async def start(self) -> None:
        """
        Open everything: HTTP, storage, what was kept, plugins, timers, listeners.

        When something cannot be started, or this is cancelled, all that was is stopped.
        """
        try:
            await self._start()
        except BaseException:
            await self._stop_all()
            raise

    async def _start(self) -> None:
        plan = self.plan
        await self._open_http()
        await self._start_plugin("storage", plan.storage)
        await self.keys.look()
        restorer = await self._restore()
        await self.lync.lists.open()
        self.loaded()
        for kind, used in (
            ("acl", plan.acl),
            ("auth", plan.auth),
            ("notifier", plan.notifiers),
        ):
            for named in used:
                await self._start_plugin(kind, named)
        self._start_behind()
        self._start_timers()
        if self.prober is not None:
            await self.prober.look_up()
        await self._listen()
        if self.prober is not None:
            self._begin_probing(self.prober)
        self.is_ready = True
        run(self._catch_up(restorer))

    def _start_behind(self) -> None:
        if self.aggregate is not None:
            self.aggregate.start()
            self._started.append(("what is fetched from behind", self.aggregate.stop))
        if self.passing is not None:
            self.passing.start()
            self._started.append(("what is passed behind", self.passing.stop))

    async def _start_plugin(self, kind: str, named: Named[Any]) -> None:
        async def stop() -> None:
            await named.plugin.stop()

        await named.plugin.start(self.house)
        self._started.append((f"{kind} {named.name}", stop))

    async def _open_http(self) -> None:
        """Answer who asks for health from the first moment to the last."""
        door = HttpDoor(self.reactor, self.sight())
        self.http_bound = quietly(door.listen, self.plan.configuration.http)
        self._started.append(("HTTP", door.stop))

    async def _listen(self) -> None:
        self._started.append(("transports", self.connections.stop))
        for where in self.plan.configuration.listen:
            listening = self.connections.listen(where)
            self.bound += await quietly(Deferred.fromCoroutine, listening)

    def renew(self) -> int:
        """
        Read all certificates again; say how many there are.

        One that cannot be used is logged, and the old one serves on.
        """
        certificates = self.connections.certificates
        for certificate in certificates:
            try:
                certificate.renew()
            except UnusableCertificate as error:
                _log.error("The old certificate serves on: {error}", error=error)
            else:
                _log.info("{chain} was read again", chain=certificate.chain)
        try:
            self.connections.trust.renew()
        except UnusableCertificate as error:
            _log.error("The old authorities are believed on: {error}", error=error)
        return len(certificates)

    def sight(self) -> Sight:
        """Give what the HTTP door sees."""
        return Sight(
            version=__version__,
            domains=self.house.domains,
            home=self.core.identifier.domains.home,
            plugins=[
                Used(kind, use.name, str(use))
                for kind, use in self.plan.configuration.uses()
            ],
            packages=self.plan.packages,
            agent=self.agent,
            locations=self.locations,
            explain=self.decider.explain,
            lists=_lists(self.plan),
            kept=self.house.contacts.shown,
            metrics=self.metrics,
            now=self.house.now,
            ticks=self.core.ticks,
            ring=self.ring,
            listeners=lambda: [str(where) for where in self.bound],
            is_ready=lambda: self.is_ready,
            behind=partial(behind, self.prober),
            kept_behind=lambda: kept_behind(
                self.aggregate,
                self.passing,
                self.agent.resources,
                self.reactor.seconds(),
            ),
        )

    async def _catch_up(self, restorer: Restorer) -> None:
        """Obey rules that changed while nobody was there, then tell what else did."""
        await self.decider.decide_each(self.agent.subscriptions())
        for _ in restorer.finish():
            await breath(self.reactor)

    async def _restore(self) -> Restorer:
        restorer = Restorer(
            compositor=self.compositor,
            agent=self.agent,
            locations=self.locations,
            categories=self.lync.categories,
            subscribers=self.lync.lists.subscribers.table,
            keepers=route_keepers(self.plan),
            passed=_nowhere if self.passing is None else self.passing.restore,
            now=self.house.now(),
            watches=self.following.add,
        )
        storage = self.plan.storage.plugin
        await Restoring(storage, restorer, self.core.ticks).run()
        self.lync.endings.begin_grace()
        return restorer

    # -- Stopping --------------------------------------------------------------------

    async def stop(self) -> None:
        """
        Stop: nothing new is taken, what was taken is finished, within limits.

        Subscriptions are not ended: they are kept, and go on after a start.  Does nothing
        the second time.
        """
        self.is_ready = False
        if self._started and self.bound:
            served = self.core.finish()
            # What waits for its turn is refused, as all that comes now.
            self.inbox.empty()
            ending = self.connections.stop_accepting()
            await self._within(self.patience.ending, ending, "taking no connections")
            await self._finish(served)
        await self._stop_all()

    async def _finish(self, served: Deferred[None]) -> None:
        """Serve what was taken; what takes too long, or still rings, is answered 503."""

        async def serve() -> None:
            await served

        in_time = await self._within(self.patience.serving, serve(), "serving the rest")
        if not in_time:
            self.journal.close()
            self.core.close()
        until = self.core.ticks() + self.patience.telling
        await breath(self.reactor)
        while self._is_telling() and self.core.ticks() < until:
            await breath(self.reactor, _LOOK)
        self.core.close()

    def _is_telling(self) -> bool:
        return bool(len(self.agent.fanout) or self.core.layer.clients)

    async def _stop_all(self) -> None:
        """Stop what was started, the latest first, whatever goes wrong with one."""
        while self._started:
            name, stop = self._started.pop()
            await self._within(self.patience.ending, stop(), f"stopping {name}")

    def _within(
        self, seconds: float, coroutine: Coroutine[Any, Any, None], what: str
    ) -> Awaitable[bool]:
        return within(seconds, self.reactor, coroutine, what)

    # -- Timers ----------------------------------------------------------------------

    def _start_timers(self) -> None:
        loops = []
        for interval, act in (
            (_TURN, self._turn),
            (_SWEEP, self._sweep),
            (_ASK_AGAIN, self.decider.ask_undecided),
            (LOOK, lambda: run(self._look_at_keys())),
        ):
            loop = LoopingCall(self._guarded, act)
            loop.clock = self.reactor
            loop.start(interval, now=False)
            loops.append(loop)

        async def stop() -> None:
            for loop in loops:
                loop.stop()
            for rest in (self._rest_of_turn, self._rest_of_sweep):
                if rest is not None and rest.active():
                    rest.cancel()

        self._started.append(("timers", stop))

    def _begin_probing(self, prober: Prober) -> None:
        if not prober.interval:
            return
        loop = LoopingCall(self._guarded, prober.probe)
        loop.clock = self.reactor
        loop.start(prober.interval)

        async def stop() -> None:
            loop.stop()

        self._started.append(("probing", stop))

    async def _look_at_keys(self) -> None:
        """Look what other nodes made of the keys; while that cannot be known, they stay."""
        try:
            await self.keys.look()
        except StorageUnavailable as error:
            _log.warn("The keys of tokens stay as they are: {error}", error=error)

    def _guarded(self, act: Callable[[], None]) -> None:
        """Do what the clock says; a defect is counted, and the clock goes on."""
        try:
            act()
        except Exception:
            self._defects.value += 1
            count = self._defects.value
            if has_doubled(count):
                _log.failure("A timer failed (defect {count})", count=count)

    def _turn(self) -> None:
        if self._rest_of_turn is None or not self._rest_of_turn.active():
            self._tick()
        now = self.core.ticks()
        self.journal.tick(now)
        self.core.proxy.tick(now)
        if self.prober is not None:
            self.prober.tick(now)
        self.inbox.tick(now)
        self.ring.trim(now)

    def _tick(self) -> None:
        """Turn the timers of transactions, a slice of them now as in `_sweep`."""
        if self.core.layer.tick(self.core.ticks()):
            self._rest_of_turn = self.reactor.callLater(0, self._guarded, self._tick)

    def _sweep(self) -> None:
        """End what is over, a slice of it now and the rest in turns of its own."""
        if self.aggregate is not None:
            self.aggregate.upstream.sweep()
        if self._rest_of_sweep is not None and self._rest_of_sweep.active():
            return
        now, ticks = self.house.now(), self.core.ticks()
        has_more = (
            # With all that is in them, and so before it.
            self.house.list_dialogs.expire(now),
            self.compositor.expire(now, ticks),
            self.agent.expire(now),
            self.locations.expire(now),
            self.lync.sweep(now, ticks),
        )
        if any(has_more):
            self._rest_of_sweep = self.reactor.callLater(0, self._guarded, self._sweep)


def _nowhere(_: Record) -> bool:
    """Nothing is passed behind now; the record expires."""
    return False


def behind(prober: Prober | None) -> Sequence[Behind]:
    """Show the servers behind us."""
    return [
        Behind(
            each.uri,
            [str(hop) for hop in each.hops],
            [str(hop) for hop in each.hops if not each.is_resting(hop)],
            each.is_away,
            each.why,
        )
        for each in (prober.upstreams if prober is not None else ())
    ]


def route_keepers(plan: Plan) -> dict[str, IRouteKeeper]:
    """Give the notifiers whose routes outlive the process, by name."""
    return {
        named.name: named.plugin
        for named in plan.notifiers
        if IRouteKeeper.providedBy(named.plugin)
    }


def _lists(plan: Plan) -> IContactList | None:
    """Give the first contact ACL whose lists can be written."""
    for named in plan.acl:
        if IContactList.providedBy(named.plugin):
            return named.plugin
    return None
