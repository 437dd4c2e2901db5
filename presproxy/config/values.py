"""What can be configured, and its defaults."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import attrs

from presproxy.config.aggregate import AggregateOptions
from presproxy.config.upward import PublishOptions
from presproxy.extend.maker import Kind, option
from presproxy.extend.uses import Use
from presproxy.server.front.options import FrontOptions
from presproxy.server.front.routes import Rule
from presproxy.transport.where import DEFAULT as LISTENERS
from presproxy.transport.where import Where

HTTP = Where("tcp", 8080, "127.0.0.1")

#: Where the uses were written that nobody wrote.
_DEFAULT = "by default"

#: The notifier that is always there.
SIP = Use("sip", where=_DEFAULT)


@attrs.frozen
class CommandLine:
    """
    What was given on the command line, as text; nothing where it was not.

    ``config`` is the path of presproxy.toml.  Whatever is given here wins over it.
    """

    config: str | None = None
    listen: Sequence[str] = ()
    domain: Sequence[str] = ()
    auth: Sequence[str] = ()
    acl: Sequence[str] = ()
    storage: str | None = None
    notifier: Sequence[str] = ()
    aggregator: str | None = None
    http: str | None = None
    min_expires: str | None = None
    upstream: str | None = None


@attrs.frozen
class Machine:
    """What the defaults depend on."""

    host_name: str = attrs.field(factory=socket.gethostname)


def _between(least: float, most: float) -> Callable[[Any, Any, Any], None]:
    def validate(_: object, field: attrs.Attribute[Any], value: float) -> None:
        if not least <= value <= most:
            raise ValueError(f"{value} is not from {least} to {most}")

    return validate


_many = _between(1, 100_000_000)
_few = _between(1, 100_000)


@attrs.frozen
class Limits:
    """How much is taken.  What goes beyond is refused, and the rest goes on."""

    #: No more than a stream takes (`presproxy.sip.framing`).
    body: int = option(
        "The most octets of a request's body; a longer one is answered 413.",
        default=65536,
        validator=_between(1024, 262_144),
    )
    publications_of_one: int = option(
        "The most publications that one user has at the same time.",
        default=20,
        validator=_few,
    )
    publications: int = option(
        "The most publications in all.", default=1_000_000, validator=_many
    )
    subscriptions_of_one: int = option(
        "The most subscriptions that one watcher has at the same time; a phone with a "
        "hundred lamps on each of his desks needs some hundreds.",
        default=1_000,
        validator=_few,
    )
    watchers_of_one: int = option(
        "The most watchers of one user's presence that Lync clients may add to; beyond it "
        "they are shown him once, and may ask again.",
        default=10_000,
        validator=_many,
    )
    batch: int = option(
        "The most contacts in one batched subscription of a Lync client; one of more is "
        "answered 413.",
        default=1_000,
        validator=_few,
    )
    subscriptions: int = option(
        "The most subscriptions in all, at some 2 kB of memory each.",
        default=1_000_000,
        validator=_many,
    )
    contacts_of_one: int = option(
        "The most contacts that one user registers at the same time.",
        default=20,
        validator=_few,
    )
    registrations: int = option(
        "The most users registered.", default=1_000_000, validator=_many
    )
    categories_of_one: int = option(
        "The most publications that the endpoints of one Lync user have at the same "
        "time; each has some ten.",
        default=500,
        validator=_few,
    )
    categories_octets: int = option(
        "The most octets in them.",
        default=262_144,
        validator=_between(1024, 16_777_216),
    )
    categories: int = option(
        "The most publications of Lync users in all.",
        default=1_000_000,
        validator=_many,
    )
    relayed: int = option(
        "The most requests on their way to others at once, at some 16 kB of memory each; "
        "a call is until it is answered.",
        default=10_000,
        validator=_many,
    )
    relayed_of_one: int = option(
        "The most of one sender, or of one address where nobody says who he is; what the "
        "server behind sends is not counted.",
        default=500,
        validator=_many,
    )
    connections: int = option(
        "The most connections open at once; more are closed as they come.",
        default=10_000,
        validator=_many,
    )
    connections_of_one: int = option(
        "The most connections from one address (from one /64 of IPv6).",
        default=1_000,
        validator=_few,
    )
    idle: float = option(
        "Seconds without a word from the peer after which a connection is closed.",
        default=600.0,
        validator=_between(10, 86_400),
    )
    plugin_wait: float = option(
        "Seconds that a plugin may take to answer, before it counts as failed.",
        default=5.0,
        validator=_between(0.1, 30),
    )
    late: float = option(
        "Seconds that a request may wait to be read which begins or changes something, "
        "or only asks; then it is answered 503.",
        default=0.2,
        validator=_between(0.01, 30),
    )
    late_keeping: float = option(
        "The same for a refresh or a removal.",
        default=0.35,
        validator=_between(0.01, 30),
    )
    late_storage: float = option(
        "Seconds that a write may take before nothing new is begun that needs one.",
        default=1.0,
        validator=_between(0.01, 30),
    )
    inbox: int = option(
        "The most messages that wait to be read; datagrams beyond it are lost, and "
        "connections are not read until there is room.",
        default=20_000,
        validator=_many,
    )
    inbox_octets: int = option(
        "The most octets in them.",
        default=33_554_432,
        validator=_between(1_048_576, 1_073_741_824),
    )


@attrs.frozen
class LyncOptions:
    """How Lync clients are served."""

    grace: float = option(
        "Seconds after a start for which what Lync clients published before is kept, "
        "for them to sign in again.",
        default=120.0,
        validator=_between(0, 86_400),
    )


@attrs.frozen
class TransportOptions:
    """How messages are sent and answered."""

    authorities: str = option(
        "Whose certificates to believe of servers that are called by TLS, a file in PEM; "
        "those this host believes if it is empty.",
        default="",
    )
    to_source: bool = option(
        "Send every response to the port that its request came from, as if all user "
        "agents had asked for that by rport (RFC 3581): for phones behind translators of "
        "addresses that do not ask.",
        default=False,
    )
    stun: bool = option(
        "Tell user agents that ask by STUN where they speak SIP by UDP which address they "
        "come from, as a keep-alive (RFC 5626 §3.5.2).",
        default=False,
    )
    flow_timer: int = option(
        "Seconds within which user agents that keep flows (RFC 5626) are told to say "
        "something by a connection; one that is silent for half a minute longer is "
        "ended.  0 tells them nothing.",
        default=120,
        validator=_between(0, 3600),
    )


@attrs.frozen
class ProxyOptions:
    """How calls and texts are passed on."""

    screen: bool = option(
        "Refuse the calls and texts of whom a user has blocked, with 403; of whom he has "
        "blocked politely with 480, as if he were not there.",
        default=True,
    )


#: The event packages served where nobody says otherwise: RFC 3856's and what is told of
#: its watchers, those of lamps, and those of Lync's users.
PACKAGES = (
    "presence",
    "presence.winfo",
    "dialog",
    "message-summary",
    "reg",
    "vnd-microsoft-roaming-self",
    "vnd-microsoft-roaming-contacts",
    "vnd-microsoft-roaming-acl",
    "presence.wpending",
    "vnd-microsoft-provisioning-v2",
    "vnd-microsoft-provisioning",
)


@attrs.frozen
class Configuration:
    """
    All that was configured, checked.  The uses of plugins are checked when they are built.

    ``domains`` are in lower case, an IPv6 address among them in brackets.  ``advertise``
    is the host, or host and port, by which peers reach us when it is not the one that we
    see ourselves.  ``pbx`` are the networks of PBXs, which are believed what they say of
    our users.  ``upstream`` is the URI of the server behind us, and ``route`` what
    is said of requests before the usual rules.
    """

    listen: tuple[Where, ...] = LISTENERS
    domains: tuple[str, ...] = ("localhost",)
    auth: tuple[Use, ...] = ()
    acl: tuple[Use, ...] = (
        Use("containers", where=_DEFAULT),
        Use("contacts", where=_DEFAULT),
    )
    storage: Use = attrs.field(
        default=Use("sqlite", {"path": "presproxy.db"}, where=_DEFAULT)
    )
    notifier: tuple[Use, ...] = (SIP,)
    pbx: tuple[IPv4Network | IPv6Network, ...] = ()
    package: tuple[Use, ...] = tuple(Use(name, where=_DEFAULT) for name in PACKAGES)
    aggregator: Use = attrs.field(default=Use("standard", where=_DEFAULT))
    http: Where = HTTP
    min_expires: int = 60
    advertise: str | None = None
    limits: Limits = Limits()
    lync: LyncOptions = LyncOptions()
    proxy: ProxyOptions = ProxyOptions()
    upstream: str | None = None
    front: FrontOptions = attrs.field(default=FrontOptions())
    route: tuple[Rule, ...] = ()
    transport: TransportOptions = TransportOptions()
    aggregate: AggregateOptions = attrs.field(factory=AggregateOptions)
    publish_upstream: tuple[PublishOptions, ...] = ()

    def uses(self) -> Iterator[tuple[Kind, Use]]:
        """Give all plugins used, with their kinds."""
        several: Mapping[Kind, Sequence[Use]] = {
            "auth": self.auth,
            "acl": self.acl,
            "storage": (self.storage,),
            "notifier": self.notifier,
            "package": self.package,
            "aggregator": (self.aggregator,),
        }
        for kind, uses in several.items():
            for use in uses:
                yield kind, use
