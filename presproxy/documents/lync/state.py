"""
The category ``state``: how available somebody is, and what for ([MS-PRES] 2.2.2.1).

Each endpoint publishes states of its own, and what watchers see is one made of all of
them, the aggregate.
"""

from __future__ import annotations

import enum
from typing import NamedTuple
from xml.etree.ElementTree import Element

import attrs

from presproxy.documents import writing
from presproxy.documents.moments import read_moment, write_moment
from presproxy.documents.xml import Limits, parse
from presproxy.errors import MalformedDocument

NAMESPACE = "http://schemas.microsoft.com/2006/09/sip/state"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"

_STATE = f"{{{NAMESPACE}}}state"
_TYPE = f"{{{_INSTANCE}}}type"

#: A state is small; much more is none.
LIMITS = Limits(octets=16384, depth=8, elements=100)

#: The largest availability that is read; all from `OFFLINE` on say the same.
_LARGEST = 2**31 - 1
#: The letters that are read of a text in a state.
_LETTERS = 1024
#: The language that custom texts are written for, English, where none is named.
_LANGUAGE = 1033


class Availability(enum.IntEnum):
    """
    The numbers that say how available somebody is, where the range of each begins.

    What is written is in `VALUES`.
    """

    AVAILABLE = 3000
    IDLE = 4500
    BUSY = 6000
    BUSY_IDLE = 7500
    DO_NOT_DISTURB = 9000
    BE_RIGHT_BACK = 12000
    AWAY = 15000
    OFFLINE = 18000


#: The number written for each range.
VALUES = {
    Availability.AVAILABLE: 3500,
    Availability.IDLE: 5000,
    Availability.BUSY: 6500,
    Availability.BUSY_IDLE: 7500,
    Availability.DO_NOT_DISTURB: 9500,
    Availability.BE_RIGHT_BACK: 12500,
    Availability.AWAY: 15500,
    Availability.OFFLINE: 18500,
}


def range_of(availability: int) -> Availability:
    """
    Give the range a number is in.

    Those below 3000 count as available, as Lync's schema has them; they are never written,
    as SIPE takes them for offline.
    """
    for each in reversed(Availability):
        if availability >= each:
            return each
    return Availability.AVAILABLE


class StateKind(enum.StrEnum):
    """Who says it: the user, a machine, his calendar, his phone, or all of them together."""

    USER = "userState"
    MACHINE = "machineState"
    CALENDAR = "calendarState"
    PHONE = "phoneState"
    AGGREGATE = "aggregateState"
    AGGREGATE_MACHINE = "aggregateMachineState"


class Custom(NamedTuple):
    """A text in somebody's own words; ``language`` is its LCID, 1033 for English."""

    text: str
    language: int = _LANGUAGE


@attrs.frozen
class Activity:
    """
    What somebody is about, by ``token`` or in words of his own.

    ``minimum`` and ``maximum`` are the availabilities it goes with, where that is said.
    """

    token: str = ""
    custom: tuple[Custom, ...] = ()
    minimum: int | None = None
    maximum: int | None = None


@attrs.define(unsafe_hash=True)
class StateInput:
    """
    One state; ``published_at`` is when it was said, on the wall clock.

    ``last_active`` and ``start`` are moments on the same clock.  Two that say the same
    are equal, whenever that was said.
    """

    kind: StateKind
    availability: int
    activity: Activity | None = None
    is_manual: bool = False
    last_active: float | None = None
    start: float | None = None
    location: str = ""
    meeting_subject: str = ""
    meeting_location: str = ""
    device: str = ""
    published_at: float = attrs.field(default=0.0, eq=False)

    @property
    def token(self) -> str:
        """The token of the activity, empty if there is none."""
        return self.activity.token if self.activity is not None else ""


# --- reading --------------------------------------------------------------------------


def read_state(
    body: bytes, limits: Limits = LIMITS, published_at: float = 0.0
) -> StateInput:
    """
    Read the element within a publication of ``state``; raises `MalformedDocument`.

    What has no meaning here is passed over.
    """
    root = parse(body, limits)
    if root.tag != _STATE:
        raise MalformedDocument(
            f"the root is {root.tag[:80]}, not state of {NAMESPACE}"
        )
    return StateInput(
        kind=_kind(root),
        availability=_availability(root),
        activity=_activity(root.find(_named("activity"))),
        is_manual=root.get("manual", "").strip() in ("true", "1"),
        last_active=_moment(root, "lastActive"),
        start=_moment(root, "startTime"),
        location=_text(root, "endpointLocation"),
        meeting_subject=_text(root, "meetingSubject"),
        meeting_location=_text(root, "meetingLocation"),
        device=_text(root, "device"),
        published_at=published_at,
    )


def _named(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _kind(root: Element) -> StateKind:
    # The prefix says whose type it is, and there are no others of these names.
    name = root.get(_TYPE, "").strip().rpartition(":")[2]
    try:
        return StateKind(name)
    except ValueError:
        raise MalformedDocument(f"state: its type is {name[:40]!r}") from None


def _availability(root: Element) -> int:
    text = (root.findtext(_named("availability")) or "").strip()
    return _number("availability", text) if text else 0


def _activity(element: Element | None) -> Activity | None:
    if element is None:
        return None
    activity = Activity(
        token=element.get("token", "").strip()[:_LETTERS],
        custom=tuple(
            [
                Custom(_cut(each.text), _number("LCID", each.get("LCID", "1033")))
                for each in element.findall(_named("custom"))
                if _cut(each.text)
            ]
        ),
        minimum=_bound(element, "minAvailability"),
        maximum=_bound(element, "maxAvailability"),
    )
    return activity if activity.token or activity.custom else None


def _bound(element: Element, name: str) -> int | None:
    text = element.get(name, "").strip()
    return _number(name, text) if text else None


def _number(name: str, text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise MalformedDocument(f"state: {name} is {text[:40]!r}, which is no number")
    return min(int(text), _LARGEST)


def _moment(root: Element, name: str) -> float | None:
    text = root.get(name, "").strip()
    if not text:
        return None
    try:
        return read_moment(text)
    except (ValueError, OverflowError):
        raise MalformedDocument(
            f"state: {name} is {text[:40]!r}, which is no moment"
        ) from None


def _text(root: Element, name: str) -> str:
    return _cut(root.findtext(_named(name)))


def _cut(text: str | None) -> str:
    return (text or "").strip()[:_LETTERS]


# --- writing --------------------------------------------------------------------------


def write_state(state: StateInput) -> bytes:
    """Write the element of a state; when it was published stands around it."""
    out = [f'<state xmlns="{NAMESPACE}" xmlns:xsi="{_INSTANCE}"']
    out.append(f' xsi:type="{state.kind}"')
    if state.kind is not StateKind.AGGREGATE:
        out.append(f' manual="{"true" if state.is_manual else "false"}"')
    if state.last_active is not None:
        out.append(f' lastActive="{write_moment(state.last_active)}"')
    if state.start is not None:
        out.append(f' startTime="{write_moment(state.start)}"')
    out.append(f"><availability>{state.availability}</availability>")
    if state.activity is not None:
        out.append(_written(state.activity))
    for name, text in (
        ("endpointLocation", state.location),
        ("meetingSubject", state.meeting_subject),
        ("meetingLocation", state.meeting_location),
        ("device", state.device),
    ):
        if text:
            out.append(f"<{name}>{writing.text(text)}</{name}>")
    out.append("</state>")
    return "".join(out).encode()


def _written(activity: Activity) -> str:
    attributes = ""
    if activity.token:
        attributes += f' token="{writing.attribute(activity.token)}"'
    if activity.minimum is not None:
        attributes += f' minAvailability="{activity.minimum}"'
    if activity.maximum is not None:
        attributes += f' maxAvailability="{activity.maximum}"'
    custom = "".join(
        [
            f'<custom LCID="{each.language}">{writing.text(each.text)}</custom>'
            for each in activity.custom
        ]
    )
    return f"<activity{attributes}>{custom}</activity>"
