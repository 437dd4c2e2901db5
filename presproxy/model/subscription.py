"""
Subscription states as the notifier sees them (RFC 6665 §4.1.2, §4.2.2).

Everything that changes the state of a subscription is in this module, in one table.  It
knows neither messages nor clocks: the presence agent tells it what happened, and it
answers what must now be told to the watcher.
"""

from __future__ import annotations

import enum

import attrs

from presproxy.model.decision import NEUTRAL, View
from presproxy.model.identity import Identity
from presproxy.sip.uri import AddressOfRecord


class State(enum.StrEnum):
    """
    As Subscription-State writes it (RFC 6665 §8.2.3).

    Words, as these are looked up in tables in half the time of other members.
    """

    PENDING = "pending"
    ACTIVE = "active"
    TERMINATED = "terminated"


class Reason(enum.Enum):
    """Why a subscription ended (RFC 6665 §4.1.3)."""

    DEACTIVATED = "deactivated"
    PROBATION = "probation"
    REJECTED = "rejected"
    TIMEOUT = "timeout"
    GIVEUP = "giveup"
    NORESOURCE = "noresource"
    INVARIANT = "invariant"


class Happening(enum.StrEnum):
    """What can happen to a subscription."""

    APPROVED = "approved"
    REFUSED = "refused"
    #: It must be asked for anew, nothing being said against it.
    DEACTIVATED = "deactivated"
    EXPIRED = "expired"
    UNSUBSCRIBED = "unsubscribed"
    UNREACHABLE = "unreachable"
    REFRESHED = "refreshed"
    CHANGED = "changed"


class Tell(enum.Enum):
    """What the watcher is to be told now."""

    NOTHING = "nothing"
    #: The state as the watcher's view has it; the neutral one while pending.
    STATE = "state"
    #: A last notification, which ends the subscription.
    LAST = "last"


_TABLE: dict[tuple[State, Happening], tuple[State, Tell]] = {
    (State.PENDING, Happening.APPROVED): (State.ACTIVE, Tell.STATE),
    (State.PENDING, Happening.REFUSED): (State.TERMINATED, Tell.LAST),
    (State.PENDING, Happening.DEACTIVATED): (State.TERMINATED, Tell.LAST),
    (State.PENDING, Happening.EXPIRED): (State.TERMINATED, Tell.LAST),
    (State.PENDING, Happening.UNSUBSCRIBED): (State.TERMINATED, Tell.LAST),
    (State.PENDING, Happening.UNREACHABLE): (State.TERMINATED, Tell.NOTHING),
    (State.PENDING, Happening.REFRESHED): (State.PENDING, Tell.STATE),
    # A pending watcher learns nothing, not even that something changed.
    (State.PENDING, Happening.CHANGED): (State.PENDING, Tell.NOTHING),
    (State.ACTIVE, Happening.APPROVED): (State.ACTIVE, Tell.STATE),
    (State.ACTIVE, Happening.REFUSED): (State.TERMINATED, Tell.LAST),
    (State.ACTIVE, Happening.DEACTIVATED): (State.TERMINATED, Tell.LAST),
    (State.ACTIVE, Happening.EXPIRED): (State.TERMINATED, Tell.LAST),
    (State.ACTIVE, Happening.UNSUBSCRIBED): (State.TERMINATED, Tell.LAST),
    (State.ACTIVE, Happening.UNREACHABLE): (State.TERMINATED, Tell.NOTHING),
    (State.ACTIVE, Happening.REFRESHED): (State.ACTIVE, Tell.STATE),
    (State.ACTIVE, Happening.CHANGED): (State.ACTIVE, Tell.STATE),
}


# To look these up in their enumerations takes ten times as long before Python 3.12.
_PENDING, _ACTIVE, _TERMINATED = State.PENDING, State.ACTIVE, State.TERMINATED
_NOTHING = Tell.NOTHING


@attrs.define(eq=False, weakref_slot=False)
class Subscription:
    """
    One watcher's subscription to one package of one presentity.

    ``key`` names its record and never changes.  ``expires_at`` is a moment on the wall
    clock.  ``notifier`` is the name of the notifier that serves it, and ``route`` means
    something only to that notifier.  ``version`` is that of its record, 0 while there is
    none.
    """

    key: str
    watcher: Identity
    presentity: AddressOfRecord
    package: str
    content_type: str
    expires_at: float
    notifier: str
    route: object
    state: State = State.PENDING
    view: View = NEUTRAL
    rule: str = ""
    #: Whether it was pending before it became active.
    was_approved: bool = False
    #: Why it ended, once it has.
    reason: Reason | None = None
    version: int = 0
    #: When it began, a moment on the wall clock.
    since: float = 0.0
    #: The second under which its expiry is kept; 0 while it is not.
    bucket: int = 0
    #: The body its notifier was handed last, None if there was none since the start.
    shown: object = None

    def happen(self, happening: Happening) -> Tell:
        """
        Move on by one happening, and say what is to be told.

        A pair with no row in the table changes nothing: a subscription ends once.
        """
        before = self.state
        self.state, tell = _TABLE.get((before, happening), (before, _NOTHING))
        if before is _PENDING and self.state is _ACTIVE:
            self.was_approved = True
        return tell

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.state is not _TERMINATED
