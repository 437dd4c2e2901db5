"""
Presence in two languages: PIDF with RPID (RFC 3863, RFC 4480), and Lync's states.

`ROWS` is all that one is translated to the other by.  A presence document says more than
a state can hold, and the other way; what neither has a word for stays in its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from xml.etree.ElementTree import Element

import attrs

from presproxy.documents import pidf
from presproxy.documents.datamodel import PERSON, Person, Traits
from presproxy.documents.fragments import (
    DATA_MODEL,
    PIDF,
    RPID,
    Fragment,
    escaped,
)
from presproxy.documents.lync.state import (
    VALUES,
    Activity,
    Availability,
    Custom,
    StateInput,
    StateKind,
    range_of,
)
from presproxy.documents.moments import read_moment, write_moment
from presproxy.documents.pieces import LAST_TUPLE, Piece, Place
from presproxy.documents.rpid import ACTIVITIES, Activities, in_order
from presproxy.documents.xml import Limits, parse

#: How an ``other`` activity of this text is written in the table.
OTHER = "other:"


@attrs.frozen
class Row:
    """
    One meaning in both languages.

    A state of this availability and ``token`` is written with these ``activities``, of
    RPID's kinds.  Any kind of ``read`` is read as this state.
    """

    availability: Availability
    token: str = ""
    activities: tuple[str, ...] = ()
    read: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether ``basic`` is open."""
        return self.availability is not Availability.OFFLINE


#: In the order in which a document's activities are looked for.  Away and busy are written
#: beside what says it better, as many watchers know only these; so vacation is looked for
#: before away.
ROWS = (
    Row(Availability.OFFLINE),
    Row(
        Availability.DO_NOT_DISTURB,
        activities=("busy", "other:do-not-disturb"),
        read=("other:do-not-disturb",),
    ),
    Row(
        Availability.DO_NOT_DISTURB,
        "urgent-interruptions-only",
        ("busy", "other:do-not-disturb"),
    ),
    Row(
        Availability.DO_NOT_DISTURB,
        "in-presentation",
        ("busy", "presentation"),
        ("presentation",),
    ),
    Row(Availability.BUSY, "on-the-phone", ("busy", "on-the-phone"), ("on-the-phone",)),
    Row(Availability.BUSY, "in-a-conference", ("busy", "on-the-phone")),
    Row(
        Availability.BUSY,
        "in-a-meeting",
        ("busy", "meeting"),
        ("meeting", "appointment"),
    ),
    Row(
        Availability.BUSY,
        activities=("busy",),
        read=("busy", "performance", "worship", "steering"),
    ),
    Row(
        Availability.BE_RIGHT_BACK,
        activities=("away", "other:be-right-back"),
        read=("other:be-right-back",),
    ),
    Row(
        Availability.AWAY,
        "out-of-office",
        ("away", "vacation"),
        ("vacation", "holiday"),
    ),
    Row(
        Availability.AWAY,
        "off-work",
        ("away", "other:off-work"),
        ("other:off-work",),
    ),
    Row(
        Availability.AWAY,
        activities=("away",),
        read=(
            "away",
            "meal",
            "breakfast",
            "lunch",
            "dinner",
            "sleeping",
            "shopping",
            "travel",
            "in-transit",
            "playing",
            "tv",
            "permanent-absence",
        ),
    ),
    Row(Availability.AVAILABLE),
)

#: What each becomes when nobody is at the machine: ``user-input`` says idle.
IDLE = {
    Availability.AVAILABLE: Availability.IDLE,
    Availability.BUSY: Availability.BUSY_IDLE,
}
_IN_USE = {idle: in_use for in_use, idle in IDLE.items()}

_BY_STATE = {(row.availability, row.token): row for row in ROWS}
_OFFLINE, _AVAILABLE = ROWS[0], ROWS[-1]


def row_of(state: StateInput) -> Row:
    """Give the row of a state, by its number alone where its token does not go with it."""
    at = range_of(state.availability)
    at = _IN_USE.get(at, at)
    return _BY_STATE.get((at, state.token)) or _BY_STATE[at, ""]


def row_of_activities(kinds: Collection[str], is_open: bool) -> Row:
    """Give the first row whose kinds are among these, written as `ROWS` has them."""
    if not is_open:
        return _OFFLINE
    for row in ROWS:
        if any(kind in kinds for kind in row.read):
            return row
    return _AVAILABLE


#: What clients of 2005 are told in place of a range: an availability and an activity
#: ([MS-SIP] 2.2.1).
OLDER = {
    Availability.AVAILABLE: (300, 400),
    Availability.IDLE: (300, 200),
    Availability.BUSY: (300, 600),
    Availability.BUSY_IDLE: (300, 600),
    Availability.DO_NOT_DISTURB: (300, 600),
    Availability.BE_RIGHT_BACK: (300, 300),
    Availability.AWAY: (300, 100),
    Availability.OFFLINE: (0, 0),
}
_OLDER_ON_THE_PHONE = (300, 500)


def older_numbers(state: StateInput) -> tuple[int, int]:
    """Give the availability and the activity that clients of 2005 are told."""
    if "on-the-phone" in row_of(state).activities:
        return _OLDER_ON_THE_PHONE
    return OLDER[range_of(state.availability)]


# --- from Lync ------------------------------------------------------------------------


def write_tuple(state: StateInput, note: str, id: bytes, contact: bytes) -> Piece:
    """Write the tuple that shows a state; ``contact`` is the element, or empty."""
    is_open = row_of(state).is_open
    data = b'<tuple id="%b"><status><basic>%b</basic></status>%b%b</tuple>' % (
        id,
        b"open" if is_open else b"closed",
        contact,
        _note(b"note", note),
    )
    return Piece(Place.OPEN if is_open else Place.CLOSED, data)


def write_person(
    state: StateInput, note: str, id: bytes, others: Iterable[Fragment] = ()
) -> Person | None:
    """
    Write the person that shows a state, None if there is nothing to say.

    ``others`` are characteristics that stay; what they say of user input does not.
    """
    row = row_of(state)
    if not row.is_open:
        return None
    kinds = [_kind(each) for each in row.activities]
    if state.activity is not None:
        kinds += [_other(each.text) for each in state.activity.custom[:1]]
    activities = Activities(kinds=in_order(kinds)) if kinds else None
    characteristics = [each for each in others if each.tag != _USER_INPUT]
    if range_of(state.availability) in _IN_USE:
        characteristics.insert(0, _user_input(state.last_active))
    written = _note(b"dm:note", note)
    if activities is None and not characteristics and not written:
        return None
    traits = Traits.of(activities, tuple(characteristics))
    return Person.of(b'<dm:person id="%b"' % id, traits, written)


_USER_INPUT = f"{{{RPID}}}user-input"


def _kind(kind: str) -> Fragment:
    if kind.startswith(OTHER):
        return _other(kind.removeprefix(OTHER))
    return Fragment(f"{{{RPID}}}{kind}", f"<rpid:{kind}/>".encode())


def _other(text: str) -> Fragment:
    data = f"<rpid:other>{escaped(text)}</rpid:other>"
    return Fragment(f"{{{RPID}}}other", data.encode())


def _user_input(last: float | None) -> Fragment:
    since = "" if last is None else f' last-input="{write_moment(last)}"'
    return Fragment(
        _USER_INPUT, f"<rpid:user-input{since}>idle</rpid:user-input>".encode()
    )


def _note(name: bytes, text: str) -> bytes:
    return b"<%b>%b</%b>" % (name, escaped(text).encode(), name) if text else b""


# --- to Lync --------------------------------------------------------------------------


@attrs.frozen
class Said:
    """
    What a presence document says, as far as Lync has words for it.

    ``last_input`` is when its machine was last used, where it says so and is idle.
    """

    row: Row
    custom: str = ""
    is_idle: bool = False
    last_input: float | None = None
    note: str = ""

    def states(self, published_at: float) -> tuple[StateInput, ...]:
        """
        Give it as an endpoint that publishes states: a machine's, and its user's choice.

        Without an activity the user said nothing.
        """
        row = self.row
        at = Availability.IDLE if self.is_idle else row.availability
        machine = StateInput(
            StateKind.MACHINE,
            VALUES[at],
            last_active=self.last_input,
            published_at=published_at,
        )
        if not row.is_open or (row is _AVAILABLE and not self.custom):
            return (machine,)
        custom = (Custom(self.custom),) if self.custom else ()
        activity = Activity(row.token, custom) if row.token or custom else None
        user = StateInput(
            StateKind.USER,
            VALUES[row.availability],
            activity,
            is_manual=True,
            published_at=published_at,
        )
        return (machine, user)


#: For pieces of documents that were read, and are within limits each.
_JOINED = Limits(
    octets=2**31,
    depth=64,
    elements=2**31,
    attributes=2**31,
    namespaces=2**31,
    namespace=2**31,
)


def read_said(pieces: Sequence[Piece]) -> Said:
    """Read what the pieces of a composed presence document say, in their order."""
    is_open = bool(pieces) and pieces[0].place is Place.OPEN
    if not is_open:
        return Said(_OFFLINE)
    shown = [each for each in pieces if each.place in (Place.NOTE, Place.PERSON)]
    first = [each for each in pieces[:1] if each.place <= LAST_TUPLE]
    root = parse(pidf.write(b"x", [*first, *shown]), _JOINED)
    person = root.find(PERSON)
    kinds, custom = _kinds(person)
    last_input, is_idle = _idleness(person)
    return Said(
        row_of_activities(kinds, is_open),
        custom,
        is_idle,
        last_input,
        _first_note(root, person),
    )


def _kinds(person: Element | None) -> tuple[set[str], str]:
    """Give the kinds of activities as `ROWS` has them, and a text that is in none."""
    kinds: set[str] = set()
    custom = ""
    activities = None if person is None else person.find(ACTIVITIES)
    for each in () if activities is None else activities:
        namespace, _, kind = each.tag.rpartition("}")
        if namespace != f"{{{RPID}":
            continue
        if kind != "other":
            kinds.add(kind)
            continue
        text = (each.text or "").strip()
        word = OTHER + "-".join(text.lower().split())
        if any(word in row.read for row in ROWS):
            kinds.add(word)
        elif text:
            custom = custom or text
    return kinds, custom


def _idleness(person: Element | None) -> tuple[float | None, bool]:
    """Say since when there was no input, if that is known, and whether there is none."""
    element = None if person is None else person.find(_USER_INPUT)
    if element is None or (element.text or "").strip().lower() != "idle":
        return None, False
    try:
        return read_moment(element.get("last-input", "")), True
    except (ValueError, OverflowError):
        return None, True


def _first_note(root: Element, person: Element | None) -> str:
    """Give the tuple's note, or the person's, or the document's."""
    notes = [*root.iterfind(f"{{{PIDF}}}tuple/{{{PIDF}}}note")]
    if person is not None:
        notes += person.findall(f"{{{DATA_MODEL}}}note")
    notes += root.findall(f"{{{PIDF}}}note")
    texts = [(each.text or "").strip() for each in notes]
    return next((text for text in texts if text), "")
