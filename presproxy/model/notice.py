"""What a notifier is handed: one body, and everybody it is for."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from presproxy.model.subscription import Subscription


@attrs.frozen(eq=False)
class Body:
    """A rendered body, the same for everybody."""

    content_type: str
    data: bytes

    def numbered(self, version: int) -> bytes:
        """Give the bytes; they do not depend on the version."""
        return self.data


@attrs.frozen(eq=False)
class NumberedBody:
    """A rendered body with a gap for a version counted per subscription (RFC 3858 §3)."""

    content_type: str
    before: bytes
    after: bytes

    def numbered(self, version: int) -> bytes:
        """Give the bytes with ``version`` in the gap."""
        return b"%b%d%b" % (self.before, version, self.after)


@attrs.frozen(eq=False)
class Notice:
    """
    One state of one presentity as one view shows it, for all of ``subscriptions``.

    Each subscription's own ``state``, ``reason`` and ``expires_at`` say what its
    Subscription-State is.  ``changed_at`` is when the change was asked for, on the clock
    of latencies; 0 when nothing changed.
    """

    subscriptions: Sequence[Subscription]
    body: Body | NumberedBody
    changed_at: float = 0.0
