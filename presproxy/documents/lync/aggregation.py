"""
One state of many: what somebody's machines, calendar, phone and he himself say.

These are this project's rules for what Lync's documentation shows as results.  Times are
when something was said; nothing here looks at a clock.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from presproxy.documents.lync.state import (
    VALUES,
    Activity,
    Availability,
    StateInput,
    StateKind,
    range_of,
)

OFFLINE = StateInput(StateKind.AGGREGATE, VALUES[Availability.OFFLINE])

#: How present whoever sits at a machine is, the most active first.  SIPE says of a
#: machine what its user chose, so that a busy machine is one in use.
_ACTIVE, _INACTIVE, _AWAY, _GONE = range(4)
_CLASSES = {
    Availability.AVAILABLE: _ACTIVE,
    Availability.IDLE: _INACTIVE,
    Availability.BUSY: _ACTIVE,
    Availability.BUSY_IDLE: _INACTIVE,
    Availability.DO_NOT_DISTURB: _ACTIVE,
    Availability.BE_RIGHT_BACK: _AWAY,
    Availability.AWAY: _AWAY,
    Availability.OFFLINE: _GONE,
}

_SAYS_FOR_ITSELF = (StateKind.CALENDAR, StateKind.PHONE)


def aggregate(inputs: Sequence[StateInput]) -> StateInput:
    """
    Make one state of all that is said.

    Nobody is there without a machine that is on, whatever else is said.  The most active
    machine counts, of equals the latest heard of; and the latest that the user said.
    What he said counts, but for "available": then the least available of machine,
    calendar and phone does.  A calendar or phone takes him up to its own state where its
    activity asks for more than he has.  Who is busy and not at his machine is busy and
    idle.
    """
    machine = _most_active([each for each in inputs if each.kind is StateKind.MACHINE])
    if machine is None:
        return OFFLINE
    if _class(machine) == _GONE:
        return attrs.evolve(OFFLINE, published_at=machine.published_at)
    user = _latest_choice([each for each in inputs if each.kind is StateKind.USER])
    if user is not None and _at(user) is Availability.OFFLINE:
        return attrs.evolve(OFFLINE, published_at=user.published_at)
    others = [each for each in inputs if _counts_beside(each)]
    decided = _deciding(machine, user, others)
    number = _number(decided, machine)
    about = _about(number, decided, user, others)
    return StateInput(
        kind=StateKind.AGGREGATE,
        availability=number,
        activity=_unbounded(about.activity),
        last_active=_last_active(machine, inputs),
        start=decided.start,
        location=machine.location,
        meeting_subject=about.meeting_subject,
        meeting_location=about.meeting_location,
        device=machine.device,
        published_at=decided.published_at,
    )


def _at(state: StateInput) -> Availability:
    return range_of(state.availability)


def _class(machine: StateInput) -> int:
    return _CLASSES[_at(machine)]


def _most_active(machines: Sequence[StateInput]) -> StateInput | None:
    return min(
        machines, key=lambda each: (_class(each), -each.published_at), default=None
    )


def _latest_choice(users: Sequence[StateInput]) -> StateInput | None:
    """Give what the user said last; an availability of 0 says nothing."""
    said = [each for each in users if each.availability]
    return max(said, key=lambda each: each.published_at, default=None)


def _counts_beside(state: StateInput) -> bool:
    """Whether it is a calendar or phone that says something; neither signs anybody off."""
    return (
        state.kind in _SAYS_FOR_ITSELF
        and state.availability > 0
        and _at(state) is not Availability.OFFLINE
    )


def _deciding(
    machine: StateInput, user: StateInput | None, others: Sequence[StateInput]
) -> StateInput:
    """Give what decides how available somebody is."""
    if user is None or _at(user) is Availability.AVAILABLE:
        own, over = machine, others
    else:
        own = user
        over = [each for each in others if own.availability < _least(each)]
    # Where two say the same, the one which tells more of it.
    return max(
        (own, *over),
        key=lambda each: (each.availability, each is not own, each.published_at),
    )


def _least(state: StateInput) -> int:
    """Give the availability below which a calendar or phone takes somebody up."""
    activity = state.activity
    return (activity.minimum or 0) if activity is not None else 0


def _number(decided: StateInput, machine: StateInput) -> int:
    """Give the number that is shown."""
    at = _at(decided)
    if at is Availability.BUSY and _class(machine) != _ACTIVE:
        return VALUES[Availability.BUSY_IDLE]
    # Below 3000 some clients read "offline".
    return decided.availability if decided.availability >= at else VALUES[at]


def _last_active(machine: StateInput, inputs: Sequence[StateInput]) -> float | None:
    """
    Say when a machine was last in use; nothing while one is.

    Then it would be another moment each time somebody asks.
    """
    if _class(machine) == _ACTIVE:
        return None
    told = [
        each.last_active
        for each in inputs
        if each.kind is StateKind.MACHINE and each.last_active is not None
    ]
    return max(told, default=None)


def _about(
    number: int,
    decided: StateInput,
    user: StateInput | None,
    others: Sequence[StateInput],
) -> StateInput:
    """
    Give the state that says what somebody is about.

    It is what decided, or the latest calendar or phone whose activity goes with the
    number, or what the user says beside being available.
    """
    if decided.activity is not None and _goes_with(decided.activity, number):
        return decided
    fitting = [
        each
        for each in others
        if each.activity is not None
        and each.activity.minimum is not None
        and _goes_with(each.activity, number)
    ]
    if fitting:
        return max(fitting, key=lambda each: each.published_at)
    if user is not None and _at(user) is range_of(number):
        return user
    return attrs.evolve(decided, activity=None)


def _goes_with(activity: Activity, number: int) -> bool:
    least, most = activity.minimum, activity.maximum
    return (least is None or least <= number) and (most is None or number <= most)


def _unbounded(activity: Activity | None) -> Activity | None:
    """Give the activity alone; what it goes with was for here."""
    if activity is None:
        return None
    return attrs.evolve(activity, minimum=None, maximum=None)
