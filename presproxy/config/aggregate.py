"""What can be configured of a server behind, from which state is fetched."""

from __future__ import annotations

import attrs
from attrs.validators import and_, ge, le

from presproxy.config.behind import (
    BehindOptions,
    address_or_nothing,
    server_or_nothing,
)
from presproxy.extend.maker import option


@attrs.frozen(kw_only=True)
class AggregateOptions(BehindOptions):
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
    packages: tuple[str, ...] = option(
        "The event packages fetched.", default=("dialog", "message-summary")
    )
    domains: tuple[str, ...] = option(
        "The domains whose users they are fetched of; all of ours if none is named.",
        default=(),
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
