from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.aggregation import OFFLINE, aggregate
from presproxy.documents.lync.state import (
    Activity,
    Availability,
    Custom,
    StateInput,
    StateKind,
    range_of,
)


def user(availability: int, at: float = 1.0, token: str = "") -> StateInput:
    activity = Activity(token) if token else None
    return StateInput(StateKind.USER, availability, activity, published_at=at)


def machine(availability: int, at: float = 1.0, **more: object) -> StateInput:
    return StateInput(StateKind.MACHINE, availability, published_at=at, **more)


def calendar(
    availability: int,
    token: str = "in-a-meeting",
    least: int | None = 6500,
    most: int | None = 8999,
    at: float = 1.0,
) -> StateInput:
    activity = Activity(token, (), least, most)
    return StateInput(StateKind.CALENDAR, availability, activity, published_at=at)


def phone(
    availability: int = 6500, token: str = "on-the-phone", at: float = 1.0
) -> StateInput:
    activity = Activity(token, (), 6500, 8999)
    return StateInput(StateKind.PHONE, availability, activity, published_at=at)


ROWS = {
    # Nobody is there without a machine that is on.
    "nothing": ([], 18500, ""),
    "a choice without a machine": ([user(6500)], 18500, ""),
    "a meeting without a machine": ([calendar(6500)], 18500, ""),
    "a choice, and a machine that says offline": (
        [user(6500), machine(18500)],
        18500,
        "",
    ),
    # The most active machine counts.
    "one machine in use": ([machine(3500)], 3500, ""),
    "active before inactive": ([machine(5000, 2.0), machine(3500)], 3500, ""),
    "inactive before away": ([machine(15500, 2.0), machine(5000)], 5000, ""),
    "away before offline": ([machine(18500, 2.0), machine(15500)], 15500, ""),
    "of two active ones the latest": (
        [machine(6500, 1.0), machine(3500, 2.0)],
        3500,
        "",
    ),
    "a number below all ranges": ([machine(1)], 3500, ""),
    "a number within a range stays": ([machine(15600)], 15600, ""),
    # The latest choice counts.
    "the choice": ([user(6500), machine(3500)], 6500, ""),
    "the latest choice": ([user(9500, 2.0), user(6500), machine(3500)], 9500, ""),
    "a choice of nothing": ([user(0, 2.0), user(6500), machine(3500)], 6500, ""),
    "hidden": ([user(18500), machine(3500), calendar(6500)], 18500, ""),
    "a choice with an activity": (
        [user(9500, token="in-presentation"), machine(3500)],
        9500,
        "in-presentation",
    ),
    "be right back": ([user(12500), machine(3500)], 12500, ""),
    # Available is no choice: the least available of the others counts.
    "available on a machine in use": ([user(3500), machine(3500)], 3500, ""),
    "available on an inactive machine": ([user(3500), machine(5000)], 5000, ""),
    "available on an away machine": ([user(3500), machine(15500)], 15500, ""),
    "available in a meeting": (
        [user(3500), machine(3500), calendar(6500)],
        6500,
        "in-a-meeting",
    ),
    "no choice in a meeting": ([machine(3500), calendar(6500)], 6500, "in-a-meeting"),
    "away in a meeting": ([machine(15500), calendar(6500)], 15500, ""),
    "a call in a meeting": (
        [machine(3500), calendar(6500), phone(at=2.0)],
        6500,
        "on-the-phone",
    ),
    "available with words of his own": (
        [user(3500, token="off-work"), machine(3500)],
        3500,
        "off-work",
    ),
    "available with words, on an away machine": (
        [user(3500, token="off-work"), machine(15500)],
        15500,
        "",
    ),
    # Busy and not at the machine.
    "busy on an inactive machine": ([user(6500), machine(5000)], 7500, ""),
    "busy on an away machine": ([user(6500), machine(15500)], 7500, ""),
    "a meeting on an inactive machine": (
        [machine(5000), calendar(6500)],
        7500,
        "in-a-meeting",
    ),
    "not to be disturbed on an inactive machine": (
        [user(9500), machine(5000)],
        9500,
        "",
    ),
    # Calendar and phone beside a choice.
    "busy in a meeting": (
        [user(6500), machine(3500), calendar(6500)],
        6500,
        "in-a-meeting",
    ),
    "not to be disturbed in a meeting": (
        [user(9500), machine(3500), calendar(6500)],
        9500,
        "",
    ),
    "busy, and a phone that asks for more": (
        [user(6500), machine(3500), calendar(9500, "in-presentation", 9000, 11999)],
        9500,
        "in-presentation",
    ),
    "a choice that says its own": (
        [user(6500, token="off-work"), machine(3500), calendar(6500)],
        6500,
        "off-work",
    ),
    "an activity without bounds raises nothing": (
        [user(6500), machine(3500), calendar(9500, "x", None, None)],
        6500,
        "",
    ),
    "a calendar that says nothing": ([machine(3500), calendar(0)], 3500, ""),
    "a calendar signs nobody off": ([machine(3500), calendar(18500)], 3500, ""),
}


@pytest.mark.parametrize(
    ("inputs", "availability", "token"), ROWS.values(), ids=ROWS.keys()
)
def test_one_state_is_made_of_all(inputs, availability, token):
    for each in (inputs, inputs[::-1]):
        state = aggregate(each)

        assert state.kind is StateKind.AGGREGATE
        assert (state.availability, state.token) == (availability, token)


def test_bounds_of_an_activity_are_not_shown():
    assert aggregate([machine(3500), calendar(6500)]).activity == Activity(
        "in-a-meeting"
    )


def test_what_a_meeting_is_about_is_shown_with_it():
    meeting = StateInput(
        StateKind.CALENDAR,
        6500,
        Activity("in-a-meeting", (), 6500, 8999),
        meeting_subject="Budget",
        meeting_location="5a",
    )

    state = aggregate([user(6500), machine(3500), meeting])

    assert (state.meeting_subject, state.meeting_location) == ("Budget", "5a")


def test_own_words_are_kept():
    words = Activity(custom=(Custom("gone fishing"),))
    said = StateInput(StateKind.USER, 15500, words)

    assert aggregate([said, machine(3500)]).activity == words


def test_the_machine_says_where_and_on_what():
    inputs = [machine(3500, location="Office", device="Mobile"), user(6500)]

    state = aggregate(inputs)

    assert (state.location, state.device) == ("Office", "Mobile")


@pytest.mark.parametrize(
    ("machines", "last"),
    [
        ([machine(3500, last_active=70.0)], None),
        ([machine(5000, last_active=70.0)], 70.0),
        ([machine(5000, last_active=70.0), machine(15500, last_active=60.0)], 70.0),
        ([machine(15500)], None),
    ],
    ids=["in use", "inactive", "of all the latest", "unknown"],
)
def test_when_a_machine_was_last_in_use_is_told_while_none_is(machines, last):
    assert aggregate(machines).last_active == last


@pytest.mark.parametrize(
    ("inputs", "at"),
    [
        ([], 0.0),
        ([machine(3500, 5.0), user(6500, 3.0)], 3.0),
        ([machine(3500, 5.0), user(3500, 7.0)], 5.0),
        ([machine(18500, 5.0), user(6500, 7.0)], 5.0),
        ([machine(3500, 5.0), user(18500, 7.0)], 7.0),
    ],
    ids=["nothing", "the choice", "the machine", "gone", "hidden"],
)
def test_it_is_as_old_as_what_decided(inputs, at):
    assert aggregate(inputs).published_at == at


INPUTS = st.builds(
    StateInput,
    st.sampled_from(list(StateKind)),
    st.integers(0, 20000),
    st.none()
    | st.builds(
        Activity,
        st.sampled_from(["", "x"]),
        minimum=st.none() | st.integers(0, 20000),
        maximum=st.none() | st.integers(0, 20000),
    ),
    published_at=st.floats(0, 10),
)


@given(st.lists(INPUTS, max_size=6))
def test_whatever_is_said_the_number_is_one_that_clients_know(inputs):
    state = aggregate(inputs)

    assert state.availability >= 3000
    assert state.kind is StateKind.AGGREGATE
    if all(each.kind is not StateKind.MACHINE for each in inputs):
        assert state == OFFLINE
    if range_of(state.availability) is Availability.OFFLINE:
        assert state.activity is None
