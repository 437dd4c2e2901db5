"""
The data model of presence: persons and devices (RFC 4479).

A tuple of PIDF is the model's service.  What stands within is kept as fragments, so that
documents are joined without another look at their XML.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import attrs

from presproxy.documents.fragments import (
    DATA_MODEL,
    Fragment,
    Fragments,
    escaped_attribute,
    with_id,
    written,
)
from presproxy.documents.rpid import (
    ACTIVITIES,
    Activities,
    in_order,
    read_activities,
)

PERSON = f"{{{DATA_MODEL}}}person"
DEVICE = f"{{{DATA_MODEL}}}device"
_NOTE = f"{{{DATA_MODEL}}}note"
_TIMESTAMP = f"{{{DATA_MODEL}}}timestamp"


@attrs.frozen
class Person:
    """
    What is said of the person (RFC 4479 §3.2).

    ``id`` and ``attributes``, the others of the start tag, are as they are written; so is
    ``end``, the notes and the timestamp.  ``data`` is the whole element.  ``kinds`` are
    the tags of all characteristics and activities.
    """

    id: bytes
    attributes: bytes
    activities: Activities | None
    characteristics: Sequence[Fragment]
    end: bytes
    data: bytes
    kinds: frozenset[str]

    @classmethod
    def of(
        cls,
        id: bytes,
        attributes: bytes,
        activities: Activities | None,
        characteristics: Sequence[Fragment],
        end: bytes,
    ) -> Person:
        """Make one of its parts."""
        content = b"".join([each.data for each in characteristics]) + end
        if activities is not None:
            content = activities.write() + content
        data = written(b"dm:person", b' id="%b"%b' % (id, attributes), content)
        kinds = [each.tag for each in characteristics]
        if activities is not None:
            kinds += [each.tag for each in activities.kinds]
        return cls(
            id, attributes, activities, characteristics, end, data, frozenset(kinds)
        )

    def saying_busy(self) -> Person:
        """Say busy as well when on the phone, for readers that know only busy and away."""
        if self.activities is None:
            return self
        return Person.of(
            self.id,
            self.attributes,
            self.activities.saying_busy(),
            self.characteristics,
            self.end,
        )

    def named(self, id: bytes) -> Person:
        """Give it another id."""
        return attrs.evolve(self, id=id, data=with_id(self.data, self.id, id))


@attrs.frozen
class Device:
    """
    What is said of a device (RFC 4479 §3.4).

    ``id`` is as it is written; ``data`` is the whole element.
    """

    id: bytes
    data: bytes

    def named(self, id: bytes) -> Device:
        """Give it another id."""
        return attrs.evolve(self, id=id, data=with_id(self.data, self.id, id))


def read_person(element: Element, fragments: Fragments) -> Person:
    """
    Read a ``person`` element, and put its elements into the schema's order.

    One without id, as in Asterisk's documents, is given one.
    """
    activities: Activities | None = None
    characteristics: list[Fragment] = []
    end: list[bytes] = []
    timestamp: Element | None = None
    for child in element:
        tag = child.tag
        if tag == ACTIVITIES and activities is None:
            activities = read_activities(child, fragments)
        elif tag == _NOTE:
            end.append(fragments.write(child))
        elif tag == _TIMESTAMP:
            timestamp = child if timestamp is None else timestamp
        else:
            characteristics.append(Fragment(tag, fragments.write(child)))
    if timestamp is not None:
        end.append(fragments.write(timestamp))
    return Person.of(
        _id(element, "person"),
        fragments.attributes(element, without="id"),
        activities,
        tuple(characteristics),
        b"".join(end),
    )


def read_device(element: Element, fragments: Fragments) -> Device:
    """Read a ``device`` element."""
    id = _id(element, "device")
    attributes = b' id="%b"%b' % (id, fragments.attributes(element, without="id"))
    content = b"".join([fragments.write(child) for child in element])
    return Device(id, written(b"dm:device", attributes, content))


def merged(persons: Sequence[Person]) -> Person:
    """
    Make one person of what several publications say, the latest first.

    There is one person behind a presentity; more than one element is an ambiguity (RFC
    4479 §3.5), and most readers look at the first only.  The latest says how the person
    is; of the others counts what keeps the person busy, and characteristics of which
    none before says anything.  So a desk phone's "on the phone" is seen beside a newer
    "at the desk", and an old "away" is not.
    """
    latest = persons[0]
    if all(person.kinds <= latest.kinds for person in persons):
        return latest
    known = set(latest.kinds)
    busy: list[Fragment] = []
    characteristics: list[Fragment] = []
    for person in persons[1:]:
        if person.activities is not None:
            busy += [k for k in person.activities.busy() if k.tag not in known]
        characteristics += [c for c in person.characteristics if c.tag not in known]
        known |= person.kinds
    activities = latest.activities
    if busy:
        activities = activities or Activities()
        kinds = in_order((*activities.kinds, *busy))
        activities = attrs.evolve(activities, kinds=kinds)
    return Person.of(
        latest.id,
        latest.attributes,
        activities,
        (*latest.characteristics, *characteristics),
        latest.end,
    )


def _id(element: Element, otherwise: str) -> bytes:
    id = element.get("id", "").strip() or otherwise
    return escaped_attribute(id).encode()
