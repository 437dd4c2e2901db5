"""
PIDF: the presence document (RFC 3863), with persons and devices (RFC 4479) in it.

Reading makes values of fragments, each written once in the one form that all known
readers take; whoever composes documents joins them and looks at no XML again.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import attrs

from presproxy.documents.datamodel import (
    DEVICE,
    PERSON,
    Device,
    Person,
    read_device,
    read_person,
)
from presproxy.documents.fragments import (
    DATA_MODEL,
    PIDF,
    RPID,
    Fragments,
    escaped,
    escaped_attribute,
)
from presproxy.documents.xml import STANDARD_LIMITS, Limits, parse_tree
from presproxy.errors import MalformedDocument

CONTENT_TYPE = "application/pidf+xml"

_PRESENCE = f"{{{PIDF}}}presence"
_TUPLE = f"{{{PIDF}}}tuple"
_STATUS = f"{{{PIDF}}}status"
_BASIC = f"{{{PIDF}}}basic"
_CONTACT = f"{{{PIDF}}}contact"
_NOTE = f"{{{PIDF}}}note"
_TIMESTAMP = f"{{{PIDF}}}timestamp"

OPEN = "open"
CLOSED = "closed"


@attrs.frozen
class Tuple:
    """
    One tuple: a service (RFC 3863 §4.1.2, RFC 4479 §3.2).

    ``basic`` is ``open``, ``closed`` or, for anything else that was said, None.  All
    else is as it is written: the id, the URI of the contact (None without one), what
    stands in the tuple's start tag after its id, between that and the contact, in the
    contact's start tag (its priority), and after the contact.
    """

    id: bytes
    basic: str | None
    contact: bytes | None = None
    attributes: bytes = b""
    content: bytes = b""
    contact_attributes: bytes = b""
    end: bytes = b""

    @property
    def is_reached_by_sip(self) -> bool:
        """Whether the contact may be replaced by the presentity's own address."""
        if self.contact is None:
            return True
        scheme = self.contact.partition(b":")[0].lower()
        return scheme in (b"sip", b"sips", b"pres")

    def write(self, id: bytes, contact: bytes | None) -> bytes:
        """Write the element with an id and a contact that are escaped already."""
        if contact is None:
            return b'<tuple id="%b"%b>%b%b</tuple>' % (
                id,
                self.attributes,
                self.content,
                self.end,
            )
        return b'<tuple id="%b"%b>%b<contact%b>%b</contact>%b</tuple>' % (
            id,
            self.attributes,
            self.content,
            self.contact_attributes,
            contact,
            self.end,
        )


@attrs.frozen
class PresenceDocument:
    """
    What one document says.

    ``entity`` is whom it claims to be about; nothing here trusts it.  ``notes`` and
    ``others``, the elements of other namespaces, are fragments.
    """

    entity: str
    tuples: Sequence[Tuple] = ()
    notes: Sequence[bytes] = ()
    persons: Sequence[Person] = ()
    devices: Sequence[Device] = ()
    others: Sequence[bytes] = ()


def read(data: bytes, limits: Limits = STANDARD_LIMITS) -> PresenceDocument:
    """
    Read a presence document; raises `MalformedDocument`.

    What clients are known to get wrong is let pass: any text in ``basic``, a person
    without id, no activity, no status, elements in another order than the schema's.
    """
    tree = parse_tree(data, limits)
    root = tree.root
    if root.tag != _PRESENCE:
        raise MalformedDocument(f"the root is {root.tag[:80]}, not presence of {PIDF}")
    entity = root.get("entity", "").strip()
    if not entity:
        raise MalformedDocument("presence has no entity")
    return _read_content(root, entity, Fragments(tree.prefixes))


def _read_content(root: Element, entity: str, fragments: Fragments) -> PresenceDocument:
    tuples: list[Tuple] = []
    notes: list[bytes] = []
    persons: list[Person] = []
    devices: list[Device] = []
    others: list[bytes] = []
    for child in root:
        tag = child.tag
        if tag == _TUPLE:
            tuples.append(_read_tuple(child, fragments, len(tuples) + 1))
        elif tag == PERSON:
            persons.append(read_person(child, fragments))
        elif tag == _NOTE:
            notes.append(fragments.write(child))
        elif tag == DEVICE:
            devices.append(read_device(child, fragments))
        else:
            others.append(fragments.write(child))
    return PresenceDocument(
        entity,
        tuple(tuples),
        tuple(notes),
        tuple(persons),
        tuple(devices),
        tuple(others),
    )


def _read_tuple(element: Element, fragments: Fragments, number: int) -> Tuple:
    """Read a tuple, and put its elements into the schema's order."""
    id = element.get("id", "").strip()
    if not id:
        raise MalformedDocument(f"tuple {number} has no id")
    status: Element | None = None
    contact: Element | None = None
    timestamp: Element | None = None
    notes: list[bytes] = []
    others: list[bytes] = []
    for child in element:
        tag = child.tag
        if tag == _STATUS and status is None:
            status = child
        elif tag == _CONTACT and contact is None:
            contact = child
        elif tag == _TIMESTAMP and timestamp is None:
            timestamp = child
        elif tag == _NOTE:
            notes.append(fragments.write(child))
        else:
            others.append(fragments.write(child))
    if timestamp is not None:
        notes.append(fragments.write(timestamp))
    basic, written = _read_status(status, fragments)
    uri = (contact.text or "").strip() if contact is not None else ""
    return Tuple(
        escaped_attribute(id).encode(),
        basic,
        escaped(uri).encode() if uri else None,
        fragments.attributes(element, without="id"),
        written + b"".join(others),
        fragments.attributes(contact) if contact is not None else b"",
        b"".join(notes),
    )


def _read_status(
    status: Element | None, fragments: Fragments
) -> tuple[str | None, bytes]:
    """Give what ``basic`` means, and the element with nothing but that in ``basic``."""
    if status is None:
        return None, b"<status/>"
    basic: str | None = None
    others: list[bytes] = []
    for child in status:
        if child.tag != _BASIC:
            others.append(fragments.write(child))
        elif basic is None:
            text = "".join(child.itertext()).strip().lower()
            basic = text if text in (OPEN, CLOSED) else None
    inner = b"".join(others)
    if basic is not None:
        inner = b"<basic>%b</basic>%b" % (basic.encode(), inner)
    attributes = fragments.attributes(status)
    if not inner:
        return basic, b"<status%b/>" % attributes
    return basic, b"<status%b>%b</status>" % (attributes, inner)


# --- writing --------------------------------------------------------------------------

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<presence xmlns="{PIDF}" xmlns:dm="{DATA_MODEL}" xmlns:rpid="{RPID}" entity="'
).encode()


def write(entity: bytes, fragments: Sequence[bytes]) -> bytes:
    """Write a document about ``entity``, which is escaped, of fragments in their order."""
    return b'%b%b">%b</presence>\n' % (_HEAD, entity, b"".join(fragments))
