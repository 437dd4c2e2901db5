"""
What Lync clients do to their user's contact list ([MS-SIP] 3.4).

Each gives a staged change of the list as it is now, and raises the list's number even
where nothing comes out differently: the client counts its own changes along.
"""

from __future__ import annotations

import attrs

from presproxy.documents.lync.contacts import DEFAULT_GROUP, Contact, Group
from presproxy.errors import LimitReached, PresproxyError
from presproxy.events.contact_records import Entry, Groups
from presproxy.events.contacts import ContactLists, StagedContacts
from presproxy.model.decision import Handling
from presproxy.sip.uri import AddressOfRecord

#: In one list.  Chosen: nobody finds anybody in more.
MOST_GROUPS = 100

#: Letters in the name of a contact or a group.  Chosen: nobody reads more.
LONGEST_NAME = 256


@attrs.frozen(eq=False)
class UnknownGroup(PresproxyError):
    """No group has this number."""

    number: int

    def __str__(self) -> str:
        return f"no group has the number {self.number}"


class FixedGroup(PresproxyError):
    """The group of those who are in no other stays, and keeps its name."""


def set_contact(
    lists: ContactLists, user: AddressOfRecord, contact: Contact
) -> StagedContacts:
    """
    Add a contact, or keep it otherwise.

    Somebody of whom nothing was said is allowed to see who adds him.  Groups that are not
    there, perhaps not any more, are left out.  Raises `LimitReached`.
    """
    watcher = AddressOfRecord(contact.uri)
    lists.check_room(user, watcher)
    _check_name(contact.name)
    known = {group.id for group in lists.groups(user).groups}
    numbers = tuple(each for each in contact.groups if each in known)
    contact = attrs.evolve(contact, groups=numbers or (DEFAULT_GROUP.id,))
    handling = lists.entry(user, watcher).handling or Handling.ALLOW
    return _entered(lists, user, watcher, handling, contact)


def delete_contact(
    lists: ContactLists, user: AddressOfRecord, watcher: AddressOfRecord
) -> StagedContacts:
    """
    Take a contact off the list, if he is on it.

    He is a stranger again, except that who was blocked stays so.
    """
    handling = lists.entry(user, watcher).handling
    kept = None if handling is Handling.ALLOW else handling
    return _entered(lists, user, watcher, kept, None)


def add_group(
    lists: ContactLists, user: AddressOfRecord, name: str, external_uri: str
) -> StagedContacts:
    """
    Add a group; one of that name which is there already is the one asked for.

    Raises `LimitReached`.
    """
    held = lists.groups(user)
    if group_named(lists, user, name) is not None:
        return _grouped(lists, user, None)
    lists.check_user(user)
    _check_name(name)
    if len(held.groups) >= MOST_GROUPS:
        raise LimitReached(f"groups in the list of {user}", MOST_GROUPS)
    group = Group(held.last + 1, name, external_uri)
    groups = Groups((*held.groups, group), group.id, held.version + 1)
    return _grouped(lists, user, groups)


def modify_group(
    lists: ContactLists, user: AddressOfRecord, group: Group
) -> StagedContacts:
    """
    Give a group another name.

    Raises `UnknownGroup`, `FixedGroup` and `LimitReached`.
    """
    _check_name(group.name)
    held = lists.groups(user)
    old = _known(held, group.id)
    if old == group:
        return _grouped(lists, user, None)
    _check_not_fixed(old)
    groups = tuple(group if each is old else each for each in held.groups)
    return _grouped(lists, user, Groups(groups, held.last, held.version + 1))


def delete_group(
    lists: ContactLists, user: AddressOfRecord, number: int
) -> StagedContacts:
    """
    Take a group off; who was in no other is in the first one from now on.

    Raises `UnknownGroup` and `FixedGroup`.
    """
    held = lists.groups(user)
    old = _known(held, number)
    _check_not_fixed(old)
    groups = tuple(each for each in held.groups if each is not old)
    return _grouped(lists, user, Groups(groups, held.last, held.version + 1))


def group_named(lists: ContactLists, user: AddressOfRecord, name: str) -> Group | None:
    """Give the group that has this name."""
    groups = lists.groups(user).groups
    return next((each for each in groups if each.name == name), None)


def _check_name(name: str) -> None:
    if len(name) > LONGEST_NAME:
        raise LimitReached("letters in a name", LONGEST_NAME)


def _known(groups: Groups, number: int) -> Group:
    for group in groups.groups:
        if group.id == number:
            return group
    raise UnknownGroup(number)


def _check_not_fixed(group: Group) -> None:
    if group.id == DEFAULT_GROUP.id:
        raise FixedGroup("the first group stays as it is")


def _entered(
    lists: ContactLists,
    user: AddressOfRecord,
    watcher: AddressOfRecord,
    handling: Handling | None,
    contact: Contact | None,
) -> StagedContacts:
    held = lists.entry(user, watcher)
    entries = {}
    if (held.handling, held.contact) != (handling, contact):
        entries[watcher] = Entry(handling, held.version + 1, contact)
    return StagedContacts(lists, user, entries, is_counted=True)


def _grouped(
    lists: ContactLists, user: AddressOfRecord, groups: Groups | None
) -> StagedContacts:
    return StagedContacts(lists, user, groups=groups, is_counted=True)
