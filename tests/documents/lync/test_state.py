from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.state import (
    NAMESPACE,
    Activity,
    Availability,
    Custom,
    StateInput,
    StateKind,
    range_of,
    read_state,
    write_state,
)
from presproxy.errors import MalformedDocument

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def state(attributes: str = 'xsi:type="userState"', content: str = "") -> bytes:
    return f'<state xmlns="{NAMESPACE}" {XSI} {attributes}>{content}</state>'.encode()


def test_what_a_machine_says_is_read():
    body = state(
        'manual="false" xsi:type="machineState" lastActive="2026-11-22T06:31:00Z"',
        "<availability>5000</availability><endpointLocation>Office</endpointLocation>"
        "<device>Mobile</device>",
    )

    assert read_state(body, published_at=7.0) == StateInput(
        StateKind.MACHINE,
        5000,
        last_active=1795329060.0,
        location="Office",
        device="Mobile",
    )
    assert read_state(body, published_at=7.0).published_at == 7.0


def test_what_a_calendar_says_is_read():
    body = state(
        'xsi:type="calendarState" manual="1" startTime="2026-11-22T06:30:00.5Z"',
        "<availability> 6500 </availability>"
        '<activity token="in-a-meeting" minAvailability="6500" maxAvailability="8999">'
        '<custom LCID="1031">Besprechung</custom><custom>Meeting</custom></activity>'
        "<meetingSubject>Budget</meetingSubject><meetingLocation>5a</meetingLocation>",
    )

    assert read_state(body) == StateInput(
        StateKind.CALENDAR,
        6500,
        Activity(
            "in-a-meeting",
            (Custom("Besprechung", 1031), Custom("Meeting")),
            6500,
            8999,
        ),
        is_manual=True,
        start=1795329000.5,
        meeting_subject="Budget",
        meeting_location="5a",
    )


def test_the_types_prefix_does_not_matter():
    body = state(f'xmlns:s="{NAMESPACE}" xsi:type=" s:userState"')

    assert read_state(body).kind is StateKind.USER


def test_a_state_that_says_nothing_has_no_availability_and_no_activity():
    read = read_state(state(content="<endpointLocation/><activity/>"))

    assert read == StateInput(StateKind.USER, 0)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<state", "not well-formed"),
        (b"<state/>", "the root is state, not state of http"),
        (state(""), "state: its type is ''"),
        (state('xsi:type="moodState"'), "state: its type is 'moodState'"),
        (
            state(content="<availability>busy</availability>"),
            "availability is 'busy', which is no number",
        ),
        (
            state(content="<availability>-1</availability>"),
            "availability is '-1', which is no number",
        ),
        (
            state('xsi:type="userState" lastActive="yesterday"'),
            "lastActive is 'yesterday', which is no moment",
        ),
        (
            state(content='<activity token="x" minAvailability="low"/>'),
            "minAvailability is 'low', which is no number",
        ),
        (state(content="<x>" * 9 + "</x>" * 9), "over 8 elements deep"),
        (state(content=" " * 20000), "over 16384 octets"),
    ],
)
def test_what_is_no_state_is_refused_with_a_reason(body, why):
    with pytest.raises(MalformedDocument, match=why):
        read_state(body)


@given(st.binary(max_size=80) | st.text(max_size=60).map(lambda t: state(content=t)))
def test_no_body_fails_in_another_way(body):
    with suppress(MalformedDocument):
        read_state(body)


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=9
)
NUMBERS = st.integers(0, 20000)
MOMENTS = st.none() | st.integers(0, 4 * 10**9).map(float)
ACTIVITIES = st.builds(
    Activity,
    TEXTS,
    st.lists(st.builds(Custom, TEXTS, NUMBERS), max_size=2).map(tuple),
    st.none() | NUMBERS,
    st.none() | NUMBERS,
)
STATES = st.builds(
    StateInput,
    st.sampled_from(list(StateKind)),
    NUMBERS,
    st.none() | ACTIVITIES,
    last_active=MOMENTS,
    start=MOMENTS,
    location=st.just("") | TEXTS,
    meeting_subject=st.just("") | TEXTS,
    meeting_location=st.just("") | TEXTS,
    device=st.just("") | TEXTS,
)


@given(STATES)
def test_what_is_written_reads_back_the_same(state):
    assert read_state(write_state(state)) == state


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, Availability.AVAILABLE),
        (2999, Availability.AVAILABLE),
        (3000, Availability.AVAILABLE),
        (4499, Availability.AVAILABLE),
        (4500, Availability.IDLE),
        (5999, Availability.IDLE),
        (6000, Availability.BUSY),
        (7499, Availability.BUSY),
        (7500, Availability.BUSY_IDLE),
        (8999, Availability.BUSY_IDLE),
        (9000, Availability.DO_NOT_DISTURB),
        (11999, Availability.DO_NOT_DISTURB),
        (12000, Availability.BE_RIGHT_BACK),
        (14999, Availability.BE_RIGHT_BACK),
        (15000, Availability.AWAY),
        (17999, Availability.AWAY),
        (18000, Availability.OFFLINE),
        (2**31, Availability.OFFLINE),
    ],
)
def test_every_number_is_in_a_range(number, expected):
    assert range_of(number) is expected
