"""The options that every event package has."""

from __future__ import annotations

import attrs
from attrs.validators import ge

from presproxy.extend.maker import option
from presproxy.interfaces import Bounds


def _is_in_order(package: Intervals, field: attrs.Attribute[int], value: int) -> None:
    if not package.shortest <= package.default <= value:
        raise ValueError("the intervals are not in order: shortest, default, longest")


@attrs.frozen
class Intervals:
    """What an event package grants for a time (RFC 6665 §5.4.4)."""

    shortest: int = option(
        "The shortest interval granted, in seconds, where it is to be longer than "
        "min_expires.",
        default=0,
        validator=ge(0),
    )
    default: int = option(
        "The interval granted to whoever names none, in seconds.", default=3600
    )
    longest: int = option(
        "The longest interval granted, in seconds.",
        default=86400,
        validator=_is_in_order,
    )
    pause: float = option(
        "The least seconds between two changes of one presentity that are told.",
        default=0.0,
        validator=ge(0.0),
    )
    bounds: Bounds = attrs.field(init=False, eq=False, repr=False)

    @bounds.default
    def _bounds(self) -> Bounds:
        return Bounds(self.shortest, self.default, self.longest)
