"""What stands before a server behind us, from a configuration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

import attrs

from presproxy.config import Configuration
from presproxy.proxying.keys import Keyring
from presproxy.proxying.token import PathTokens
from presproxy.server.front.front import Front
from presproxy.server.front.probing import Asking, Prober
from presproxy.server.front.routes import Routes, usual_rules
from presproxy.server.front.upstream import Upstream
from presproxy.server.outbound import Outbound
from presproxy.server.register import RegisterStep
from presproxy.server.ways import Ways
from presproxy.service.background import run
from presproxy.sip.flow import Flow
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import SipURI
from presproxy.transport.hop import Hop

#: How the names begin of packages that presence is about.
_OURS = ("presence", "vnd-microsoft-")


@attrs.frozen(eq=False)
class Roads:
    """What the transports know: the hops to a URI, and the flow to one."""

    locate: Callable[[str], Awaitable[Sequence[Hop]]]
    flow_by: Callable[[Hop], Awaitable[Flow]]


def build_front(
    configuration: Configuration,
    packages: Collection[str],
    roads: Roads,
    ways: Ways,
    keys: Keyring,
    outbound: Outbound,
    registering: RegisterStep,
    ticks: Callable[[], float],
) -> Front | None:
    """
    Build it; None if there is no server behind us.

    ``packages`` are those served here; the registrar ``registering`` does its part with
    what a server has accepted.
    """
    usual = configuration.upstream
    uris = dict.fromkeys(each.to for each in configuration.route if each.to)
    if usual is not None:
        uris = {usual: None, **uris}
    elif not configuration.route:
        return None
    options = configuration.front
    upstreams = {
        uri: Upstream(
            uri,
            f"up{number}",
            roads.locate,
            roads.flow_by,
            ticks,
            options.rest,
            is_probed=options.probe > 0,
        )
        for number, uri in enumerate(uris)
    }
    domains = configuration.domains
    rules = list(configuration.route)
    if usual is not None:
        rules += usual_rules(domains, _kept(configuration, packages), options.registrar)
    return Front(
        options,
        Routes(rules),
        upstreams,
        usual or "",
        PathTokens(keys),
        ways.named,
        lambda uri, flow: is_here(uri, flow, domains),
        registering.keep,
        registering.follow,
        outbound,
    )


def _kept(configuration: Configuration, packages: Collection[str]) -> Sequence[str]:
    """
    Give the packages whose state is kept here, of those that are served.

    Presence is; what phones and mailboxes say is the server's, unless it is fetched from
    there or told by PBXs.
    """
    if configuration.pbx:
        return tuple(packages)
    aggregate = configuration.aggregate
    fetched = aggregate.packages if aggregate.server else ()
    return [each for each in packages if each.startswith(_OURS) or each in fetched]


def build_prober(
    front: Front, asking: Asking, tokens: Tokens, ticks: Callable[[], float]
) -> Prober:
    """Build what asks the servers whether they are there."""
    upstreams, options = list(front.upstreams.values()), front.options
    return Prober(
        upstreams, asking, tokens, ticks, options.patience, options.probe, run
    )


def is_here(uri: SipURI, flow: Flow, domains: Collection[str]) -> bool:
    """Whether a URI names this server: a domain of ours, or our end of a flow."""
    port = uri.port or (5061 if uri.transport == "tls" else 5060)
    return uri.host in domains or f"{uri.host}:{port}" == flow.sent_by
