"""Who a user agent is and where its server is, by options all its commands share."""

from __future__ import annotations

import functools
import getpass
from collections.abc import Callable
from typing import Any, TextIO

import attrs
import click

from presproxy.cli.words import address, where
from presproxy.errors import MalformedField
from presproxy.sip.uri import (
    AddressOfRecord,
    address_of_record,
    domain_of,
    user_of,
)
from presproxy.useragent import Account, Server, UserAgent
from presproxy.useragent.wire import TRANSPORTS

#: Seconds an answer is waited for; less than the 32 of RFC 3261, as a person waits.
LIMIT = 8.0


@attrs.frozen
class Speaker:
    """The options: which server, by which transport, as whom."""

    server: Server
    user: AddressOfRecord | None
    password: str | None

    def agent(
        self, reactor: Any, aor: AddressOfRecord, by_stream: bool = False
    ) -> UserAgent:
        """
        Make the user agent of ``aor``, which logs in as the user named, or as itself.

        ``by_stream``: by TCP where UDP was meant.
        """
        account = None
        if self.password is not None:
            account = Account(user_of(self.user or aor) or "", self.password)
        server = self.server
        if by_stream and server.transport == "udp":
            server = attrs.evolve(server, transport="tcp")
        return UserAgent(aor, server, reactor, account, limit=LIMIT)

    def watcher_of(self, presentity: AddressOfRecord) -> AddressOfRecord:
        """Say who watches: the user named, else who sits here, at the same domain."""
        if self.user is not None:
            return self.user
        try:
            return address_of_record(f"{getpass.getuser()}@{domain_of(presentity)}")
        except (MalformedField, OSError, KeyError):
            return AddressOfRecord("sip:anonymous@anonymous.invalid")


def speaks_sip(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options, as its first argument a `Speaker`."""

    @functools.wraps(command)
    def speaking(
        server: Server,
        transport: str,
        authorities: str | None,
        user: AddressOfRecord | None,
        password_file: TextIO | None,
        **others: Any,
    ) -> None:
        password = None
        if password_file is not None:
            password = password_file.readline().rstrip("\r\n")
        server = attrs.evolve(
            server, transport=transport, authorities=authorities or ""
        )
        command(Speaker(server, user, password), **others)

    options = (
        click.option(
            "--server",
            type=where,
            metavar="HOST:PORT",
            default="127.0.0.1",
            show_default=True,
            envvar="PRESPROXY_SERVER",
            help="The server to ask; at 5060, or 5061 by TLS, if no port is named.",
        ),
        click.option(
            "--transport",
            type=click.Choice(TRANSPORTS),
            default="udp",
            show_default=True,
            help="How to speak to it.",
        ),
        click.option(
            "--authorities",
            type=click.Path(exists=True, dir_okay=False),
            metavar="FILE",
            help="Whose certificates to believe by TLS, in PEM; this host's if not given.",
        ),
        click.option(
            "--user",
            type=address,
            metavar="AOR",
            envvar="PRESPROXY_USER",
            help="Who you are.",
        ),
        click.option(
            "--password-file",
            type=click.File("r"),
            metavar="FILE",
            help="Where your password is, in the first line; - is stdin.",
        ),
    )
    wrapped = speaking
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped
