"""
Registration information documents (RFC 3680): where a user can be reached.

The version is counted per subscription, so a document is written in two halves around it.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

import attrs

from presproxy.documents.reading import Node, read_root
from presproxy.documents.writing import attribute, text
from presproxy.documents.xml import STANDARD_LIMITS, Limits

CONTENT_TYPE = "application/reginfo+xml"
NAMESPACE = "urn:ietf:params:xml:ns:reginfo"

#: In one document, and of one registration; chosen.
_MOST_REGISTRATIONS = 100
_MOST_CONTACTS = 100


@attrs.frozen
class RegisteredContact:
    """
    One contact of a user (RFC 3680 §5.3).

    ``state`` is active or terminated and ``event`` how it came to that; ``q`` is as it is
    written, and empty where none was given, as all may be that is not known.
    """

    id: str
    uri: str
    state: str
    event: str
    q: str = ""
    call_id: str = ""
    cseq: str = ""


@attrs.frozen
class RegInfo:
    """A full document about one address of record."""

    aor: str
    id: str
    state: str
    contacts: tuple[RegisteredContact, ...] = ()
    version: int = 0


def halves(
    aor: str, id: str, state: str, contacts: Iterable[RegisteredContact]
) -> tuple[bytes, bytes]:
    """Write what stands before and what after the version of a full document."""
    before = f'<?xml version="1.0" encoding="UTF-8"?>\n<reginfo xmlns="{NAMESPACE}" version="'
    written = "".join(map(_contact_element, contacts))
    after = (
        f'" state="full"><registration aor="{attribute(aor)}" id="{attribute(id)}" '
        f'state="{state}">{written}</registration></reginfo>\n'
    )
    return before.encode(), after.encode()


def name_of(address: str) -> str:
    """Make an id of an address, which stays the same: ids are names in XML's sense."""
    return "r" + quote(address, safe="").replace(".", "%2E").replace("%", ".")


def _contact_element(contact: RegisteredContact) -> str:
    pairs = {
        "id": contact.id,
        "state": contact.state,
        "event": contact.event,
        "q": contact.q,
        "callid": contact.call_id,
        "cseq": contact.cseq,
    }
    written = "".join(
        [f' {name}="{attribute(value)}"' for name, value in pairs.items() if value]
    )
    return f"<contact{written}><uri>{text(contact.uri)}</uri></contact>"


def read(data: bytes, limits: Limits = STANDARD_LIMITS) -> tuple[RegInfo, ...]:
    """Read all registrations of a document; raises `MalformedDocument`."""
    root = read_root(data, "reginfo", NAMESPACE, limits)
    version = root.number("version")
    return tuple(
        _read_registration(each, version)
        for each in root.each("registration", most=_MOST_REGISTRATIONS)
    )


def _read_registration(node: Node, version: int) -> RegInfo:
    return RegInfo(
        node.needed("aor"),
        node.needed("id"),
        node.needed("state"),
        tuple(map(_read_contact, node.each("contact", most=_MOST_CONTACTS))),
        version,
    )


def _read_contact(node: Node) -> RegisteredContact:
    uri = node.child("uri")
    if uri is None:
        raise node.wrong("no uri")
    return RegisteredContact(
        node.needed("id"),
        uri.content,
        node.needed("state"),
        node.needed("event"),
        node.text("q"),
        node.text("callid"),
        node.text("cseq"),
    )
