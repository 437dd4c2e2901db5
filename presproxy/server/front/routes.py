"""
What becomes of a request: answered here, passed to a server behind us, or refused.

Rules are looked at in their order, and the first that fits decides.  Those which the
operator wrote come before those that are there by themselves (`usual_rules`).
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import attrs

from presproxy.errors import MalformedField
from presproxy.extend.maker import option
from presproxy.sip.grammar import is_token
from presproxy.sip.message import Request
from presproxy.sip.uri import SipURI, parse_uri

#: Stands for the servers behind us in the ``source`` of a rule.
UPSTREAM = "upstream"

Network = IPv4Network | IPv6Network


class Action(enum.Enum):
    """What is done with a request."""

    SERVE = "serve"
    FORWARD = "forward"
    REFUSE = "refuse"
    #: Served here, from what a server behind says of it.
    AGGREGATE = "aggregate"


class Registrar(enum.Enum):
    """Where it is kept how users are reached."""

    LOCAL = "local"
    UPSTREAM = "upstream"
    BOTH = "both"


def networks(source: Sequence[str]) -> tuple[Network, ...]:
    """Read addresses and networks; raises ValueError for what is neither."""
    return tuple(ip_network(text) for text in source)


def is_in(host: str, named: Sequence[Network]) -> bool:
    """Whether an address, which may have a zone, is in one of some networks."""
    if not named:
        return False
    address = ip_address(host.partition("%")[0])
    return any(address in each for each in named)


def _readable(_: object, __: object, source: Sequence[str]) -> None:
    networks([each for each in source if each != UPSTREAM])


def _tokens(_: object, __: object, values: Sequence[str]) -> None:
    for value in values:
        if not is_token(value):
            raise ValueError(f"{value!r} is no name of one")


def _refusing(_: object, __: object, status: int) -> None:
    if not 400 <= status <= 699:
        raise ValueError(f"{status} is not from 400 to 699")


def uri_of_server(_: object, __: object, text: str) -> None:
    """Raise ValueError unless a text is the URI of a server, or empty."""
    if not text:
        return
    try:
        uri = parse_uri(text)
    except MalformedField as error:
        raise ValueError(f"{text!r}: {error.why}") from error
    if not isinstance(uri, SipURI) or uri.user is not None or uri.headers:
        raise ValueError(f"{text!r} is no URI of a server, as sip:192.0.2.1:5070 is")


@attrs.frozen
class Rule:
    """
    One rule.  It fits a request that fits all it names; what it does not name fits any.

    A rule that aggregates is for event state only, and fits nothing without a package.
    """

    action: Action = option(  # noqa: RUF009  # an enumeration is immutable
        "What is done: serve it here, forward it, refuse it, or aggregate: serve it here "
        "from what a server behind says."
    )
    domain: tuple[str, ...] = option(
        "The host of the Request-URI.",
        default=(),
        converter=lambda values: tuple(each.lower() for each in values),
    )
    method: tuple[str, ...] = option("The method.", default=(), validator=_tokens)
    package: tuple[str, ...] = option(
        "The event package, as in Event.", default=(), validator=_tokens
    )
    source: tuple[str, ...] = option(
        "Where it comes from: addresses, networks as 192.0.2.0/24, or upstream for the "
        "servers behind.",
        default=(),
        validator=_readable,
    )
    to: str = option(
        "The URI of the server it is forwarded to [default: upstream].",
        default="",
        validator=uri_of_server,
    )
    status: int = option(
        "The status it is refused with.", default=403, validator=_refusing
    )

    _networks: tuple[Network, ...] = attrs.field(init=False, repr=False, eq=False)

    @_networks.default
    def _read_networks(self) -> tuple[Network, ...]:
        return networks([each for each in self.source if each != UPSTREAM])

    def fits(self, asked: Asked) -> bool:
        """Whether this rule is for a request."""
        return (
            (not self.domain or asked.domain in self.domain)
            and (not self.method or asked.method in self.method)
            and (not self.package or asked.package in self.package)
            and (self.action is not Action.AGGREGATE or asked.package != "")
            and (not self.source or self._is_source(asked))
        )

    def _is_source(self, asked: Asked) -> bool:
        if asked.is_from_upstream and UPSTREAM in self.source:
            return True
        return is_in(asked.source, self._networks)


@attrs.frozen
class Asked:
    """What of a request decides; ``domain`` and ``package`` are empty if it has none."""

    method: str
    domain: str
    package: str
    source: str
    is_from_upstream: bool

    @classmethod
    def of(cls, request: Request, source: str, is_from_upstream: bool) -> Asked:
        """Read a request; raises `MalformedField` for an Event that cannot be read."""
        uri = request.request_uri
        domain = uri.host if isinstance(uri, SipURI) else ""
        event = request.event
        package = "" if event is None else event.package
        return cls(request.method, domain, package, source, is_from_upstream)


def usual_rules(
    domains: Collection[str], packages: Collection[str], registrar: Registrar
) -> tuple[Rule, ...]:
    """
    Give the rules that are there by themselves.

    What the server behind sends is for users here.  The event state of ``packages`` is
    kept here, for users of ``domains``.  All the rest is the server's.
    """
    ours = tuple(domains)
    kept = Action.SERVE if registrar is Registrar.LOCAL else Action.FORWARD
    event_state = ("PUBLISH", "SUBSCRIBE")
    return (
        Rule(Action.SERVE, source=(UPSTREAM,)),
        Rule(Action.SERVE, ours, event_state, tuple(packages)),
        Rule(Action.SERVE, ours, ("SERVICE",)),
        Rule(kept, ours, ("REGISTER",)),
        Rule(Action.FORWARD),
    )


@attrs.frozen(eq=False)
class Routes:
    """All rules, in the order in which they are looked at."""

    rules: Sequence[Rule]

    def decide(self, asked: Asked) -> Rule:
        """Give the rule for a request; what no rule is for is served."""
        return next((each for each in self.rules if each.fits(asked)), _SERVED)


_SERVED = Rule(Action.SERVE)
