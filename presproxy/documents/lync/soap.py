"""
SOAP in SERVICE: what clients ask to be done with their contacts ([MS-SIP] 2.2.4.2).

One body is one call.  Elements are told by their local names alone: clients of several
years put them into different namespaces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import attrs

from presproxy.documents.fragments import BLANK, split_name
from presproxy.documents.lync.addresses import with_scheme
from presproxy.documents.lync.contacts import read_groups
from presproxy.documents.reading import LIMITS, Node
from presproxy.documents.writing import element, flag, text
from presproxy.documents.xml import Limits, parse
from presproxy.errors import MalformedDocument

CONTENT_TYPE = "application/SOAP+xml"

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
METHODS = "http://schemas.microsoft.com/winrtc/2002/11/sip"

#: Of what is searched for; a person has some ten attributes.
_MOST_ROWS = 50

# In all of these ``delta`` is the last version of the list that the client knows, None if
# it does not say.


@attrs.frozen
class SetContact:
    """Somebody to be added to the contacts, or to be changed there."""

    uri: str
    name: str
    groups: tuple[int, ...]
    is_subscribed: bool = True
    external_uri: str = ""
    delta: int | None = None


@attrs.frozen
class DeleteContact:
    """Somebody to be taken out of the contacts."""

    uri: str
    delta: int | None = None


@attrs.frozen
class AddGroup:
    """A group to be added."""

    name: str
    external_uri: str = ""
    delta: int | None = None


@attrs.frozen
class ModifyGroup:
    """A group to get another name."""

    id: int
    name: str
    external_uri: str = ""
    delta: int | None = None


@attrs.frozen
class DeleteGroup:
    """A group to be taken away."""

    id: int
    delta: int | None = None


@attrs.frozen
class DirectorySearch:
    """Who has such attributes, like ``givenName``; at most so many are to be told."""

    attributes: tuple[tuple[str, str], ...]
    most: int = 100


@attrs.frozen
class SetPresence:
    """
    The presence of one device, as clients of 2005 publish it.

    ``availability`` goes from 0 to 399, ``activity`` to 999 ([MS-SIP] 2.2.1).
    """

    uri: str
    availability: int
    activity: int
    note: str = ""
    device_name: str = ""


@attrs.frozen
class GetPresence:
    """One look at somebody's presence."""

    uri: str


@attrs.frozen
class SetAce:
    """
    Who may see and reach the user ([MS-SIP] 2.2.3).

    ``type`` is ALL, DOMAIN or USER, and ``mask`` which; ``rights`` are two letters.
    """

    type: str
    mask: str
    rights: str
    delta: int | None = None


Call = (
    SetContact
    | DeleteContact
    | AddGroup
    | ModifyGroup
    | DeleteGroup
    | DirectorySearch
    | SetPresence
    | GetPresence
    | SetAce
)


# --- reading --------------------------------------------------------------------------


def read_soap(data: bytes, limits: Limits = LIMITS) -> Call:
    """Read the one call in an envelope; raises `MalformedDocument`."""
    envelope = _Fields(Node(parse(data, limits), "Envelope"))
    if split_name(envelope.node.element.tag)[1] != "Envelope":
        name = envelope.node.element.tag[:80]
        raise MalformedDocument(f"the root is {name!r}, not a SOAP envelope")
    body = envelope.within("Body")
    calls = [
        (_READERS[name], each)
        for each in body.node.element
        if (name := split_name(each.tag)[1]) in _READERS
    ]
    if len(calls) != 1:
        known = ", ".join(_READERS)
        raise body.node.wrong(f"{len(calls)} calls instead of one; known are {known}")
    read, called = calls[0]
    return read(_Fields(Node(called, split_name(called.tag)[1])), body)


class _Fields:
    """The elements within one, by their local names; of each the first counts."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._children = {
            split_name(each.tag)[1]: each for each in reversed(node.element)
        }

    def within(self, name: str) -> _Fields:
        """Give one of them, which must be there."""
        child = self._children.get(name)
        if child is None:
            raise self.node.wrong(f"no {name}")
        return _Fields(Node(child, name))

    def has(self, name: str) -> bool:
        """Whether one of them is there."""
        return name in self._children

    def text(self, name: str) -> str:
        """Give the text in one of them, empty if it is not there."""
        child = self._children.get(name)
        if child is None:
            return ""
        return self.node.bounded(name, "".join(child.itertext()).strip(BLANK))

    def needed(self, name: str) -> str:
        """Give the text in one of them, which must be there."""
        found = self.text(name)
        if not found:
            raise self.node.wrong(f"no {name}")
        return found

    def number(self, name: str) -> int:
        """Give the number in one of them, which must be there."""
        return self.node.as_number(name, self.needed(name))

    @property
    def delta(self) -> int | None:
        """The version of the list that is known to the client."""
        found = self.text("deltaNum")
        return self.node.as_number("deltaNum", found) if found else None

    def attribute(self, child: str, name: str) -> str:
        """Give an attribute of one of them, in whatever namespace; empty without."""
        found = self._children.get(child)
        return "" if found is None else _attribute(Node(found, child), name)

    def attribute_number(self, child: str, name: str) -> int:
        """Give an attribute that is a number, and must be there."""
        found = self.attribute(child, name)
        if not found:
            raise self.node.wrong(f"no {child} with {name}")
        return self.node.as_number(name, found)


def _attribute(node: Node, name: str) -> str:
    for each, value in node.element.items():
        if split_name(each)[1] == name:
            return node.bounded(name, value.strip(BLANK))
    return ""


def _set_contact(fields: _Fields, _: _Fields) -> SetContact:
    subscribed = fields.text("subscribed")
    return SetContact(
        fields.needed("URI"),
        fields.text("displayName"),
        read_groups(fields.node, fields.text("groups")),
        fields.node.as_flag("subscribed", subscribed) if subscribed else True,
        fields.text("externalURI"),
        fields.delta,
    )


def _delete_contact(fields: _Fields, _: _Fields) -> DeleteContact:
    return DeleteContact(fields.needed("URI"), fields.delta)


def _add_group(fields: _Fields, _: _Fields) -> AddGroup:
    return AddGroup(fields.needed("name"), fields.text("externalURI"), fields.delta)


def _modify_group(fields: _Fields, _: _Fields) -> ModifyGroup:
    return ModifyGroup(
        fields.number("groupID"),
        fields.needed("name"),
        fields.text("externalURI"),
        fields.delta,
    )


def _delete_group(fields: _Fields, _: _Fields) -> DeleteGroup:
    return DeleteGroup(fields.number("groupID"), fields.delta)


def _directory_search(fields: _Fields, body: _Fields) -> DirectorySearch:
    """Read a search; its filter stands beside the call and not in it."""
    array = body.within("Array").node
    rows = [
        Node(each, "row") for each in array.element if split_name(each.tag)[1] == "row"
    ]
    if len(rows) > _MOST_ROWS:
        raise array.wrong(f"over {_MOST_ROWS} rows")
    found = tuple((_attribute(row, "attrib"), _attribute(row, "value")) for row in rows)
    most = fields.text("maxResults")
    return DirectorySearch(
        found, fields.node.as_number("maxResults", most) if most else 100
    )


def _set_presence(fields: _Fields, _: _Fields) -> SetPresence:
    presentity = fields.within("presentity")
    uri = _attribute(presentity.node, "uri")
    if not uri:
        raise presentity.node.wrong("no uri")
    note = presentity.attribute("activity", "note")
    if not note and presentity.has("userInfo"):
        note = presentity.within("userInfo").text("note")
    return SetPresence(
        uri,
        presentity.attribute_number("availability", "aggregate"),
        presentity.attribute_number("activity", "aggregate"),
        note,
        presentity.attribute("deviceName", "name"),
    )


def _get_presence(fields: _Fields, _: _Fields) -> GetPresence:
    uri = fields.attribute("presentity", "uri") or fields.text("presentity")
    if not uri:
        raise fields.node.wrong("no presentity")
    return GetPresence(uri)


#: To see, and to reach ([MS-SIP] 8).
_is_rights = re.compile("[ADPB][AD]").fullmatch


def _set_ace(fields: _Fields, _: _Fields) -> SetAce:
    type = fields.needed("type").upper()
    if type not in ("ALL", "DOMAIN", "USER"):
        raise fields.node.wrong(f"type is {type[:40]!r}, not ALL, DOMAIN or USER")
    rights = fields.text("rights").upper() or "AA"
    if _is_rights(rights) is None:
        raise fields.node.wrong(f"rights are {rights[:40]!r}, not like AA or BD")
    mask = fields.text("mask") if type == "ALL" else fields.needed("mask")
    return SetAce(type, mask, rights, fields.delta)


_READERS: Mapping[str, Callable[[_Fields, _Fields], Call]] = MappingProxyType(
    {
        "setContact": _set_contact,
        "deleteContact": _delete_contact,
        "addGroup": _add_group,
        "modifyGroup": _modify_group,
        "deleteGroup": _delete_group,
        "directorySearch": _directory_search,
        "setPresence": _set_presence,
        "getPresence": _get_presence,
        "setACE": _set_ace,
    }
)
METHOD_NAMES = tuple(_READERS)


# --- answers --------------------------------------------------------------------------


@attrs.frozen
class DirectoryRow:
    """Somebody who was found; ``uri`` is an address of record."""

    uri: str
    display_name: str = ""
    title: str = ""
    office: str = ""
    phone: str = ""
    company: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    email: str = ""


def write_group_added(id: int) -> bytes:
    """Write the number that a new group has got."""
    return envelope(call_element("addGroup", [("groupID", str(id))]))


def write_directory_rows(
    rows: Iterable[DirectoryRow], more_available: bool = False
) -> bytes:
    """
    Write who was found.

    Addresses have their scheme: SIPE falls over one that has none.
    """
    found = [
        element(
            "m:row",
            (),
            ("uri", with_scheme(row.uri)),
            ("displayName", row.display_name),
            ("title", row.title),
            ("office", row.office),
            ("phone", row.phone),
            ("company", row.company),
            ("city", row.city),
            ("state", row.state),
            ("country", row.country),
            ("email", row.email),
        )
        for row in rows
    ]
    return envelope(
        call_element("directorySearch", [("moreAvailable", flag(more_available))]),
        element("m:Array", found) if found else "",
    )


def write_soap_fault(code: str, reason: str) -> bytes:
    """Write why a call was refused; ``code`` is Client or Server, with what follows."""
    return envelope(
        element(
            "s:Fault",
            [
                element("faultcode", [text(f"s:{code}")]),
                element("faultstring", [text(reason)]),
            ],
        )
    )


def envelope(*content: str) -> bytes:
    """Write an envelope with this in its body."""
    return element(
        "s:Envelope",
        [element("s:Body", content)],
        ("xmlns:s", ENVELOPE),
        ("xmlns:m", METHODS),
    ).encode()


def call_element(name: str, fields: Iterable[tuple[str, str]]) -> str:
    """Write a method and what is given with it."""
    return element(
        f"m:{name}", [element(f"m:{each}", [text(value)]) for each, value in fields]
    )
