"""What becomes of watchers when somebody decides about them."""

from __future__ import annotations

import pytest

from presproxy.model.decision import Decision, Handling
from presproxy.model.subscription import Happening, Reason, State
from presproxy.testing.agency import FIRST, Agency, watcher

PENDING, ACTIVE, TERMINATED = State.PENDING, State.ACTIVE, State.TERMINATED
ALLOW = Decision(Handling.ALLOW, "a friend")
BLOCK = Decision(Handling.BLOCK, "a bore")
POLITE_BLOCK = Decision(Handling.POLITE_BLOCK, "a boss")
CONFIRM = Decision(Handling.CONFIRM, "who is that?")


def test_a_pending_watcher_sees_no_state_and_no_change(agency):
    agency.publish("away")

    agency.subscribe("bob", Handling.CONFIRM)
    agency.publish("busy")

    assert agency.told() == [(PENDING, "nobody", None)]


def test_an_approved_watcher_is_told_the_state(agency):
    agency.publish("away")
    subscription = agency.subscribe("bob", Handling.CONFIRM)
    agency.told()

    is_another = agency.agent.decided(subscription, ALLOW)

    assert is_another
    assert agency.told() == [(ACTIVE, "away", None)]
    assert subscription.was_approved
    assert subscription.rule == "a friend"


@pytest.mark.parametrize(
    "handling", [Handling.ALLOW, Handling.CONFIRM, Handling.POLITE_BLOCK]
)
def test_a_blocked_watcher_is_rejected_and_shown_nobody_at_home(agency, handling):
    agency.publish("away")
    subscription = agency.subscribe("bob", handling)
    agency.told()

    is_another = agency.agent.decided(subscription, BLOCK)
    agency.publish("busy")

    assert not is_another
    assert agency.told() == [(TERMINATED, "nobody", Reason.REJECTED)]
    assert agency.gone == [subscription]


def test_a_change_and_a_block_in_one_turn_show_nothing_of_the_change(agency):
    subscription = agency.subscribe("bob")
    agency.told()

    agency.publish("away")
    agency.agent.decided(subscription, BLOCK)

    assert agency.told() == [(TERMINATED, "nobody", Reason.REJECTED)]


def test_an_active_watcher_who_must_wait_may_ask_anew(agency):
    agency.publish("away")
    subscription = agency.subscribe("bob")
    agency.told()

    agency.agent.decided(subscription, CONFIRM)

    assert agency.told() == [(TERMINATED, "nobody", Reason.DEACTIVATED)]
    assert agency.gone == [subscription]


def test_a_pending_watcher_goes_on_waiting(agency):
    subscription = agency.subscribe("bob", Handling.CONFIRM)
    agency.told()

    assert not agency.agent.decided(subscription, CONFIRM)
    assert agency.told() == []
    assert subscription.state is PENDING


def test_a_decision_that_opens_the_same_view_tells_nothing(agency):
    subscription = agency.subscribe("bob")
    agency.told()

    assert not agency.agent.decided(subscription, ALLOW)
    assert agency.told() == []


def test_another_view_is_told_at_once(agency):
    agency.publish("away")
    agency.sleep(1)
    agency.publish("busy")
    subscription = agency.subscribe("bob")
    agency.told()

    is_another = agency.agent.decided(
        subscription, Decision(Handling.ALLOW, "a rule", FIRST)
    )

    assert is_another
    assert agency.told() == [(ACTIVE, "busy", None)]


def test_a_decision_about_a_subscription_that_ended_is_old_news(agency):
    subscription = agency.subscribe("bob")
    agency.agent.end(subscription, Happening.UNSUBSCRIBED)
    agency.told()

    assert not agency.agent.decided(subscription, BLOCK)
    assert agency.told() == []


# --- Polite blocking


def life(agency, handling):
    """All that one watcher is told while somebody lives his life."""
    subscription = agency.subscribe("bob", handling)
    if handling is Handling.POLITE_BLOCK:
        agency.subscribe("carol")
        publication = agency.publish("away")
        agency.settle()
        agency.unpublish(agency.publish_again(publication, "busy"))
        agency.sleep(1)
    agency.refresh(subscription)
    agency.sleep(10)
    agency.agent.end(subscription, Happening.UNSUBSCRIBED)
    return [
        (each.state, each.body, each.reason)
        for each in agency.notifier.take()
        if each.watcher == watcher("bob")
    ]


def test_polite_blocking_looks_exactly_like_nobody_at_home():
    assert life(Agency(), Handling.POLITE_BLOCK) == life(Agency(), Handling.ALLOW)


def test_whoever_becomes_politely_blocked_sees_somebody_leave(agency):
    agency.publish("away")
    subscription = agency.subscribe("bob")
    agency.told()

    is_another = agency.agent.decided(subscription, POLITE_BLOCK)
    agency.publish("busy")

    assert is_another
    assert agency.told() == [(ACTIVE, "nobody", None)]


def test_a_politely_blocked_watcher_found_at_the_start_is_told_of_no_change(agency):
    subscription = agency.subscription("bob", Handling.POLITE_BLOCK)
    agency.agent.restore(subscription)

    agency.publish("away")

    assert agency.told() == []
