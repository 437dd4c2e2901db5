"""What passes requests on, from a configuration."""

from __future__ import annotations

import os
from collections.abc import Callable

from presproxy.config import Configuration
from presproxy.metrics import Metrics
from presproxy.proxying.keys import SIZE, Keyring
from presproxy.server.decide import Decider
from presproxy.server.front.front import Front
from presproxy.server.identify import Identifier
from presproxy.server.orders import Orders
from presproxy.server.proxy import Proxy
from presproxy.server.screen import Screen
from presproxy.server.targets import Targets
from presproxy.server.underway import UnderWay
from presproxy.sip.tokens import Tokens
from presproxy.transaction.layer import TransactionLayer


def build_proxy(
    configuration: Configuration,
    layer: TransactionLayer,
    identifier: Identifier,
    targets: Targets,
    tokens: Tokens,
    keys: Keyring,
    orders: Orders,
    front: Front | None,
    decider: Decider,
    metrics: Metrics,
    ticks: Callable[[], float],
) -> Proxy:
    """Build it, and have it given the ACKs to what it has passed back."""
    limits = configuration.limits
    proxy = Proxy(
        layer,
        identifier,
        targets,
        tokens,
        keys,
        os.urandom(SIZE),
        targets.domains.names,
        ticks,
        metrics,
        UnderWay(limits.relayed, limits.relayed_of_one),
        orders,
        front,
        Screen(decider) if configuration.proxy.screen else None,
    )
    layer.give_acks_to(proxy.acknowledge)
    return proxy
