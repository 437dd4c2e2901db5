"""What a notifier is handed: one body, and everybody it is for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import attrs

from presproxy.model.subscription import Subscription


# Not frozen, as one is made for every change: that takes three times as long.
@attrs.define(unsafe_hash=True)
class Body:
    """
    A rendered body, the same for everybody.

    Two with the same bytes are equal, and nobody is told the same twice.
    """

    content_type: str
    data: bytes

    def numbered(self, version: int) -> bytes:
        """Give the bytes; they do not depend on the version."""
        return self.data


@attrs.frozen
class NumberedBody:
    """A rendered body with a gap for a version counted per subscription (RFC 3858 §3)."""

    content_type: str
    before: bytes
    after: bytes

    def numbered(self, version: int) -> bytes:
        """Give the bytes with ``version`` in the gap."""
        return b"%b%d%b" % (self.before, version, self.after)


@attrs.define(unsafe_hash=True)
class DeltaBody(Body):
    """
    A rendered body, and what of it is new for whoever was told ``base`` last.

    It is equal to another by what it says as a whole.  ``delta`` is of the same content
    type.
    """

    base: DeltaBody | None = attrs.field(default=None, eq=False, repr=False)
    delta: bytes = attrs.field(default=b"", eq=False, repr=False)


class LateBody(ABC):
    """
    A body for one watcher alone, which is written when it goes.

    ``content_type`` and ``fields``, whole header lines, are those of what was written
    last.
    """

    content_type: str = ""
    fields: bytes = b""

    @abstractmethod
    def numbered(self, version: int) -> bytes:
        """Write all that the watcher was not told yet; it may be empty."""


#: What a notifier can send.
AnyBody = Body | NumberedBody | LateBody

#: No body at all, for when there is nothing to show but the subscription's state.
EMPTY = Body("", b"")


@attrs.define(eq=False)
class Notice:
    """
    One state of one presentity as one view shows it, for all of ``subscriptions``.

    Each subscription's own ``state``, ``reason`` and ``expires_at`` say what its
    Subscription-State is.  ``changed_at`` is when the change was asked for, on the clock
    of latencies; 0 when nothing changed and they are told all the same.
    """

    subscriptions: Sequence[Subscription]
    body: AnyBody
    changed_at: float = 0.0
