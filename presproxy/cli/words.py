"""What commands take: addresses and servers, read and refused by click."""

from __future__ import annotations

import click

from presproxy.errors import MalformedField
from presproxy.sip.uri import AddressOfRecord, address_of_record, user_of
from presproxy.useragent import Server


def address(text: str) -> AddressOfRecord:
    """Read ``alice@example.test`` or ``sip:alice@example.test``."""
    try:
        aor = address_of_record(text)
    except MalformedField:
        raise click.BadParameter(
            f"{text!r} is no address such as alice@example.test"
        ) from None
    if user_of(aor) is None or not aor.startswith("sip:"):
        raise click.BadParameter(f"{text!r} names no user, as alice@example.test does")
    return aor


def where(text: str | Server) -> Server:
    """Read a server's host, and its port after a colon."""
    if isinstance(text, Server):
        return text
    try:
        return Server.parse(text)
    except MalformedField as error:
        raise click.BadParameter(error.why) from None


def short(aor: str) -> str:
    """Write an address as people do, without its scheme."""
    return aor.removeprefix("sip:")
