"""
Categories: what a Lync user publishes, piece by piece ([MS-PRES] 2.2.2).

A publication is named by its category, its instance and the container it is in.  What
stands inside it is nobody's business here but that of its watchers: it is kept and handed
out as it came.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple

import attrs


class ExpireType(enum.StrEnum):
    """How long a publication lasts ([MS-PRES] 2.2.2.1)."""

    #: Until the publishing endpoint's registration ends.
    ENDPOINT = "endpoint"
    #: Until the last endpoint of the user is gone.
    USER = "user"
    #: For some seconds.
    TIME = "time"
    #: Until it is deleted.
    STATIC = "static"


class CategoryName(NamedTuple):
    """What names one publication of a user."""

    category: str
    instance: int
    container: int


@attrs.define(unsafe_hash=True)
class Category:
    """
    One publication as it is kept and shown.

    ``body`` is the element inside it, with all its namespaces, empty if there is none.
    ``published_at`` and ``expires_at`` are moments on the wall clock, the latter infinite
    but for `ExpireType.TIME`; ``endpoint`` names the publishing endpoint by its epid.
    """

    name: CategoryName
    version: int
    expire_type: ExpireType
    body: bytes
    published_at: float
    expires_at: float = float("inf")
    endpoint: str = ""


@attrs.frozen
class Asked:
    """
    One publication as somebody asks for it.

    ``version`` is what he believes to be current, 0 if he knows of none.  ``expires`` is
    in seconds; 0 deletes.
    """

    name: CategoryName
    version: int
    expire_type: ExpireType
    expires: int | None
    body: bytes

    @property
    def is_removal(self) -> bool:
        """Whether it asks for the end of a publication."""
        return self.expires == 0


@attrs.frozen
class Publish:
    """
    The body of a SERVICE that publishes: all of ``asked`` or nothing.

    ``uri`` is as it was written.
    """

    uri: str
    asked: Sequence[Asked]


@attrs.frozen
class Stale:
    """The ``index``-th publication of a request, from 1, was made on another version."""

    index: int
    version: int
    current: int
