"""
Contact lists: whom each user knows, in which groups, and who may see him.

There is one list of each user, whoever writes to it: an operator, an ACL or the user's own
Lync clients.  An entry is of one watcher, or of a whole domain: ``sip:*@example.org``.
Entries come here when they are lasting, and are looked up here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from presproxy.documents.lync.contacts import DEFAULT_GROUP, Contact, ContactList
from presproxy.errors import LimitReached
from presproxy.events.contact_records import (
    CONTACT,
    GROUPS,
    NO_GROUPS,
    NOTHING,
    Entry,
    Groups,
    read_entry,
    read_groups,
    write_entry,
    write_groups,
)
from presproxy.model.decision import Handling
from presproxy.model.record import Change, Record
from presproxy.sip.uri import AddressOfRecord, domain_of

_Entries = dict[AddressOfRecord, Entry]


@attrs.define(eq=False)
class StagedContacts:
    """
    A change of one list on its way: entries, and perhaps the groups, as they will be.

    ``is_counted`` raises the list's number even where nothing comes out differently, as
    whoever asked for it counts along.
    """

    lists: ContactLists
    presentity: AddressOfRecord
    entries: Mapping[AddressOfRecord, Entry] = attrs.field(factory=dict)
    groups: Groups | None = None
    is_counted: bool = False

    @property
    def changes(self) -> Sequence[Change]:
        """See `Staged`."""
        changes = [
            write_entry(
                self.presentity,
                watcher,
                entry.handling,
                entry.version - 1,
                entry.contact,
            )
            for watcher, entry in self.entries.items()
        ]
        if self.groups is not None:
            changes.append(write_groups(self.presentity, self.groups))
        return changes

    def live(self) -> None:
        """See `Staged`."""
        self.lists.live(self)

    def take_back(self) -> None:
        """See `Staged`; nothing was reserved."""


@attrs.define(eq=False)
class Shelf:
    """All lists as they were read: nothing is told of what is put here."""

    limit: int
    _lists: dict[AddressOfRecord, _Entries] = attrs.field(factory=dict)
    _groups: dict[AddressOfRecord, Groups] = attrs.field(factory=dict)

    def entries(self, presentity: AddressOfRecord) -> Mapping[AddressOfRecord, Entry]:
        """Give the entries of one list, those taken back among them."""
        return self._lists.get(presentity, {})

    def groups(self, presentity: AddressOfRecord) -> Groups:
        """Give the groups of one list."""
        return self._groups.get(presentity, NO_GROUPS)

    def __len__(self) -> int:
        """Say how many lists there are, with entries or with groups."""
        return max(len(self._lists), len(self._groups))

    def knows(self, presentity: AddressOfRecord) -> bool:
        """Whether there is a list of this presentity."""
        return presentity in self._lists or presentity in self._groups

    def presentities(self) -> set[AddressOfRecord]:
        """Give all who have said anything."""
        return {*self._lists, *self._groups}

    def put(
        self, presentity: AddressOfRecord, watcher: AddressOfRecord, entry: Entry
    ) -> Entry | None:
        """
        Hold an entry, and give the one in whose place it came.

        What is not newer than the one held is old news: None.
        """
        entries = self._lists.setdefault(presentity, {})
        held = entries.get(watcher, NOTHING)
        if entry.version <= held.version:
            return None
        if len(entries) >= self.limit and watcher not in entries:
            entries = self._lists[presentity] = _without_taken_back(entries)
        entries[watcher] = entry
        return held

    def put_groups(self, presentity: AddressOfRecord, groups: Groups) -> Groups | None:
        """Hold groups as `put` does an entry."""
        held = self.groups(presentity)
        if groups.version <= held.version:
            return None
        self._groups[presentity] = groups
        return held

    def take(self, record: Record) -> None:
        """Hold what a record says; raises ValueError for one that cannot be read."""
        if record.kind == CONTACT:
            self.put(*read_entry(record))
        else:
            self.put_groups(*read_groups(record))


@attrs.define(eq=False)
class ContactLists:
    """
    The lists of all users: at most ``users`` have one.

    ``limit`` is the most entries in one.

    ``decide_again`` is told of each list that says another thing of a watcher;
    ``changed`` of each that is another in any way.  Entries which were
    taken back stay for their versions, until the list is full.
    """

    decide_again: Callable[[AddressOfRecord], None]
    changed: Callable[[AddressOfRecord], None]
    limit: int = 1000
    users: int = 1_000_000
    _shelf: Shelf = attrs.field(init=False)
    #: Filled while all is read again, and then put in the place of ``_shelf``.
    _incoming: Shelf | None = attrs.field(init=False, default=None)
    #: How often a list was changed since the start, of those that were.
    _deltas: dict[AddressOfRecord, int] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self._shelf = Shelf(self.limit)

    # --- What is said

    def find(
        self, presentity: AddressOfRecord, watcher: AddressOfRecord
    ) -> tuple[AddressOfRecord, Handling] | None:
        """
        Give the entry that holds for a watcher: its own, else its domain's.

        The answer names the entry, too.
        """
        entries = self._shelf.entries(presentity)
        if not entries:
            return None
        for name in (watcher, everybody_of(domain_of(watcher))):
            handling = entries.get(name, NOTHING).handling
            if handling is not None:
                return name, handling
        return None

    def of(self, presentity: AddressOfRecord) -> dict[AddressOfRecord, Handling]:
        """Give all that a presentity has said."""
        return _said(self._shelf.entries(presentity))

    def entry(self, presentity: AddressOfRecord, watcher: AddressOfRecord) -> Entry:
        """Give the entry of exactly this watcher; its version is 0 if there is none."""
        return self._shelf.entries(presentity).get(watcher, NOTHING)

    def groups(self, presentity: AddressOfRecord) -> Groups:
        """Give the groups of a list."""
        return self._shelf.groups(presentity)

    def shown(self, presentity: AddressOfRecord) -> ContactList:
        """
        Give the list as its owner's clients see it.

        Whoever is allowed is in it, whether a client or an operator said so.
        """
        groups = self.groups(presentity).groups
        known = frozenset(group.id for group in groups)
        return ContactList(
            1 + self._deltas.get(presentity, 0),
            groups,
            tuple(_shown(self._shelf.entries(presentity), known)),
        )

    # --- Changes

    def check_room(self, presentity: AddressOfRecord, watcher: AddressOfRecord) -> None:
        """Raise `LimitReached` if there is no room for one more watcher in the list."""
        self.check_user(presentity)
        said = self.of(presentity)
        if watcher not in said and len(said) >= self.limit:
            raise LimitReached(f"contacts in the list of {presentity}", self.limit)

    def check_user(self, presentity: AddressOfRecord) -> None:
        """Raise `LimitReached` if there is no room for one more list."""
        if len(self._shelf) >= self.users and not self._shelf.knows(presentity):
            raise LimitReached("users who have a contact list", self.users)

    def stage(
        self,
        presentity: AddressOfRecord,
        watcher: AddressOfRecord,
        handling: Handling | None,
    ) -> StagedContacts:
        """
        Stage what is said of a watcher; None forgets him, and that he is a contact.

        Raises `LimitReached` when the list is full.
        """
        held = self.entry(presentity, watcher)
        if held.handling is handling:
            return StagedContacts(self, presentity)
        if handling is not None:
            self.check_room(presentity, watcher)
        contact = None if handling is None else held.contact
        entry = Entry(handling, held.version + 1, contact)
        return StagedContacts(self, presentity, {watcher: entry})

    def live(self, staged: StagedContacts) -> None:
        """Make what was committed seen."""
        self._put(staged.presentity, staged.entries, staged.groups, staged.is_counted)

    # --- Records

    def take(self, record: Record) -> None:
        """
        Hold what a record says, as another node wrote it.

        Raises ValueError for one that cannot be read.
        """
        if record.kind == CONTACT:
            presentity, watcher, entry = read_entry(record)
            self._put(presentity, {watcher: entry}, None, is_counted=False)
        elif record.kind == GROUPS:
            presentity, groups = read_groups(record)
            self._put(presentity, {}, groups, is_counted=False)

    def read_again(self) -> Shelf:
        """Give where all records are to be put before they `replace` what is held."""
        self._incoming = Shelf(self.limit)
        return self._incoming

    def replace(self, incoming: Shelf, *, is_first: bool = False) -> None:
        """
        Hold what was read, and tell whose lists are different but for the first time.

        Does nothing if all is being read once more already.
        """
        if self._incoming is not incoming:
            return
        before, self._shelf, self._incoming = self._shelf, incoming, None
        if is_first:
            return
        for presentity in before.presentities() | incoming.presentities():
            old, new = before.entries(presentity), incoming.entries(presentity)
            if _said(old) != _said(new):
                self.decide_again(presentity)
            if old != new or before.groups(presentity) != incoming.groups(presentity):
                self._count(presentity)

    def _put(
        self,
        presentity: AddressOfRecord,
        entries: Mapping[AddressOfRecord, Entry],
        groups: Groups | None,
        is_counted: bool,
    ) -> None:
        is_said = False
        for watcher, entry in entries.items():
            if self._incoming is not None:
                self._incoming.put(presentity, watcher, entry)
            held = self._shelf.put(presentity, watcher, entry)
            if held is not None:
                is_said |= held.handling is not entry.handling
                is_counted |= (held.handling, held.contact) != (
                    entry.handling,
                    entry.contact,
                )
        if groups is not None:
            if self._incoming is not None:
                self._incoming.put_groups(presentity, groups)
            is_counted |= self._shelf.put_groups(presentity, groups) is not None
        if is_said:
            self.decide_again(presentity)
        if is_counted:
            self._count(presentity)

    def _count(self, presentity: AddressOfRecord) -> None:
        self._deltas[presentity] = self._deltas.get(presentity, 0) + 1
        self.changed(presentity)


def _said(entries: Mapping[AddressOfRecord, Entry]) -> dict[AddressOfRecord, Handling]:
    return {
        watcher: entry.handling
        for watcher, entry in entries.items()
        if entry.handling is not None
    }


def _without_taken_back(entries: _Entries) -> _Entries:
    return {
        watcher: entry
        for watcher, entry in entries.items()
        if entry.handling is not None
    }


def _shown(
    entries: Mapping[AddressOfRecord, Entry], known: frozenset[int]
) -> Iterator[Contact]:
    """Give the contacts; whose groups are all gone is in the first one."""
    for watcher, entry in entries.items():
        contact = _contact(watcher, entry)
        if contact is None:
            continue
        groups = tuple(each for each in contact.groups if each in known)
        if groups != contact.groups:
            groups = groups or (DEFAULT_GROUP.id,)
            contact = attrs.evolve(contact, groups=groups)
        yield contact


def _contact(watcher: AddressOfRecord, entry: Entry) -> Contact | None:
    """Give an entry as a contact, if it is one: of whom only bad is said is none."""
    if entry.contact is not None:
        return entry.contact
    is_one = watcher.startswith("sip:") and not watcher.startswith("sip:*@")
    if entry.handling is Handling.ALLOW and is_one:
        return Contact(watcher)
    return None


def everybody_of(domain: str) -> AddressOfRecord:
    """Give the name of an entry for all the users of a domain."""
    return AddressOfRecord(f"sip:*@{domain}")
