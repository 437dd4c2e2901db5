"""Starting and stopping the house, and the timers that keep it going."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from presproxy import __version__
from presproxy.config import Plan
from presproxy.events.agent import PresenceAgent
from presproxy.events.compositor import Compositor
from presproxy.events.locations import Locations
from presproxy.events.restore import Restorer
from presproxy.http.sight import Sight, Used
from presproxy.http.site import HttpDoor
from presproxy.interfaces import IContactList, IRouteKeeper
from presproxy.metrics import Metrics
from presproxy.server.core import Core
from presproxy.server.decide import Decider
from presproxy.server.house import House
from presproxy.server.journal import Journal
from presproxy.service.background import run
from presproxy.transport.connections import Connections
from presproxy.transport.where import Where

_log = Logger()

#: What a user agent may ask for, in the order Allow names it.
METHODS = ("PUBLISH", "SUBSCRIBE", "NOTIFY", "REGISTER", "OPTIONS")

#: Option tags of Require that are understood (RFC 3327).
EXTENSIONS = ("path",)

#: Seconds between two looks at the timers of transactions, which need no finer.
_TURN = 0.05

#: Seconds between two looks at what has expired.
_SWEEP = 1.0

#: Seconds after which a contact ACL that failed is asked again.
_ASK_AGAIN = 30.0

#: Seconds granted to who names none, and at the most.
_GRANTED, _GRANTED_AT_MOST = 3600, 86400

#: Subscriptions found at a start that are decided about before the reactor breathes.
_PAGE = 200


@attrs.define(eq=False)
class PresenceServer:
    """Everything there is, wired together."""

    plan: Plan
    reactor: Any
    metrics: Metrics
    core: Core
    connections: Connections
    journal: Journal
    decider: Decider
    agent: PresenceAgent
    compositor: Compositor
    locations: Locations
    house: House
    #: The places really listened on, once it is started.
    bound: list[Where] = attrs.field(factory=list)
    _loops: list[LoopingCall] = attrs.field(factory=list)
    _started: list[Callable[[], Awaitable[None]]] = attrs.field(factory=list)
    is_ready: bool = False
    #: Where HTTP is really listened on.
    http_bound: Where | None = None

    async def start(self) -> None:
        """
        Open everything: storage, what was kept, plugins, timers, listeners.

        When something cannot be started, all that was is stopped again.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop in the opposite order: nothing new is taken, what was taken is finished."""
        self.is_ready = False
        while self._started:
            await self._started.pop()()

    async def _start(self) -> None:
        plan = self.plan
        await self._start_plugin(plan.storage.plugin)
        await self._restore()
        for named in (*plan.acl, *plan.auth, *plan.notifiers):
            await self._start_plugin(named.plugin)
        self._start_loops()
        # What was kept is in memory now: a full collection need not look at it again.
        gc.collect()
        gc.freeze()
        await self._listen()
        run(self._decide_restored())
        self.is_ready = True

    async def _start_plugin(self, plugin: Any) -> None:
        await plugin.start(self.house)
        self._started.append(plugin.stop)

    async def _listen(self) -> None:
        configuration = self.plan.configuration
        http = HttpDoor(self.reactor, self._sight())
        self.http_bound = await http.listen(configuration.http)
        self._started.append(http.stop)
        self._started.append(self.connections.stop)
        for where in configuration.listen:
            self.bound += await self.connections.listen(where)

    def _sight(self) -> Sight:
        return Sight(
            version=__version__,
            domains=self.house.domains,
            plugins=[
                Used(kind, use.name, str(use))
                for kind, use in self.plan.configuration.uses()
            ],
            agent=self.agent,
            compositor=self.compositor,
            locations=self.locations,
            explain=self.decider.explain,
            lists=_lists(self.plan),
            metrics=self.metrics,
            now=self.house.now,
            listeners=lambda: [str(where) for where in self.bound],
            is_ready=lambda: self.is_ready,
        )

    async def _restore(self) -> None:
        restorer = Restorer(
            compositor=self.compositor,
            agent=self.agent,
            locations=self.locations,
            packages=self.plan.packages,
            keepers=route_keepers(self.plan),
            now=self.house.now(),
        )
        began = time.monotonic()
        for kind in restorer.kinds:
            async for page in self.plan.storage.plugin.scan(kind):
                for record in page:
                    restorer.take(record)
        restorer.finish()
        if restorer.restored or restorer.unreadable:
            _log.info(
                "{restored} records are back after {took:.1f} s, {unreadable} "
                "could not be read",
                restored=restorer.restored,
                unreadable=restorer.unreadable,
                took=time.monotonic() - began,
            )

    async def _decide_restored(self) -> None:
        """Rules may have changed while nobody was there: ask about everything found."""
        subscriptions = self.agent.subscriptions()
        for begin in range(0, len(subscriptions), _PAGE):
            await self.decider.decide_each(subscriptions[begin : begin + _PAGE])
            breath: Deferred[None] = Deferred()
            self.reactor.callLater(0, breath.callback, None)
            await breath

    def _start_loops(self) -> None:
        for interval, act in (
            (_TURN, self._turn),
            (_SWEEP, self._sweep),
            (_ASK_AGAIN, self.decider.ask_undecided),
        ):
            loop = LoopingCall(act)
            loop.clock = self.reactor
            loop.start(interval, now=False).addErrback(self._loop_failed)
            self._loops.append(loop)
        self._started.append(self._stop_loops)

    async def _stop_loops(self) -> None:
        for loop in self._loops:
            if loop.running:
                loop.stop()
        self._loops.clear()

    def _loop_failed(self, failure: Failure) -> None:
        _log.failure("A timer stopped, the server cannot go on", failure=failure)
        self.reactor.stop()

    def _turn(self) -> None:
        now = self.core.ticks()
        self.core.layer.tick(now)
        self.journal.tick(now)

    def _sweep(self) -> None:
        now = self.house.now()
        self.compositor.expire(now, self.core.ticks())
        self.agent.expire(now)
        self.locations.expire(now)


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
