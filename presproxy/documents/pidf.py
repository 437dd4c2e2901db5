"""
PIDF: the presence document (RFC 3863), with persons and devices (RFC 4479) in it.

Reading makes values of fragments, each written once in the one form that all known
readers take; whoever composes documents joins them and looks at no XML again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal
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
    with_id,
    written,
)
from presproxy.documents.xml import STANDARD_LIMITS, Limits, parse_tree
from presproxy.errors import MalformedDocument

CONTENT_TYPE = "application/pidf+xml"

OPEN = "open"
CLOSED = "closed"

_PRESENCE = f"{{{PIDF}}}presence"
_TUPLE = f"{{{PIDF}}}tuple"
_STATUS = f"{{{PIDF}}}status"
_BASIC = f"{{{PIDF}}}basic"
_CONTACT = f"{{{PIDF}}}contact"
_NOTE = f"{{{PIDF}}}note"
_TIMESTAMP = f"{{{PIDF}}}timestamp"


#: What becomes of the contacts of tuples when a document is read: the presentity's
#: address takes their place, also where there was none; or they stay; or they go.  Only
#: SIP contacts are touched: a tuple with ``mailto:`` is another service.
Contacts = Literal["address", "published", "none"]


@attrs.frozen
class Tuple:
    """
    One tuple: a service (RFC 3863 §4.1.2, RFC 4479 §3.3).

    ``id`` is as it is written.  ``basic`` is ``open``, ``closed`` or, for anything else
    that was said, None.  ``before`` and ``after`` are what is written around the
    presentity's address as contact; ``after`` is empty where that does not stand.
    """

    id: bytes
    basic: str | None
    before: bytes
    after: bytes = b""

    def write(self, address: bytes) -> bytes:
        """Write the element for the presentity with this address, which is escaped."""
        return self.before + address + self.after if self.after else self.before

    def named(self, id: bytes) -> Tuple:
        """Give it another id."""
        return attrs.evolve(self, id=id, before=with_id(self.before, self.id, id))


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


def read(
    data: bytes,
    limits: Limits = STANDARD_LIMITS,
    contacts: Contacts = "published",
) -> PresenceDocument:
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
    fragments = Fragments(tree, limits.octets)
    tuples: list[Tuple] = []
    notes: list[bytes] = []
    persons: list[Person] = []
    devices: list[Device] = []
    others: list[bytes] = []
    for child in root:
        tag = child.tag
        if tag == _TUPLE:
            tuples.append(_read_tuple(child, fragments, contacts, len(tuples) + 1))
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


def _read_tuple(
    element: Element, fragments: Fragments, contacts: Contacts, number: int
) -> Tuple:
    """
    Read a tuple, and put its elements into the schema's order.

    Of what there may be one, the first counts.
    """
    id = escaped_attribute(element.get("id", "").strip()).encode()
    if not id:
        raise MalformedDocument(f"tuple {number} has no id")
    basic: str | None = None
    status = b""
    contact: Element | None = None
    timestamp: Element | None = None
    others: list[bytes] = []
    end: list[bytes] = []
    for child in element:
        tag = child.tag
        if tag == _STATUS:
            if not status:
                basic, status = _read_status(child, fragments)
        elif tag == _CONTACT:
            contact = child if contact is None else contact
        elif tag == _NOTE:
            end.append(fragments.write(child))
        elif tag == _TIMESTAMP:
            timestamp = child if timestamp is None else timestamp
        else:
            others.append(fragments.write(child))
    if timestamp is not None:
        end.append(fragments.write(timestamp))
    end.append(b"</tuple>")
    begin = b'<tuple id="%b"%b>%b%b' % (
        id,
        fragments.attributes(element, without="id"),
        status or b"<status/>",
        b"".join(others),
    )
    before, after = _read_contact(contact, fragments, contacts)
    if after:
        return Tuple(id, basic, begin + before, after + b"".join(end))
    return Tuple(id, basic, begin + before + b"".join(end))


def _read_status(status: Element, fragments: Fragments) -> tuple[str | None, bytes]:
    """Give what ``basic`` means, and the element with nothing but that in ``basic``."""
    basic: str | None = None
    others: list[bytes] = []
    for child in status:
        if child.tag != _BASIC:
            others.append(fragments.write(child))
        elif basic is None:
            text = (child.text or "").strip().lower()
            basic = text if text in (OPEN, CLOSED) else None
    inner = b"".join(others)
    if basic is not None:
        inner = b"<basic>%b</basic>%b" % (basic.encode(), inner)
    return basic, written(b"status", fragments.attributes(status), inner)


def _read_contact(
    contact: Element | None, fragments: Fragments, contacts: Contacts
) -> tuple[bytes, bytes]:
    """Write the contact; or, if the address is to stand there, what goes around it."""
    uri, attributes = "", b""
    if contact is not None:
        uri = (contact.text or "").strip()
        attributes = fragments.attributes(contact)
    is_sip = not uri or uri.partition(":")[0].lower() in ("sip", "sips", "pres")
    if contacts == "address" and is_sip:
        return b"<contact%b>" % attributes, b"</contact>"
    if not uri or (contacts == "none" and is_sip):
        return b"", b""
    return b"<contact%b>%b</contact>" % (attributes, escaped(uri).encode()), b""


# --- writing --------------------------------------------------------------------------

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<presence xmlns="{PIDF}" xmlns:dm="{DATA_MODEL}" xmlns:rpid="{RPID}" entity="'
).encode()


def write(entity: bytes, fragments: Iterable[bytes]) -> bytes:
    """Write a document about ``entity``, which is escaped, of fragments in their order."""
    return b'%b%b">%b</presence>\n' % (_HEAD, entity, b"".join(fragments))
