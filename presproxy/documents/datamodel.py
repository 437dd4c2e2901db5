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
    BLANK,
    DATA_MODEL,
    Fragment,
    Fragments,
    escaped_attribute,
    written,
)
from presproxy.documents.pieces import Piece, Place
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

_END = b"</dm:person>"


@attrs.frozen
class Traits:
    """
    What is said of a person, but for notes and the timestamp.

    ``kinds`` are the tags of all characteristics and activities.
    """

    activities: Activities | None
    characteristics: Sequence[Fragment]
    kinds: frozenset[str]

    @classmethod
    def of(
        cls, activities: Activities | None, characteristics: Sequence[Fragment]
    ) -> Traits:
        """Make them of their parts."""
        kinds = [each.tag for each in characteristics]
        if activities is not None:
            kinds += [each.tag for each in activities.kinds]
        return cls(activities, characteristics, frozenset(kinds))

    def write(self) -> bytes:
        """Write the elements."""
        data = b"".join([each.data for each in self.characteristics])
        return data if self.activities is None else self.activities.write() + data


@attrs.define(unsafe_hash=True)
class Person(Piece):
    """What is said of the person (RFC 4479 §3.2): its traits are the first elements."""

    traits: Traits = attrs.field(eq=False)

    @classmethod
    def of(cls, start: bytes, traits: Traits, end: bytes) -> Person:
        """Make one of its start tag, open at its end, its traits and all after them."""
        content = traits.write() + end
        data = b"%b>%b%b" % (start, content, _END) if content else start + b"/>"
        return cls(Place.PERSON, data, traits)

    def saying_busy(self) -> Person:
        """Say busy as well when on the phone, for readers that know only busy and away."""
        activities = self.traits.activities
        if activities is None:
            return self
        return self.showing(
            Traits.of(activities.saying_busy(), self.traits.characteristics)
        )

    def showing(self, traits: Traits) -> Person:
        """Give it other traits."""
        # Written attributes have no ">" in them.
        start, _, content = self.data.partition(b">")
        end = content.removesuffix(_END)[len(self.traits.write()) :]
        return Person.of(start.removesuffix(b"/"), traits, end)


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
    start = b'<dm:person id="%b"%b' % (
        _id(element, "person"),
        fragments.attributes(element, without="id"),
    )
    return Person.of(
        start, Traits.of(activities, tuple(characteristics)), b"".join(end)
    )


def read_device(element: Element, fragments: Fragments) -> Piece:
    """Read a ``device`` element (RFC 4479 §3.4)."""
    id = _id(element, "device")
    attributes = b' id="%b"%b' % (id, fragments.attributes(element, without="id"))
    content = b"".join([fragments.write(child) for child in element])
    return Piece(Place.DEVICE, written(b"dm:device", attributes, content))


def merged(persons: Sequence[Person]) -> Person:
    """
    Make one person of what several publications say, the latest first.

    There is one person behind a presentity; more than one element is an ambiguity (RFC
    4479 §3.5), and most readers look at the first only.  The latest says how the person
    is; of the others counts what keeps the person busy, and characteristics of which
    none before says anything.  So a desk phone's "on the phone" is seen beside a newer
    "at the desk", and an old "away" is not.
    """
    latest = persons[0].traits
    # A generator costs twice as much.
    if not [one for one in persons if not one.traits.kinds <= latest.kinds]:
        return persons[0]
    known = set(latest.kinds)
    busy: list[Fragment] = []
    characteristics: list[Fragment] = []
    for traits in [person.traits for person in persons[1:]]:
        if traits.activities is not None:
            busy += [k for k in traits.activities.busy() if k.tag not in known]
        characteristics += [c for c in traits.characteristics if c.tag not in known]
        known |= traits.kinds
    activities = latest.activities
    if busy:
        activities = activities or Activities()
        kinds = in_order((*activities.kinds, *busy))
        activities = attrs.evolve(activities, kinds=kinds)
    return persons[0].showing(
        Traits.of(activities, (*latest.characteristics, *characteristics))
    )


def _id(element: Element, otherwise: str) -> bytes:
    id = element.get("id", "").strip(BLANK) or otherwise
    return escaped_attribute(id).encode()
