"""What can be configured of a server behind, whatever it is asked for."""

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


@attrs.frozen(kw_only=True)
class BehindOptions:
    """How a server behind is spoken to, and of whom."""

    username: str = option(
        "The name that goes with the password, where it asks for one.", default=""
    )
    password: str = attrs.field(
        default="", repr=False, metadata={HELP: "The password."}
    )
    domain: str = option(
        "What their domain is called behind, where that is not the same.", default=""
    )
    expires: int = option(
        "Seconds asked for; what a server behind forgets by UDP is missed for so long.",
        default=300,
        validator=and_(ge(60), le(86_400)),
    )
