"""Rules that change while a subscription begins."""

from __future__ import annotations

import pytest

from presproxy.model.decision import FULL, NEUTRAL, Decision, Handling
from presproxy.testing.desk import Desk
from presproxy.testing.wire import pidf

ALLOW = Decision(Handling.ALLOW, "allowed", FULL)
BLOCK = Decision(Handling.BLOCK, "blocked", NEUTRAL)
CONFIRM = Decision(Handling.CONFIRM, "asked", NEUTRAL)
POLITE = Decision(Handling.POLITE_BLOCK, "politely blocked", NEUTRAL)

BOB = "sip:bob@example.test"


def decide_again(desk: Desk, decision: Decision) -> None:
    desk.acl.decision = decision
    desk.server.house.decide_again(BOB)


def test_who_is_blocked_while_his_subscription_is_kept_is_refused(desk):
    desk.publish(pidf(BOB, "secret"))
    desk.storage.hold()
    watching = desk.subscribe()

    decide_again(desk, BLOCK)
    desk.storage.release()

    assert watching.status == 403
    assert desk.notified() == []
    assert (desk.subscriptions, desk.kept("subscription")) == ((), [])


def test_who_is_blocked_while_the_acl_is_asked_is_refused(desk):
    desk.publish(pidf(BOB, "secret"))
    desk.acl.hold()
    watching = desk.subscribe()

    decide_again(desk, BLOCK)
    desk.acl.answer(ALLOW)  # What held when it was asked.
    desk.acl.answer(BLOCK)

    assert watching.status == 403
    assert desk.notified() == []
    assert desk.subscriptions == ()


@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        (ALLOW, CONFIRM, [("pending", "closed")]),
        (ALLOW, POLITE, [("active", "closed")]),
        (CONFIRM, ALLOW, [("active", "here")]),
        (POLITE, ALLOW, [("active", "here")]),
    ],
)
def test_a_subscription_begins_as_the_newest_rule_says(desk, first, then, told):
    desk.publish(pidf(BOB, "here"))
    desk.acl.decision = first
    desk.storage.hold()
    watching = desk.subscribe()

    decide_again(desk, then)
    desk.storage.release()

    assert watching.status == 200
    assert desk.states() == told


@pytest.mark.parametrize(("then", "count"), [(BLOCK, 0), (ALLOW, 1)])
def test_a_poll_sees_what_the_newest_rule_says(desk, then, count):
    desk.acl.hold()
    desk.subscribe({"Expires": "0"})

    decide_again(desk, then)
    desk.acl.answer(ALLOW)
    desk.acl.answer(then)

    assert len(desk.notified()) == count


def test_rules_of_somebody_else_make_nobody_ask_again(desk):
    desk.acl.hold()
    desk.subscribe()

    desk.server.house.decide_again("sip:carol@example.test")
    desk.acl.answer(ALLOW)

    assert len(desk.acl.asked) == 1
    assert len(desk.subscriptions) == 1


def test_rules_that_keep_changing_end_in_a_refusal_for_now(desk):
    desk.storage.hold()
    watching = desk.subscribe()
    for _ in range(5):
        decide_again(desk, ALLOW)
        desk.storage.let_through()
    desk.storage.release()

    assert (watching.status, watching.answer.get("retry-after")) == (503, "30")
    assert (desk.subscriptions, desk.kept("subscription")) == ((), [])
