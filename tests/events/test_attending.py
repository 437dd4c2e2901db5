"""Who watches makes state be fetched from behind, if he may see any."""

from __future__ import annotations

import pytest

from presproxy.model.decision import Decision, Handling
from presproxy.model.subscription import Happening, State
from presproxy.testing.agency import ALICE, WORDS, Agency

ALLOW = Decision(Handling.ALLOW, "a friend")
UNSEEING = [Handling.CONFIRM, Handling.POLITE_BLOCK]


@pytest.fixture
def heard(agency):
    """What was told of who watches, in order."""
    told = []
    agency.agent.watched = lambda aor, package, is_: told.append((aor, is_))
    return told


def leave(agency: Agency, *subscriptions) -> None:
    for each in subscriptions:
        agency.agent.end(each, Happening.UNSUBSCRIBED)


def test_the_first_and_the_last_are_told_of(agency, heard):
    bob, carol = agency.subscribe("bob"), agency.subscribe("carol")
    leave(agency, bob)
    assert heard == [(ALICE, True)]

    leave(agency, carol)

    assert heard == [(ALICE, True), (ALICE, False)]


@pytest.mark.parametrize("handling", UNSEEING)
def test_who_may_see_nothing_makes_nothing_be_fetched(agency, heard, handling):
    leave(agency, agency.subscribe("bob", handling))

    assert heard == []


@pytest.mark.parametrize("handling", UNSEEING)
def test_who_is_allowed_later_does_then(agency, heard, handling):
    bob = agency.subscribe("bob", handling)
    agency.agent.decided(bob, ALLOW)
    leave(agency, bob)

    assert heard == [(ALICE, True), (ALICE, False)]


def test_subscriptions_of_before_a_start_count(agency, heard):
    bob = agency.subscription("bob")
    bob.state = State.ACTIVE

    agency.agent.restore(bob)

    assert heard == [(ALICE, True)]


def test_whoever_asks_once_makes_it_be_fetched_for_a_while(agency, heard):
    agency.agent.fetch(agency.subscription("bob"))

    assert heard == [(ALICE, True), (ALICE, False)]


@pytest.mark.parametrize("handling", UNSEEING)
def test_who_asks_once_and_may_see_nothing_does_not(agency, heard, handling):
    agency.agent.fetch(agency.subscription("bob", handling))

    assert heard == []


def test_who_asks_once_takes_nothing_from_those_who_watch(agency, heard):
    agency.subscribe("carol")

    agency.agent.fetch(agency.subscription("bob"))

    assert heard == [(ALICE, True)]


@pytest.fixture
def waiting(agency):
    """Whose state is about to come."""
    agency.agent.awaits = lambda aor, package: True


def begin(agency, name, state=State.ACTIVE, **how):
    subscription = agency.subscription(name)
    subscription.state = state
    agency.agent.begin(subscription, **how)


def test_who_is_patient_is_told_once_it_is_known(agency, waiting):
    begin(agency, "bob", is_patient=True)
    assert agency.bodies() == []

    agency.agent.changed(ALICE, WORDS, 0.0)
    agency.turn()

    assert agency.bodies() == ["nobody"]


def test_who_comes_while_others_were_told_meanwhile_is_told_too(agency, waiting):
    begin(agency, "bob", is_patient=True)
    agency.publish("here")
    agency.turn()
    begin(agency, "carol", is_patient=True)
    assert agency.bodies() == ["here"]

    agency.agent.changed(ALICE, WORDS, 0.0)
    agency.turn()

    assert agency.bodies() == ["here"]


def test_who_may_see_nothing_waits_for_nothing(agency, waiting):
    begin(agency, "bob", State.PENDING, is_patient=True)

    assert len(agency.told()) == 1


def test_who_cannot_wait_is_told_at_once(agency, waiting):
    begin(agency, "bob")

    assert agency.bodies() == ["nobody"]
