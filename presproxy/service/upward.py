"""What is passed to servers behind, built, started and stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from random import SystemRandom
from typing import Any

import attrs

from presproxy.config import Configuration
from presproxy.config.behind import read_server, server_of
from presproxy.config.upward import PublishOptions
from presproxy.events.aim import Aim, Scope
from presproxy.events.resource import Resources
from presproxy.events.staging import Staged
from presproxy.events.upward import Upward
from presproxy.metrics import Metrics
from presproxy.model.record import Record
from presproxy.service.agents import build_agent, open_agent
from presproxy.service.background import run
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord, address_of_record
from presproxy.trace import Tap
from presproxy.transport.certificates import Trust
from presproxy.useragent import Server, UserAgent
from presproxy.useragent.alarms import Alarms


@attrs.frozen(eq=False)
class Passing:
    """All that is passed behind: a user agent and what it passes, for each table."""

    agents: Sequence[UserAgent]
    upwards: Sequence[Upward]

    def start(self) -> None:
        """Begin to pass on; nobody waits for a server behind that is not there yet."""
        for agent, upward in zip(self.agents, self.upwards, strict=True):
            run(open_agent(agent))
            upward.start()

    async def stop(self) -> None:
        """Stop; what the servers behind keep stays until it expires, or we are back."""
        for upward in self.upwards:
            upward.stop()
        for agent in self.agents:
            await agent.stop()

    def changed(self, presentity: AddressOfRecord, package: str) -> None:
        """What is published here is another now."""
        for upward in self.upwards:
            if upward.aim.takes_in(presentity, package):
                upward.changed(presentity, package)
                return

    def restore(self, record: Record) -> bool:
        """Take a record back, if it is of one of these servers; raises ValueError."""
        return any(upward.restore(record) for upward in self.upwards)

    def others(self, presentity: AddressOfRecord, package: str, document: Any) -> Any:
        """Give what a document from behind says besides what was passed; None if nothing."""
        for upward in self.upwards:
            if document is not None and upward.aim.takes_in(presentity, package):
                document = upward.others(presentity, package, document)
        return document

    def tell_freed(self, told: Callable[[AddressOfRecord, str], None]) -> None:
        """Have somebody told of what is not ours behind any more."""
        for upward in self.upwards:
            upward.freed = told


def build_passing(
    configuration: Configuration,
    reactor: Any,
    resources: Resources,
    commit: Callable[[Staged], Awaitable[None]],
    tokens: Tokens,
    metrics: Metrics,
    now: Callable[[], float],
    tap: Tap,
    trust: Trust,
) -> Passing | None:
    """Build what passes our users' state to servers behind, if any is configured."""
    failures = metrics.counter(
        "passing_failures", "Publications behind that were refused or not answered."
    )
    agents: list[UserAgent] = []
    upwards: list[Upward] = []
    for options in configuration.publish_upstream:
        server = _server(options, configuration)
        agent = build_agent(
            options.sender, server, options, configuration, reactor, tap, trust
        )
        upward = Upward(
            str(server),
            _mark(server, configuration),
            Aim(
                (Scope(frozenset(options.packages), frozenset(options.domains)),),
                options.domain,
                options.expires,
                most=options.most,
            ),
            agent,
            resources,
            address_of_record(options.sender) if options.sender else None,
            commit,
            run,
            Alarms(reactor),
            now,
            SystemRandom().random,
            tokens.tag,
            failures,
        )
        agent.core.cut_off = upward.doubt
        agents.append(agent)
        upwards.append(upward)
    metrics.gauge(
        "passed_publications",
        "Publications of our users at servers behind.",
        lambda: sum(map(len, upwards)),
    )
    return Passing(agents, upwards) if upwards else None


def _server(options: PublishOptions, configuration: Configuration) -> Server:
    if options.server:
        return read_server(options.server)
    assert configuration.upstream is not None, "it was read without mistakes"
    return server_of(configuration.upstream)


def _mark(server: Server, configuration: Configuration) -> str:
    """
    Give what our publications are known by: the same after each start.

    Of two servers that pass to each other each has its own.
    """
    names = " ".join(sorted(configuration.domains))
    return f"pp{sha256(f'{server} {names}'.encode()).hexdigest()[:10]}"


Changed = Callable[[AddressOfRecord, str, float], None]


def also_passing(passing: Passing | None, changed: Changed) -> Changed:
    """Give what is told of changes: what is passed behind besides, if anything is."""
    if passing is None:
        return changed

    def both(presentity: AddressOfRecord, package: str, changed_at: float) -> None:
        changed(presentity, package, changed_at)
        passing.changed(presentity, package)

    return both
