"""Contact lists as records: one for each entry, and one for the groups of a list."""

from __future__ import annotations

import json
from typing import Any

import attrs
import cattrs

from presproxy.documents.lync.contacts import DEFAULT_GROUP, Contact, Group
from presproxy.model.decision import Handling
from presproxy.model.record import NEVER, Change, Delete, Put, Record
from presproxy.sip.uri import AddressOfRecord

#: The kind of entries; their key is the presentity and the watcher, their owner the
#: presentity.
CONTACT = "contact"

#: The kind of groups; their key and owner is the presentity.
GROUPS = "contact-groups"

#: An entry that says how its watcher is treated, and one which Lync clients keep, too.
_HANDLED, _LISTED = "contact/1", "contact/2"

_GROUPS = "contact-groups/1"

_converter = cattrs.Converter(forbid_extra_keys=True)


@attrs.frozen
class Entry:
    """
    What is said of one watcher; ``handling`` is None when that was taken back.

    ``contact`` is how its owner's Lync clients keep it, None if none of them does.
    ``version`` is that of the record.
    """

    handling: Handling | None
    version: int
    contact: Contact | None = None


@attrs.frozen
class Groups:
    """
    The groups of one list; ``last`` is the highest number that was ever given.

    ``version`` is that of the record, 0 if there is none.
    """

    groups: tuple[Group, ...] = (DEFAULT_GROUP,)
    last: int = DEFAULT_GROUP.id
    version: int = 0


NOTHING = Entry(None, 0)
NO_GROUPS = Groups()


def entry_key(presentity: AddressOfRecord, watcher: AddressOfRecord) -> str:
    """Give the key of an entry's record; no address has a space in it."""
    return f"{presentity} {watcher}"


def write_entry(
    presentity: AddressOfRecord,
    watcher: AddressOfRecord,
    handling: Handling | None,
    staged_on: int,
    contact: Contact | None = None,
) -> Change:
    """Give the change which makes an entry lasting, or takes it back."""
    key = entry_key(presentity, watcher)
    if handling is None:
        return Delete(CONTACT, key, presentity, staged_on)
    form = _HANDLED if contact is None else _LISTED
    text = f"{form}\n{handling.value}\n"
    if contact is not None:
        text += json.dumps(_converter.unstructure(contact))
    return Put(CONTACT, key, presentity, staged_on, NEVER, text.encode())


def read_entry(record: Record) -> tuple[AddressOfRecord, AddressOfRecord, Entry]:
    """
    Read a record back: the presentity, the watcher, and what is said.

    Raises ValueError for what was not written by `write_entry`.
    """
    presentity, space, watcher = record.key.partition(" ")
    if not space or presentity != record.owner:
        raise ValueError(f"{record.kind} {record.key}: not one presentity and watcher")
    return AddressOfRecord(presentity), AddressOfRecord(watcher), _read_entry(record)


def _read_entry(record: Record) -> Entry:
    if record.expires_at == 0:
        return Entry(None, record.version)
    form, _, rest = record.payload.decode("utf-8", "replace").partition("\n")
    handling, _, contact = rest.partition("\n")
    if form == _HANDLED:
        return Entry(Handling(handling.strip()), record.version)
    if form != _LISTED:
        raise ValueError(f"{record.kind} {record.key}: not written as {_LISTED}")
    return Entry(
        Handling(handling), record.version, _structured(record, contact, Contact)
    )


def write_groups(presentity: AddressOfRecord, groups: Groups) -> Change:
    """Give the change which makes groups lasting, to stand at their version."""
    fields = {"last": groups.last, "groups": _converter.unstructure(groups.groups)}
    payload = f"{_GROUPS}\n{json.dumps(fields)}".encode()
    return Put(GROUPS, presentity, presentity, groups.version - 1, NEVER, payload)


def read_groups(record: Record) -> tuple[AddressOfRecord, Groups]:
    """
    Read a record back: the presentity and its groups.

    Raises ValueError for what was not written by `write_groups`.
    """
    form, _, rest = record.payload.decode("utf-8", "replace").partition("\n")
    if form != _GROUPS:
        raise ValueError(f"{record.kind} {record.key}: not written as {_GROUPS}")
    groups = _structured(record, rest, Groups)
    return AddressOfRecord(record.key), attrs.evolve(groups, version=record.version)


def _structured(record: Record, text: str, form: Any) -> Any:
    """Read JSON into one of our values, which only the caller knows the class of."""
    try:
        return _converter.structure(json.loads(text), form)
    except (
        AttributeError,  # Of what is JSON and no object.
        cattrs.BaseValidationError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(f"{record.kind} {record.key}: not readable") from error
