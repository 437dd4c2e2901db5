"""What carries messages, from a configuration: connections, and the inbox before them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from presproxy.config import Configuration
from presproxy.config.values import Limits
from presproxy.events.fanout import FanOut
from presproxy.metrics import Metrics
from presproxy.server.admission import Admission, Deadlines
from presproxy.server.core import Core
from presproxy.server.inbox import Bounds, Inbox
from presproxy.server.journal import Journal
from presproxy.sip.flow import Address, Flow
from presproxy.trace import Tap
from presproxy.transaction.client import ClientTransaction
from presproxy.transport.certificates import Certificate, Trust
from presproxy.transport.connections import Connections
from presproxy.transport.hop import Hop
from presproxy.transport.locate import Locator
from presproxy.transport.stream import StreamLimits


def build_trust(configuration: Configuration) -> Trust:
    """
    Build what we trust, and prove who we are with, where we call a server.

    All is read now, so that what cannot be used is told at a start, and a later renewal
    that fails leaves something in use.  Raises `UnusableCertificate`.
    """
    trust = Trust(configuration.transport.authorities, _shown(configuration))
    if trust.authorities or trust.shown is not None:
        # Those that this host believes are nobody's files to break.
        trust.renew()
    return trust


def _shown(configuration: Configuration) -> Certificate | None:
    """Give what we prove with who we are to servers that ask."""
    for place in configuration.listen:
        for chain, key in place.certificates:
            return Certificate.read(chain, key)
    return None


def build_inbox(
    core: Core,
    journal: Journal,
    fanout: FanOut,
    limits: Limits,
    soon: Callable[[Callable[[], None]], object],
    metrics: Metrics,
    ticks: Callable[[], float],
) -> Inbox:
    """Build what takes messages in, as many as can be served."""
    return Inbox(
        core.receive,
        Admission(
            core.layer.refuse,
            journal.waited,
            Deadlines(limits.late, limits.late_keeping, limits.late_storage),
            metrics,
        ),
        ticks,
        soon,
        lambda: fanout.is_under_way,
        metrics,
        Bounds(limits.inbox, limits.inbox_octets),
    )


def build_connections(
    configuration: Configuration,
    reactor: Any,
    inbox: Inbox,
    trust: Trust,
    tap: Tap,
    metrics: Metrics,
    ticks: Callable[[], float],
    locator: Locator | None = None,
) -> Connections:
    """Build all transports, none of them open."""
    limits = configuration.limits
    return Connections(
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
        locator=locator,
        advertised=configuration.advertise,
        trust=trust,
        stun=configuration.transport.stun,
        now=ticks,
    )


@attrs.frozen(eq=False)
class NotifyingWire:
    """What a notifier sends with; ``send`` is `TransactionLayer.send` itself."""

    send: Callable[..., ClientTransaction]
    connections: Connections

    async def flow_to(self, uri: str, peer: Address | None) -> Flow:
        """See `Wire`."""
        if peer is not None:
            return await self.connections.flow_by(Hop("udp", *peer))
        return await self.connections.flow_to(uri)
