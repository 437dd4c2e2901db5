"""What a server behind keeps of one presentity of ours, and its record."""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs

from presproxy.model.notice import Body, NumberedBody
from presproxy.model.record import Change, Delete, Put, Record
from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent.alarms import Alarm

#: The kind of these records; their owner is the presentity.
PASSED = "passed"

_FORM = "passed/1"


@attrs.define(eq=False)
class Passed:
    """
    One publication behind, or the wish for one.

    ``body`` is what is there, None if nobody knows; ``number`` counts the bodies that were
    sent.  It ends at ``ends_at`` on the clock of alarms.
    """

    presentity: AddressOfRecord
    package: str
    #: The interval asked for, in seconds.
    expires: int
    #: When it is refreshed, or tried again.
    alarm: Alarm
    #: That of its record, which is never used again.
    key: str
    entity_tag: str | None = None
    body: Body | NumberedBody | None = None
    number: int = 0
    ends_at: float = 0.0
    #: That of its record; 0 if there is none.
    version: int = 0
    #: Whether it is to be looked at, waits for its turn, and has it.
    is_wanted: bool = False
    is_queued: bool = False
    is_asking: bool = False
    #: Whether it is to be refreshed, even if nothing has changed; and because it may have
    #: been lost.
    is_due: bool = False
    is_doubted: bool = False
    #: Whether it waits because it failed, how often in a row, and why.
    is_refused: bool = False
    tries: int = 0
    why: str = ""


@attrs.define(eq=False)
class StagedPassed:
    """
    What a server keeps, on its way into the storage.

    ``next_key`` is that of the record after this one, should it be deleted.
    """

    passed: Passed
    server: str
    expires_at: float
    next_key: str

    @property
    def changes(self) -> Sequence[Change]:
        """See `Staged`."""
        passed = self.passed
        key, owner, staged_on = passed.key, passed.presentity, passed.version
        if passed.entity_tag is None:
            return (Delete(PASSED, key, owner, staged_on),) if staged_on else ()
        names = [self.server, passed.package, passed.entity_tag]
        payload = f"{_FORM}\n{json.dumps(names)}".encode()
        return (
            Put(PASSED, key, owner, staged_on, self.expires_at, payload, "", False),
        )

    def live(self) -> None:
        """See `Staged`."""
        passed = self.passed
        if passed.entity_tag is None:
            passed.key, passed.version = self.next_key, 0
        else:
            passed.version += 1

    def take_back(self) -> None:
        """See `Staged`; nothing was reserved."""


@attrs.frozen
class Remembered:
    """What a record says."""

    server: str
    package: str
    presentity: AddressOfRecord
    entity_tag: str


def read_passed(record: Record) -> Remembered:
    """Read a record; raises ValueError for what was not written here."""
    form, _, text = record.payload.decode("utf-8", "replace").partition("\n")
    try:
        names = json.loads(text) if form == _FORM else None
    except ValueError:
        names = None
    if not isinstance(names, list) or [type(each) for each in names] != [str] * 3:
        raise ValueError(f"{record.kind} {record.key}: not written as {_FORM}")
    server, package, entity_tag = names
    return Remembered(server, package, AddressOfRecord(record.owner), entity_tag)
