"""What can be configured of a server behind, from which state is fetched."""

from __future__ import annotations

import attrs
from attrs.validators import and_, ge, le

from presproxy.errors import MalformedField
from presproxy.extend.maker import HELP, option
from presproxy.sip.uri import SipURI, address_of_record, parse_uri
from presproxy.useragent.wire import TRANSPORTS, Server


def read_server(text: str) -> Server:
    """
    Read where a server is; without a transport it is spoken to by UDP.

    Raises `MalformedField`.
    """
    transport, _, rest = text.partition(":")
    if transport.lower() in TRANSPORTS:
        return Server.parse(rest, transport.lower())
    return Server.parse(text)


def server_of(uri: str) -> Server:
    """
    Give where the server of a URI is, as `Server` names it.

    A name without a port is looked up as that of a service (RFC 3263).  Raises `MalformedField`.
    """
    parsed = parse_uri(uri)
    if not isinstance(parsed, SipURI):
        raise MalformedField("server", f"no SIP URI: {uri!r}")
    transport = (parsed.transport or "").lower()
    if parsed.scheme == "sips":
        transport = "tls"
    host = parsed.host.strip("[]")
    return Server(
        host, parsed.port or 0, transport if transport in TRANSPORTS else "udp"
    )


def server_or_nothing(_: object, __: object, value: str) -> None:
    """Raise ValueError unless a text says where a server is, or is empty."""
    if value:
        try:
            read_server(value)
        except MalformedField as error:
            raise ValueError(error.why) from error


def address_or_nothing(_: object, __: object, value: str) -> None:
    """Raise ValueError unless a text is an address of record, or empty."""
    if value:
        try:
            address_of_record(value)
        except MalformedField as error:
            raise ValueError(error.why) from error


@attrs.frozen
class AggregateOptions:
    """What is fetched from a server behind, once for all who watch here."""

    server: str = option(
        "The server behind, as udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT; where none "
        "is named, it is upstream for what routes aggregate, and nothing else is fetched.",
        default="",
        validator=server_or_nothing,
    )
    user: str = option(
        "As whom it is asked; by default presproxy in the domain.",
        default="",
        validator=address_or_nothing,
    )
    username: str = option(
        "The name that goes with the password, where it asks for one.", default=""
    )
    password: str = attrs.field(
        default="", repr=False, metadata={HELP: "The password."}
    )
    packages: tuple[str, ...] = option(
        "The event packages fetched.", default=("dialog", "message-summary")
    )
    domains: tuple[str, ...] = option(
        "The domains whose users they are fetched of; all of ours if none is named.",
        default=(),
    )
    domain: str = option(
        "What their domain is called behind, where that is not the same.", default=""
    )
    expires: int = option(
        "Seconds asked for; what a server behind forgets by UDP is missed for so long.",
        default=300,
        validator=and_(ge(60), le(86_400)),
    )
    linger: float = option(
        "Seconds for which a subscription behind outlives the last who watches.",
        default=30.0,
        validator=and_(ge(0), le(86_400)),
    )
    stale: float = option(
        "Seconds for which what is known is shown while the server behind is away; "
        "0 for ever.",
        default=300.0,
        validator=and_(ge(0), le(31_536_000)),
    )
    wait: float = option(
        "Seconds for which the first who watches is told nothing yet, so that he is told "
        "at once what the server behind knows.",
        default=0.5,
        validator=and_(ge(0), le(10)),
    )
    most: int = option(
        "The most subscriptions behind.",
        default=10_000,
        validator=and_(ge(1), le(1_000_000)),
    )
