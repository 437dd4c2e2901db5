"""How a server behind us is treated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from presproxy.extend.maker import option
from presproxy.server.front.routes import Registrar, networks


def _between(least: float, most: float) -> Callable[[Any, Any, float], None]:
    def validate(_: object, __: object, value: float) -> None:
        if not least <= value <= most:
            raise ValueError(f"{value} is not from {least} to {most}")

    return validate


def _readable(_: object, __: object, values: Sequence[str]) -> None:
    networks(values)


@attrs.frozen
class FrontOptions:
    """How the server behind is treated."""

    registrar: Registrar = option(  # noqa: RUF009  # an enumeration is immutable
        "Where it is kept how users are reached: local, upstream, or both.",
        default=Registrar.UPSTREAM,
    )
    authenticate: bool = option(
        "Whether who sends to the server behind is asked here who he is; else the server "
        "asks.",
        default=False,
    )
    neighbours: tuple[str, ...] = option(
        "Further addresses, and networks as 192.0.2.0/24, whose requests count as those of "
        "the server behind.",
        default=(),
        validator=_readable,
    )
    probe: float = option(
        "Seconds between two OPTIONS that ask whether the server behind is there; 0 for "
        "none.",
        default=10.0,
        validator=_between(0, 3600),
    )
    patience: float = option(
        "Seconds without a word from one of its hosts before the next one is tried.",
        default=4.0,
        validator=_between(0.5, 30),
    )
    rest: float = option(
        "Seconds for which a host is left alone that did not answer, when it is not "
        "probed.",
        default=30.0,
        validator=_between(1, 3600),
    )
