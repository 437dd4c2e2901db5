"""
PIDF: the presence document (RFC 3863), with persons and devices (RFC 4479) in it.

Reading makes values of fragments, each written once in the one form that all known
readers take; whoever composes documents joins them and looks at no XML again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Literal
from xml.etree.ElementTree import Element

import attrs

from presproxy.documents.datamodel import (
    DEVICE,
    PERSON,
    read_device,
    read_person,
)
from presproxy.documents.fragments import (
    BLANK,
    DATA_MODEL,
    PIDF,
    RPID,
    Fragments,
    escaped,
    escaped_attribute,
    written,
)
from presproxy.documents.pieces import ADDRESS, Piece, Place
from presproxy.documents.xml import STANDARD_LIMITS, Limits, parse_plain, plain
from presproxy.errors import MalformedDocument

CONTENT_TYPE = "application/pidf+xml"

_PRESENCE = f"{{{PIDF}}}presence"
_TUPLE = f"{{{PIDF}}}tuple"
_STATUS = f"{{{PIDF}}}status"
_BASIC = f"{{{PIDF}}}basic"
_CONTACT = f"{{{PIDF}}}contact"
_NOTE = f"{{{PIDF}}}note"
_TIMESTAMP = f"{{{PIDF}}}timestamp"

#: By what ``basic`` means; None is anything else that is said.
_PLACES = {"open": Place.OPEN, None: Place.UNKNOWN, "closed": Place.CLOSED}

#: What is shown for a word that ``basic`` may not have; for most it is ``closed``, as for
#: the ``unknown`` that baresip begins with.  Its ``?`` is busy.  To leave ``basic`` out
#: would be right by the schema, but libpurple never answers a NOTIFY without, and so
#: loses its subscription.
_SHOWN = {"?": "open"}

#: What becomes of the contacts of tuples when a document is read: the presentity's
#: address takes their place, also where there was none; or they stay; or they go.  Only
#: SIP contacts are touched: a tuple with ``mailto:`` is another service.
Contacts = Literal["address", "published", "none"]


@attrs.define(unsafe_hash=True)
class PresenceDocument:
    """What one document says: all in it, in the order of places."""

    pieces: Sequence[Piece] = ()

    @property
    def is_plain(self) -> bool:
        """
        Whether it can be shown as it is.

        No id is in it twice, no note and no element of another namespace, and it has one
        person at most.
        """
        pieces = self.pieces
        if len({piece.key for piece in pieces}) < len(pieces):
            return False
        return [piece.place for piece in pieces].count(Place.PERSON) < 2


def read(
    data: bytes,
    limits: Limits = STANDARD_LIMITS,
    contacts: Contacts = "published",
) -> PresenceDocument:
    """
    Read a presence document; raises `MalformedDocument`.

    What clients are known to get wrong is let pass: any text in ``basic``, a person
    without id, no activity, no status, elements in another order than the schema's.
    Whom it claims to be about is not kept, as nobody would trust it.
    """
    return read_plain(plain(data, limits), limits, contacts)


def read_plain(data: bytes, limits: Limits, contacts: Contacts) -> PresenceDocument:
    """Read a document that `plain` has gone over."""
    tree = parse_plain(data, limits)
    root = tree.root
    if root.tag != _PRESENCE:
        raise MalformedDocument(f"the root is {root.tag[:80]}, not presence of {PIDF}")
    if not root.get("entity", "").strip(BLANK):
        raise MalformedDocument("presence has no entity")
    fragments = Fragments(tree, limits.octets)
    pieces: list[Piece] = []
    for child in root:
        tag = child.tag
        if tag == _TUPLE:
            pieces.append(_read_tuple(child, fragments, contacts))
        elif tag == PERSON:
            pieces.append(read_person(child, fragments))
        elif tag == _NOTE:
            pieces.append(Piece(Place.NOTE, fragments.write(child)))
        elif tag == DEVICE:
            pieces.append(read_device(child, fragments))
        else:
            pieces.append(Piece(Place.OTHER, fragments.write(child)))
    pieces.sort(key=attrgetter("place"))
    return PresenceDocument(tuple(pieces))


def _read_tuple(element: Element, fragments: Fragments, contacts: Contacts) -> Piece:
    """
    Read a tuple, and put its elements into the schema's order.

    Of what there may be one, the first counts.
    """
    id = escaped_attribute(element.get("id", "").strip(BLANK)).encode()
    if not id:
        raise MalformedDocument("a tuple has no id")
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
    data = b'<tuple id="%b"%b>%b%b%b%b' % (
        id,
        fragments.attributes(element, without="id"),
        status or b"<status/>",
        b"".join(others),
        _read_contact(contact, fragments, contacts),
        b"".join(end),
    )
    return Piece(_PLACES[basic], data)


def _read_status(status: Element, fragments: Fragments) -> tuple[str | None, bytes]:
    """Give what ``basic`` means, and the element with nothing but that in ``basic``."""
    basic: str | None = None
    shown: str | None = None
    others: list[bytes] = []
    for child in status:
        if child.tag != _BASIC:
            others.append(fragments.write(child))
        elif basic is None:
            text = (child.text or "").strip(BLANK).lower()
            basic = text if text in _PLACES else None
            shown = basic or _SHOWN.get(text, "closed")
    inner = b"".join(others)
    if shown is not None:
        inner = b"<basic>%b</basic>%b" % (shown.encode(), inner)
    return basic, written(b"status", fragments.attributes(status), inner)


def _read_contact(
    contact: Element | None, fragments: Fragments, contacts: Contacts
) -> bytes:
    """Write the contact; `ADDRESS` marks where the presentity's is to stand."""
    uri, attributes = "", b""
    if contact is not None:
        uri = (contact.text or "").strip(BLANK)
        attributes = fragments.attributes(contact)
    is_sip = not uri or uri.partition(":")[0].lower() in ("sip", "sips", "pres")
    if contacts == "address" and is_sip:
        return b"<contact%b>%b</contact>" % (attributes, ADDRESS)
    if not uri or (contacts == "none" and is_sip):
        return b""
    return b"<contact%b>%b</contact>" % (attributes, escaped(uri).encode())


# --- writing --------------------------------------------------------------------------

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<presence xmlns="{PIDF}" xmlns:dm="{DATA_MODEL}" xmlns:rpid="{RPID}" entity="'
).encode()
_data = attrgetter("data")
_BEGIN, _END = b'%b%b">' % (_HEAD, ADDRESS), b"</presence>\n"


def write(address: bytes, pieces: Iterable[Piece]) -> bytes:
    """Write a document about whom ``address``, which is escaped, is, in this order."""
    data = b"".join([_BEGIN, *map(_data, pieces), _END])
    return data.replace(ADDRESS, address)
