"""What is measured beside the rows of costs: the form that all of it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

from bench.measure import Bench
from bench.servers.server import Server
from bench.size import Size


@attrs.frozen
class Promise:
    """What presproxy is to keep: ``found`` is at most ``at_most``."""

    #: The row, and what of it.
    row: str
    what: str
    found: float
    at_most: float

    @property
    def holds(self) -> bool:
        """Whether it is kept."""
        return self.found <= self.at_most


def _promises_nothing(found: Any) -> Iterable[Promise]:
    return ()


@attrs.frozen(eq=False)
class Check:
    """
    A table of its own in the report, filled server by server.

    ``measure`` gives an attrs value, or several in a list, for one server; ``rows`` writes
    what it found, a row of cells for each of ``columns``, the server's name not among them.
    ``promises`` says what of it presproxy is to keep.
    """

    #: What the command line calls it.
    name: str
    #: What stands above its table, and under it.
    title: str
    columns: Sequence[str]
    measure: Callable[[Server, Bench, Size], Any]
    rows: Callable[[Any], Iterable[Sequence[str]]]
    #: The names of those it is done with.
    servers: Sequence[str]
    note: str = ""
    promises: Callable[[Any], Iterable[Promise]] = _promises_nothing
    #: Whether it is done when only the everyday is asked for.
    is_quick: bool = False
