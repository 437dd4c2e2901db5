"""
The lamp in a body: which of the few states people know it shows.

A body is read only when it is looked at, and never further than one lamp needs.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from presproxy.documents import pidf
from presproxy.documents.lync import categories
from presproxy.documents.lync.mapping import read_said
from presproxy.documents.lync.notes import read_note
from presproxy.documents.lync.state import (
    VALUES,
    Availability,
    StateInput,
    StateKind,
    range_of,
    read_state,
)
from presproxy.errors import MalformedDocument
from presproxy.sip.multipart import read_multipart

#: The tokens of the lamps, as the console and its interface have them.
TOKENS = {
    Availability.AVAILABLE: "available",
    Availability.IDLE: "idle",
    Availability.BUSY: "busy",
    Availability.BUSY_IDLE: "busy",
    Availability.DO_NOT_DISTURB: "dnd",
    Availability.BE_RIGHT_BACK: "brb",
    Availability.AWAY: "away",
    Availability.OFFLINE: "offline",
}
_OFFWORK, _OFF_WORK = "offwork", "off-work"

#: All of them; the last is of whom nothing was ever heard.
LAMPS = (*dict.fromkeys(TOKENS.values()), _OFFWORK, "unknown")

#: The content type of presence documents.
PIDF = "application/pidf+xml"
_SHOWN, _PUBLISHED = categories.CONTENT_TYPE, categories.PUBLISH_TYPE
_MULTIPART = "multipart/"


@attrs.frozen
class Lamp:
    """
    A state as people know it.

    ``activity`` is a word of its own that goes with it, such as ``on-the-phone``, or
    empty; ``availability`` is Lync's number for it.
    """

    token: str
    activity: str = ""
    availability: int = 0
    note: str = ""


def lamp_of(content_type: str, body: bytes) -> Lamp | None:
    """Give the lamp a body shows; None if it shows none, or cannot be read."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == PIDF:
            return _of_document(body)
        if kind == _SHOWN:
            return _of_categories(categories.read_categories(body).categories)
        if kind == _PUBLISHED:
            return _of_categories(categories.read_publish(body).asked)
        if kind.startswith(_MULTIPART):
            return _of_parts(content_type, body)
    except MalformedDocument:
        return None
    return None


def kind_of_body(content_type: str) -> str | None:
    """Give a short word for a type of body; None for no body."""
    kind = content_type.partition(";")[0].strip().lower()
    if not kind:
        return None
    return _WORDS.get(kind, kind.rpartition("/")[2].removesuffix("+xml"))


_WORDS = {
    PIDF: "pidf",
    _SHOWN: "cat",
    _PUBLISHED: "cat",
    "application/msrtc-adrl-categorylist+xml": "batch",
    "application/rlmi+xml": "rlmi",
    "multipart/related": "rlmi",
    "application/watcherinfo+xml": "winfo",
    "application/dialog-info+xml": "dialog",
    "application/simple-message-summary": "mwi",
}


def _of_document(body: bytes) -> Lamp:
    said = read_said(pidf.read(body).pieces)
    row = said.row
    at = row.availability
    if said.is_idle and at is Availability.AVAILABLE:
        at = Availability.IDLE
    return _lamp(at, row.token, VALUES[at], said.note)


def _of_categories(
    given: Sequence[categories.Category] | Sequence[categories.Asked],
) -> Lamp | None:
    """Read the state that counts: an aggregated one, a user's choice, a machine's."""
    states = [read_state(each.body) for each in given if _is(each, "state")]
    if not states:
        return None
    notes = [read_note(each.body) for each in given if _is(each, "note")]
    state = max(states, key=_weight)
    at = range_of(state.availability)
    return _lamp(at, state.token, state.availability, next(iter(notes), ""))


def _is(each: categories.Category | categories.Asked, name: str) -> bool:
    return each.name.category == name and bool(each.body)


_WEIGHTS = {
    StateKind.MACHINE: 0,
    StateKind.AGGREGATE_MACHINE: 0,
    StateKind.AGGREGATE: 2,
}


def _weight(state: StateInput) -> int:
    return _WEIGHTS.get(state.kind, 1)


def _lamp(at: Availability, activity: str, number: int, note: str) -> Lamp:
    token = TOKENS[at]
    if at is Availability.AWAY and activity == _OFF_WORK:
        token = _OFFWORK
    return Lamp(token, activity, number, " ".join(note.split()))


def _of_parts(content_type: str, body: bytes) -> Lamp | None:
    """Give the lamp of the one that is told of; of many none is more than the others."""
    found = []
    for part in read_multipart(body, content_type):
        if not part.content_type.startswith(_MULTIPART):
            lamp = lamp_of(part.content_type, part.data)
            found += [lamp] if lamp is not None else []
    return found[0] if len(found) == 1 else None
