"""The states people choose, as Lync's categories, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from presproxy.documents.lync.categories import (
    Category,
    CategoryName,
    ExpireType,
)
from presproxy.documents.lync.containers import (
    AGGREGATION,
    COLLEAGUES,
    PERSONAL,
    WORKGROUP,
    WORKGROUP_AGGREGATION,
)
from presproxy.documents.lync.notes import read_note, write_note
from presproxy.documents.lync.state import (
    VALUES,
    Activity,
    Availability,
    StateInput,
    StateKind,
    range_of,
    read_state,
    write_state,
)
from presproxy.useragent.states import Presence

_STATE, _NOTE = "state", "note"
#: The instance of a user's choice, the same on all his endpoints ([MS-PRES] 2.2.2.1).
_CHOICE = 0x20000000

_STATES_IN = (AGGREGATION, WORKGROUP_AGGREGATION)
_NOTES_IN = (COLLEAGUES, WORKGROUP, PERSONAL)

_OFF_WORK = "off-work"
#: From a state to its number and its activity.
_WRITTEN = {
    "available": (Availability.AVAILABLE, ""),
    "busy": (Availability.BUSY, ""),
    "dnd": (Availability.DO_NOT_DISTURB, ""),
    "brb": (Availability.BE_RIGHT_BACK, ""),
    "away": (Availability.AWAY, ""),
    "offwork": (Availability.AWAY, _OFF_WORK),
    "offline": (Availability.OFFLINE, ""),
}
#: What people call each range.
_READ = {
    Availability.AVAILABLE: "available",
    Availability.IDLE: "available",
    Availability.BUSY: "busy",
    Availability.BUSY_IDLE: "busy",
    Availability.DO_NOT_DISTURB: "dnd",
    Availability.BE_RIGHT_BACK: "brb",
    Availability.AWAY: "away",
    Availability.OFFLINE: "offline",
}


@attrs.frozen
class Piece:
    """One publication of what somebody says, or its end if ``body`` is empty."""

    name: CategoryName
    expire_type: ExpireType
    body: bytes


def pieces_of(presence: Presence, machine: int) -> Sequence[Piece]:
    """
    Give what says ``presence``; ``machine`` is the instance of this endpoint's state.

    The user's choice and his note stay when he signs off, the machine's state does not.
    """
    availability, token = _WRITTEN[presence.state]
    choice = StateInput(
        StateKind.USER,
        VALUES[availability],
        Activity(token) if token else None,
        is_manual=True,
    )
    at_it = StateInput(StateKind.MACHINE, VALUES[Availability.AVAILABLE])
    note = write_note(presence.note) if presence.note else b""
    return (
        *_states(machine, ExpireType.ENDPOINT, write_state(at_it)),
        *_states(_CHOICE, ExpireType.STATIC, write_state(choice)),
        *_notes(note),
    )


def nothing_of(machine: int) -> Sequence[Piece]:
    """Give what takes back all that `pieces_of` says."""
    return (
        *_states(machine, ExpireType.ENDPOINT, b""),
        *_states(_CHOICE, ExpireType.STATIC, b""),
        *_notes(b""),
    )


def presence_of(categories: Iterable[Category]) -> Presence | None:
    """
    Read what a presentity's categories say; None if no state is among them.

    Raises `MalformedDocument`.
    """
    state: StateInput | None = None
    notes: list[tuple[float, str]] = []
    for each in categories:
        if each.name.category == _STATE:
            state = read_state(each.body)
        elif each.name.category == _NOTE:
            notes.append((each.published_at, " ".join(read_note(each.body).split())))
    if state is None:
        return None
    return Presence(_read(state), max(notes, default=(0.0, ""))[1] or None)


def _read(state: StateInput) -> str:
    at = range_of(state.availability)
    if at is Availability.AWAY and state.token == _OFF_WORK:
        return "offwork"
    return _READ[at]


def _states(instance: int, lasts: ExpireType, body: bytes) -> Iterable[Piece]:
    return [
        Piece(CategoryName(_STATE, instance, container), lasts, body)
        for container in _STATES_IN
    ]


def _notes(body: bytes) -> Iterable[Piece]:
    return [
        Piece(CategoryName(_NOTE, 0, container), ExpireType.STATIC, body)
        for container in _NOTES_IN
    ]
