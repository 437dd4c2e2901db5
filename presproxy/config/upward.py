"""What can be configured of a server behind to which our users' state is passed."""

from __future__ import annotations

import attrs
from attrs.validators import and_, ge, le, min_len

from presproxy.config.behind import (
    BehindOptions,
    address_or_nothing,
    server_or_nothing,
)
from presproxy.extend.maker import option


@attrs.frozen(kw_only=True)
class PublishOptions(BehindOptions):
    """Whose state is passed to a server behind, and how; the first table that fits counts."""

    server: str = option(
        "The server behind, as udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT; upstream if "
        "none is named.",
        default="",
        validator=server_or_nothing,
    )
    sender: str = option(
        "Who stands in From; by default the presentity.",
        default="",
        validator=address_or_nothing,
    )
    packages: tuple[str, ...] = option(
        "The event packages passed.", default=("presence",), validator=min_len(1)
    )
    domains: tuple[str, ...] = option(
        "The domains whose users' state is passed; all of ours if none is named.",
        default=(),
        converter=lambda values: tuple(each.lower() for each in values),
    )
    most: int = option(
        "The most users whose state is passed.",
        default=10_000,
        validator=and_(ge(1), le(1_000_000)),
    )
