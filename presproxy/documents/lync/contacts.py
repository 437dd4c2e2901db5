"""Contact lists as Lync clients keep them ([MS-SIP] 2.2.1, 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from presproxy.documents.lync.addresses import with_scheme, without_scheme
from presproxy.documents.reading import LIMITS, Node, read_root
from presproxy.documents.writing import element, flag
from presproxy.documents.xml import Limits

CONTENT_TYPE = "application/vnd-microsoft-roaming-contacts+xml"

#: In one list, of each; chosen.
_MOST = 5000


@attrs.frozen
class Group:
    """A group of contacts; number 1 is ``~``, for all who are in no other."""

    id: int
    name: str
    external_uri: str = ""


@attrs.frozen
class Contact:
    """
    One contact; ``groups`` are the numbers of those it is in.

    ``uri`` is an address of record, with its scheme.
    An empty ``name`` means that of the contact's own card.
    """

    uri: str
    name: str = ""
    groups: tuple[int, ...] = (1,)
    is_subscribed: bool = True
    external_uri: str = ""


DEFAULT_GROUP = Group(1, "~")


@attrs.frozen
class ContactList:
    """All contacts and groups of a user; ``delta`` counts its changes, from 1."""

    delta: int = 1
    groups: Sequence[Group] = (DEFAULT_GROUP,)
    contacts: Sequence[Contact] = ()


@attrs.frozen
class ContactDelta:
    """
    What changed in a contact list from one version of it to a later one.

    ``added`` and ``modified`` contacts are whole; ``deleted`` are addresses.
    """

    delta: int
    former: int
    added_groups: Sequence[Group] = ()
    modified_groups: Sequence[Group] = ()
    deleted_groups: Sequence[int] = ()
    added: Sequence[Contact] = ()
    modified: Sequence[Contact] = ()
    deleted: Sequence[str] = ()

    @classmethod
    def between(cls, former: ContactList, now: ContactList) -> ContactDelta:
        """Compare two lists."""
        groups = {each.id: each for each in former.groups}
        contacts = {each.uri: each for each in former.contacts}
        return cls(
            now.delta,
            former.delta,
            tuple(each for each in now.groups if each.id not in groups),
            tuple(each for each in now.groups if groups.get(each.id, each) != each),
            tuple(groups.keys() - {each.id for each in now.groups}),
            tuple(each for each in now.contacts if each.uri not in contacts),
            tuple(
                each for each in now.contacts if contacts.get(each.uri, each) != each
            ),
            tuple(contacts.keys() - {each.uri for each in now.contacts}),
        )

    def applied(self, former: ContactList) -> ContactList:
        """Give the later list; what is new comes last."""
        groups = {each.id: each for each in former.groups}
        groups |= {
            each.id: each for each in (*self.modified_groups, *self.added_groups)
        }
        contacts = {each.uri: each for each in former.contacts}
        contacts |= {each.uri: each for each in (*self.modified, *self.added)}
        for id in self.deleted_groups:
            groups.pop(id, None)
        for uri in self.deleted:
            contacts.pop(uri, None)
        return ContactList(self.delta, tuple(groups.values()), tuple(contacts.values()))


# --- writing --------------------------------------------------------------------------


def write_contact_list(contacts: ContactList) -> bytes:
    """
    Write a whole list.

    Addresses have no ``sip:`` here: SIPE makes contacts of those who have that never get
    presence.  In a delta they have it.
    """
    written = [_group_element("group", each) for each in contacts.groups]
    written += [
        _contact_element("contact", each, without_scheme(each.uri))
        for each in contacts.contacts
    ]
    return element("contactList", written, ("deltaNum", contacts.delta)).encode()


def write_contact_delta(former: ContactList, now: ContactList) -> bytes:
    """Write what changed in a list, in the schema's order."""
    change = ContactDelta.between(former, now)
    written = [_group_element("addedGroup", each) for each in change.added_groups]
    written += [
        _group_element("modifiedGroup", each) for each in change.modified_groups
    ]
    written += [
        _contact_element("addedContact", each, each.uri) for each in change.added
    ]
    written += [
        _contact_element("modifiedContact", each, each.uri) for each in change.modified
    ]
    written += [
        element("deletedGroup", (), ("id", each)) for each in change.deleted_groups
    ]
    written += [element("deletedContact", (), ("uri", each)) for each in change.deleted]
    return element(
        "contactDelta",
        written,
        ("deltaNum", change.delta),
        ("prevDeltaNum", change.former),
    ).encode()


def _group_element(name: str, group: Group) -> str:
    return element(
        name,
        (),
        ("id", group.id),
        ("name", group.name),
        ("externalURI", group.external_uri),
    )


def _contact_element(name: str, contact: Contact, uri: str) -> str:
    return element(
        name,
        (),
        ("uri", uri),
        ("name", contact.name),
        ("groups", " ".join(map(str, contact.groups))),
        ("subscribed", flag(contact.is_subscribed)),
        ("externalURI", contact.external_uri),
    )


# --- reading --------------------------------------------------------------------------


def read_contact_list(data: bytes, limits: Limits = LIMITS) -> ContactList:
    """Read a whole list; raises `MalformedDocument`."""
    root = read_root(data, "contactList", "", limits)
    return ContactList(
        root.number("deltaNum"),
        tuple(_read_group(each) for each in root.each("group", most=_MOST)),
        tuple(_read_contact(each) for each in root.each("contact", most=_MOST)),
    )


def read_contact_delta(data: bytes, limits: Limits = LIMITS) -> ContactDelta:
    """Read what changed in a list; raises `MalformedDocument`."""
    root = read_root(data, "contactDelta", "", limits)
    return ContactDelta(
        root.number("deltaNum"),
        root.number("prevDeltaNum"),
        tuple(map(_read_group, root.each("addedGroup", most=_MOST))),
        tuple(map(_read_group, root.each("modifiedGroup", most=_MOST))),
        tuple(each.number("id") for each in root.each("deletedGroup", most=_MOST)),
        tuple(map(_read_contact, root.each("addedContact", most=_MOST))),
        tuple(map(_read_contact, root.each("modifiedContact", most=_MOST))),
        tuple(
            with_scheme(each.needed("uri"))
            for each in root.each("deletedContact", most=_MOST)
        ),
    )


def _read_group(node: Node) -> Group:
    return Group(node.number("id"), node.text("name"), node.text("externalURI"))


def _read_contact(node: Node) -> Contact:
    return Contact(
        with_scheme(node.needed("uri")),
        node.text("name"),
        read_groups(node, node.text("groups")),
        node.flag("subscribed", True),
        node.text("externalURI"),
    )


def read_groups(node: Node, text: str) -> tuple[int, ...]:
    """Read the numbers of groups, with spaces between them; each counts once."""
    return tuple(dict.fromkeys(node.as_number("groups", each) for each in text.split()))
