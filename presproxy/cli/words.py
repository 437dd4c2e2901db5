"""What commands take: addresses and servers, read and refused by click."""

from __future__ import annotations

from urllib.parse import urlsplit

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


def url(text: str) -> str:
    """Read where HTTP is spoken."""
    try:
        parts = urlsplit(text)
        is_one = (
            parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        )
    except ValueError:
        is_one = False
    if not is_one:
        raise click.BadParameter(f"{text!r} is no http:// or https:// URL")
    return text


def short(aor: str) -> str:
    """Write an address as people do, without its scheme."""
    return aor.removeprefix("sip:")
