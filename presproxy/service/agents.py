"""The user agents that speak to servers behind, whatever for."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from presproxy.config import Configuration
from presproxy.config.behind import BehindOptions
from presproxy.sip.uri import address_of_record
from presproxy.trace import Tap
from presproxy.transport.certificates import Trust
from presproxy.useragent import Account, NoAnswer, Server, UserAgent

_log = Logger()


def build_agent(
    user: str,
    server: Server,
    options: BehindOptions,
    configuration: Configuration,
    reactor: Any,
    tap: Tap,
    trust: Trust,
    spread: float = 0.0,
) -> UserAgent:
    """Build one; it speaks for ``user``, or for this server if that is empty."""
    domain = options.domain or configuration.domains[0]
    return UserAgent(
        address_of_record(user or f"sip:presproxy@{domain}"),
        server,
        reactor,
        Account(options.username, options.password) if options.username else None,
        spread=spread,
        tap=tap,
        trust=trust,
    )


async def open_agent(agent: UserAgent) -> None:
    """Open the way to its server; one that is not there yet is asked again later."""
    try:
        await agent.start()
    except NoAnswer as error:
        _log.warn("The server behind is away: {error}", error=error)
