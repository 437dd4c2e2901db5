from __future__ import annotations

import pytest

from presproxy.model.decision import FULL, NEUTRAL
from presproxy.model.identity import Identity
from presproxy.model.subscription import Happening, State, Subscription, Tell
from presproxy.sip.uri import AddressOfRecord

PENDING, ACTIVE, TERMINATED = State.PENDING, State.ACTIVE, State.TERMINATED


def subscription(state: State = PENDING) -> Subscription:
    return Subscription(
        key="s",
        watcher=Identity(AddressOfRecord("sip:bob@example.test"), "open"),
        presentity=AddressOfRecord("sip:alice@example.test"),
        package="presence",
        content_type="application/pidf+xml",
        expires_at=3600.0,
        notifier="sip",
        route=None,
        state=state,
    )


@pytest.mark.parametrize(
    ("before", "happening", "after", "tell"),
    [
        (PENDING, Happening.APPROVED, ACTIVE, Tell.STATE),
        (PENDING, Happening.REFUSED, TERMINATED, Tell.LAST),
        (PENDING, Happening.DEACTIVATED, TERMINATED, Tell.LAST),
        (PENDING, Happening.EXPIRED, TERMINATED, Tell.LAST),
        (PENDING, Happening.UNSUBSCRIBED, TERMINATED, Tell.LAST),
        (PENDING, Happening.UNREACHABLE, TERMINATED, Tell.NOTHING),
        (PENDING, Happening.REFRESHED, PENDING, Tell.STATE),
        (PENDING, Happening.CHANGED, PENDING, Tell.NOTHING),
        (ACTIVE, Happening.APPROVED, ACTIVE, Tell.STATE),
        (ACTIVE, Happening.REFUSED, TERMINATED, Tell.LAST),
        (ACTIVE, Happening.DEACTIVATED, TERMINATED, Tell.LAST),
        (ACTIVE, Happening.EXPIRED, TERMINATED, Tell.LAST),
        (ACTIVE, Happening.UNSUBSCRIBED, TERMINATED, Tell.LAST),
        (ACTIVE, Happening.UNREACHABLE, TERMINATED, Tell.NOTHING),
        (ACTIVE, Happening.REFRESHED, ACTIVE, Tell.STATE),
        (ACTIVE, Happening.CHANGED, ACTIVE, Tell.STATE),
        *((TERMINATED, each, TERMINATED, Tell.NOTHING) for each in Happening),
    ],
    ids=lambda value: value.value,
)
def test_what_happens_moves_a_subscription_and_tells(before, happening, after, tell):
    one = subscription(before)

    told = one.happen(happening)

    assert (one.state, told) == (after, tell)


def test_every_happening_to_a_living_subscription_has_a_row():
    moves = {
        (state, happening): subscription(state).happen(happening)
        for state in (PENDING, ACTIVE)
        for happening in Happening
    }

    silent = {pair for pair, tell in moves.items() if tell is Tell.NOTHING}
    assert silent == {
        (PENDING, Happening.CHANGED),
        (PENDING, Happening.UNREACHABLE),
        (ACTIVE, Happening.UNREACHABLE),
    }


def test_nothing_leads_back_from_active_to_pending():
    for happening in Happening:
        one = subscription(ACTIVE)
        one.happen(happening)

        assert one.state is not PENDING


@pytest.mark.parametrize(
    ("state", "was_approved"),
    [(PENDING, True), (ACTIVE, False)],
    ids=["pending", "active"],
)
def test_who_was_pending_first_was_approved(state, was_approved):
    one = subscription(state)

    one.happen(Happening.APPROVED)

    assert one.was_approved is was_approved


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_a_subscription_is_alive_until_it_has_ended(state):
    assert subscription(state).is_alive is (state is not TERMINATED)


def test_a_new_subscription_sees_nobody_at_home():
    one = subscription()

    assert (one.state, one.view, one.view == FULL) == (PENDING, NEUTRAL, False)
