"""
The states people choose, as PIDF with RPID activities (RFC 3863, RFC 4480).

RPID has no word for "do not disturb", "be right back" and "off work".  They are written
as the nearest activity it has, which any reader knows, and then an ``other`` with the
exact word.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

import attrs

from presproxy.documents.fragments import (
    DATA_MODEL,
    PIDF,
    RPID,
    escaped,
    escaped_attribute,
)
from presproxy.documents.xml import parse

#: From a state to its basic status and its activities, a word after a colon being
#: ``other``'s text.
_WRITTEN = {
    "available": ("open", ()),
    "busy": ("open", ("busy",)),
    "dnd": ("open", ("busy", "other:do-not-disturb")),
    "brb": ("open", ("away", "other:be-right-back")),
    "away": ("open", ("away",)),
    "offwork": ("open", ("away", "other:off-work")),
    "offline": ("closed", ()),
}

STATES = tuple(_WRITTEN)

#: From an activity to the state it means; the first row that is there decides.
_READ = (
    ("other:do-not-disturb", "dnd"),
    ("presentation", "dnd"),
    ("on-the-phone", "busy"),
    ("meeting", "busy"),
    ("appointment", "busy"),
    ("busy", "busy"),
    ("performance", "busy"),
    ("worship", "busy"),
    ("steering", "busy"),
    ("other:be-right-back", "brb"),
    ("other:off-work", "offwork"),
    ("away", "away"),
    ("meal", "away"),
    ("breakfast", "away"),
    ("lunch", "away"),
    ("dinner", "away"),
    ("sleeping", "away"),
    ("shopping", "away"),
    ("travel", "away"),
    ("in-transit", "away"),
    ("playing", "away"),
    ("tv", "away"),
    ("vacation", "away"),
    ("holiday", "away"),
    ("permanent-absence", "away"),
)


@attrs.frozen
class Presence:
    """One of `STATES`, and what the user adds in his own words."""

    state: str = attrs.field(validator=attrs.validators.in_(STATES))
    note: str | None = None

    def __str__(self) -> str:
        return f"{self.state} ({self.note})" if self.note else self.state


def content_of(entity: str, presence: Presence) -> bytes:
    """Write a presence document."""
    basic, activities = _WRITTEN[presence.state]
    person = "".join(_activity(each) for each in activities)
    if person:
        person = f"<rpid:activities>{person}</rpid:activities>"
    if presence.note:
        person += f"<dm:note>{escaped(presence.note)}</dm:note>"
    if person:
        person = f'<dm:person id="p1">{person}</dm:person>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<presence xmlns="{PIDF}" xmlns:dm="{DATA_MODEL}" xmlns:rpid="{RPID}"'
        f' entity="{escaped_attribute(entity)}">'
        f'<tuple id="t1"><status><basic>{basic}</basic></status></tuple>'
        f"{person}</presence>"
    ).encode()


def presence_in(data: bytes) -> Presence:
    """
    Read a presence document, ours or anybody's.

    Without an open tuple it is offline, whatever the person does.  Raises
    `MalformedDocument`.
    """
    root = parse(data)
    note = next(_notes(root), None)
    basics = {
        (basic.text or "").strip().lower()
        for basic in root.iterfind(f"{{{PIDF}}}tuple/{{{PIDF}}}status/{{{PIDF}}}basic")
    }
    if "open" not in basics:
        return Presence("offline", note)
    activities = set(_activities(root))
    for activity, state in _READ:
        if activity in activities:
            return Presence(state, note)
    return Presence("available", note)


def _activity(activity: str) -> str:
    name, _, text = activity.partition(":")
    return f"<rpid:{name}>{text}</rpid:{name}>" if text else f"<rpid:{name}/>"


def _activities(root: Element) -> Iterator[str]:
    """Give all activities, be they the person's or a tuple's (RFC 4480 §3.2)."""
    for activities in root.iter(f"{{{RPID}}}activities"):
        for activity in activities:
            namespace, _, name = activity.tag.rpartition("}")
            if namespace == "{" + RPID:
                text = (activity.text or "").strip()
                yield f"other:{text}" if name == "other" else name


def _notes(root: Element) -> Iterator[str]:
    """Give what stands in notes, the person's first."""
    for place in (
        f"{{{DATA_MODEL}}}person/{{{DATA_MODEL}}}note",
        f"{{{PIDF}}}note",
        f"{{{PIDF}}}tuple/{{{PIDF}}}note",
    ):
        for note in root.iterfind(place):
            text = " ".join((note.text or "").split())
            if text:
                yield text
