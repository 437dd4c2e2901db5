"""
What presentities have said of their watchers: in memory, and as records.

A list entry is of one watcher, or of a whole domain: ``sip:*@example.org``.  Entries come
here when they are lasting, and are looked up here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from presproxy.errors import LimitReached
from presproxy.model.decision import Handling
from presproxy.model.record import NEVER, Change, Delete, Put, Record
from presproxy.sip.uri import AddressOfRecord, domain_of

#: The kind of these records; their key is the presentity and the watcher, their owner
#: the presentity.
CONTACT = "contact"

_FORM = "contact/1"


@attrs.frozen
class Entry:
    """
    What is said of one watcher; None when it was taken back.

    ``version`` is that of the record.
    """

    handling: Handling | None
    version: int


@attrs.define(eq=False)
class ContactLists:
    """
    The lists of all presentities.  ``limit`` is the most entries in one.

    Entries which were taken back stay for their versions, until the list is full.
    """

    limit: int
    _lists: dict[AddressOfRecord, dict[AddressOfRecord, Entry]] = attrs.field(
        factory=dict
    )

    def find(
        self, presentity: AddressOfRecord, watcher: AddressOfRecord
    ) -> tuple[AddressOfRecord, Handling] | None:
        """
        Give the entry that holds for a watcher: its own, else its domain's.

        The answer names the entry, too.
        """
        entries = self._lists.get(presentity)
        if entries is None:
            return None
        for name in (watcher, everybody_of(domain_of(watcher))):
            handling = entries.get(name, _NOTHING).handling
            if handling is not None:
                return name, handling
        return None

    def of(self, presentity: AddressOfRecord) -> dict[AddressOfRecord, Handling]:
        """Give all that a presentity has said."""
        return {
            watcher: entry.handling
            for watcher, entry in self._lists.get(presentity, {}).items()
            if entry.handling is not None
        }

    def entry(self, presentity: AddressOfRecord, watcher: AddressOfRecord) -> Entry:
        """Give the entry of exactly this watcher; its version is 0 if there is none."""
        return self._lists.get(presentity, {}).get(watcher, _NOTHING)

    def check_room(self, presentity: AddressOfRecord, watcher: AddressOfRecord) -> None:
        """Raise `LimitReached` if the list is too full for one more watcher."""
        said = self.of(presentity)
        if watcher not in said and len(said) >= self.limit:
            raise LimitReached(f"contacts in the list of {presentity}", self.limit)

    def put(
        self, presentity: AddressOfRecord, watcher: AddressOfRecord, entry: Entry
    ) -> bool:
        """
        Hold an entry, and say whether that changed anything.

        What is not newer than the one held is old news.
        """
        entries = self._lists.setdefault(presentity, {})
        held = entries.get(watcher, _NOTHING)
        if entry.version <= held.version:
            return False
        if len(entries) >= self.limit and watcher not in entries:
            entries = self._lists[presentity] = _without_taken_back(entries)
        entries[watcher] = entry
        return entry.handling is not held.handling

    def presentities(self) -> set[AddressOfRecord]:
        """Give all who have said anything."""
        return set(self._lists)


_NOTHING = Entry(None, 0)


def _without_taken_back(
    entries: Mapping[AddressOfRecord, Entry],
) -> dict[AddressOfRecord, Entry]:
    return {
        watcher: entry
        for watcher, entry in entries.items()
        if entry.handling is not None
    }


def everybody_of(domain: str) -> AddressOfRecord:
    """Give the name of an entry for all the users of a domain."""
    return AddressOfRecord(f"sip:*@{domain}")


# --- Records


def write_entry(
    presentity: AddressOfRecord,
    watcher: AddressOfRecord,
    handling: Handling | None,
    staged_on: int,
) -> Change:
    """Give the change which makes an entry lasting, or takes it back."""
    key = entry_key(presentity, watcher)
    if handling is None:
        return Delete(CONTACT, key, presentity, staged_on)
    payload = f"{_FORM}\n{handling.value}\n".encode()
    return Put(CONTACT, key, presentity, staged_on, NEVER, payload)


def entry_key(presentity: AddressOfRecord, watcher: AddressOfRecord) -> str:
    """Give the key of an entry's record; no address has a space in it."""
    return f"{presentity} {watcher}"


def read_entry(record: Record) -> tuple[AddressOfRecord, AddressOfRecord, Entry]:
    """
    Read a record back: the presentity, the watcher, and what is said.

    Raises ValueError for what was not written by `write_entry`.
    """
    presentity, space, watcher = record.key.partition(" ")
    entry = Entry(_read_handling(record), record.version)
    if not space or presentity != record.owner:
        raise ValueError(f"{record.kind} {record.key}: not one presentity and watcher")
    return AddressOfRecord(presentity), AddressOfRecord(watcher), entry


def _read_handling(record: Record) -> Handling | None:
    if record.expires_at == 0:
        return None
    form, _, handling = record.payload.decode("utf-8", "replace").partition("\n")
    if form != _FORM:
        raise ValueError(f"{record.kind} {record.key}: not written as {_FORM}")
    return Handling(handling.strip())
