"""
The data model of presence: persons and devices (RFC 4479).

A tuple of PIDF is the model's service.  What stands within is kept as fragments, so that
documents are joined without another look at their XML.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import attrs

from presproxy.documents.fragments import DATA_MODEL, Fragments, escaped_attribute
from presproxy.documents.rpid import ACTIVITIES, Activities, read_activities

PERSON = f"{{{DATA_MODEL}}}person"
DEVICE = f"{{{DATA_MODEL}}}device"
_NOTE = f"{{{DATA_MODEL}}}note"
_TIMESTAMP = f"{{{DATA_MODEL}}}timestamp"


@attrs.frozen
class Characteristic:
    """One element within a person, such as RPID's mood; ``tag`` is its kind."""

    tag: str
    fragment: bytes


@attrs.frozen
class Person:
    """
    What is said of the person (RFC 4479 §3.1).

    All is as it is written.  ``id`` may be empty, as in Asterisk's documents.
    ``content`` is all within, ``end`` the notes and the timestamp at its end.
    """

    id: bytes
    attributes: bytes
    content: bytes
    activities: Activities | None
    characteristics: Sequence[Characteristic]
    end: bytes

    def write(self, id: bytes) -> bytes:
        """Write the element with an id that is escaped already."""
        return b'<dm:person id="%b"%b>%b</dm:person>' % (
            id,
            self.attributes,
            self.content,
        )

    def saying_busy(self) -> Person:
        """Say busy as well when on the phone."""
        if self.activities is None:
            return self
        activities = self.activities.saying_busy()
        content = _content(activities, self.characteristics, self.end)
        return attrs.evolve(self, activities=activities, content=content)


@attrs.frozen
class Device:
    """What is said of a device (RFC 4479 §3.3); all is as it is written."""

    id: bytes
    attributes: bytes
    content: bytes

    def write(self, id: bytes) -> bytes:
        """Write the element with an id that is escaped already."""
        return b'<dm:device id="%b"%b>%b</dm:device>' % (
            id,
            self.attributes,
            self.content,
        )


def read_person(element: Element, fragments: Fragments) -> Person:
    """Read a ``person`` element, in the schema's order: notes and timestamp last."""
    activities: Activities | None = None
    characteristics: list[Characteristic] = []
    notes: list[bytes] = []
    timestamps: list[bytes] = []
    for child in element:
        tag = child.tag
        if tag == ACTIVITIES and activities is None:
            activities = read_activities(child, fragments)
        elif tag == _NOTE:
            notes.append(fragments.write(child))
        elif tag == _TIMESTAMP:
            timestamps.append(fragments.write(child))
        else:
            characteristics.append(Characteristic(tag, fragments.write(child)))
    end = b"".join(notes + timestamps[:1])
    return Person(
        _id(element),
        fragments.attributes(element, without="id"),
        _content(activities, characteristics, end),
        activities,
        tuple(characteristics),
        end,
    )


def read_device(element: Element, fragments: Fragments) -> Device:
    """Read a ``device`` element."""
    return Device(
        _id(element),
        fragments.attributes(element, without="id"),
        b"".join([fragments.write(child) for child in element]),
    )


def merged(persons: Sequence[Person]) -> Person:
    """
    Make one person of what several publications say, the latest first.

    There is one person behind a presentity, and most readers look at the first element
    only (RFC 4479 §3.1 leaves more than one open as an ambiguity).  The latest says how
    the person is; of the others counts what keeps the person busy, and
    characteristics of which the latest says nothing.  So a desk phone's "on the phone"
    is seen beside a newer "at the desk", and an old "away" is not.
    """
    latest = persons[0]
    said = [p.activities for p in persons if p.activities is not None]
    first = latest.activities or Activities()
    activities = first.joined(said) if said else None
    kinds = {c.tag for c in latest.characteristics}
    characteristics = list(latest.characteristics)
    for person in persons[1:]:
        new = [c for c in person.characteristics if c.tag not in kinds]
        characteristics += new
        kinds.update(c.tag for c in new)
    return Person(
        latest.id,
        latest.attributes,
        _content(activities, characteristics, latest.end),
        activities,
        tuple(characteristics),
        latest.end,
    )


def _id(element: Element) -> bytes:
    return escaped_attribute(element.get("id", "").strip()).encode()


def _content(
    activities: Activities | None, characteristics: Sequence[Characteristic], end: bytes
) -> bytes:
    first = activities.write() if activities is not None else b""
    return b"".join([first, *[c.fragment for c in characteristics], end])
