"""Asking the contact ACLs, once and again when rules change."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from presproxy.errors import StorageUnavailable
from presproxy.model.decision import FULL, NEUTRAL, Decision, Explained, Handling
from presproxy.model.identity import Identity
from presproxy.testing.desk import Desk
from presproxy.testing.scripted import ScriptedACL
from presproxy.testing.wire import pidf

ALLOW = Decision(Handling.ALLOW, "allowed", FULL)
BLOCK = Decision(Handling.BLOCK, "blocked", NEUTRAL)
CONFIRM = Decision(Handling.CONFIRM, "asked", NEUTRAL)
POLITE = Decision(Handling.POLITE_BLOCK, "politely blocked", NEUTRAL)

ALICE, BOB = "sip:alice@example.test", "sip:bob@example.test"


@pytest.fixture
def decide_again(desk):
    """Change bob's rules."""

    def change(decision=None):
        if decision is not None:
            desk.acl.decision = decision
        desk.server.house.decide_again(BOB)

    return change


def explain(desk):
    said = Deferred.fromCoroutine(
        desk.server.decider.explain(Identity(ALICE, ""), BOB, "presence")
    )
    return said.result


# --- The order of several


@pytest.mark.parametrize(
    ("decisions", "explained"),
    [
        ([ALLOW, BLOCK], Explained(ALLOW, "acl0")),
        ([None, BLOCK], Explained(BLOCK, "acl1")),
        (
            [None, None],
            Explained(Decision(Handling.CONFIRM, "no contact ACL has an opinion"), ""),
        ),
        (
            [RuntimeError("broken"), ALLOW],
            Explained(Decision(Handling.CONFIRM, "acl acl0 failed"), "acl0"),
        ),
        (
            [],
            Explained(Decision(Handling.CONFIRM, "no contact ACL has an opinion"), ""),
        ),
    ],
    ids=["the first", "the second", "nobody", "one that fails", "none at all"],
)
def test_the_first_who_has_an_opinion_decides(decisions, explained):
    desk = Desk([ScriptedACL(decision) for decision in decisions])

    assert explain(desk) == explained


# --- Rules that change


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (ALLOW, BLOCK, [("terminated;reason=rejected", "closed")]),
        (ALLOW, CONFIRM, [("terminated;reason=deactivated", "closed")]),
        (ALLOW, POLITE, [("active", "closed")]),
        (CONFIRM, ALLOW, [("active", "here")]),
        (CONFIRM, BLOCK, [("terminated;reason=rejected", "closed")]),
        (ALLOW, ALLOW, []),
        (CONFIRM, CONFIRM, []),
        (ALLOW, RuntimeError("broken"), []),
        (CONFIRM, RuntimeError("broken"), []),
    ],
)
def test_a_new_rule_is_obeyed_at_once(desk, decide_again, before, after, told):
    desk.publish(pidf(BOB, "here"))
    desk.acl.decision = before
    desk.subscribe()
    desk.notified()

    decide_again(after)

    assert desk.states() == told
    assert len(desk.subscriptions) == len(desk.kept("subscription"))


def test_a_decision_is_kept(desk, decide_again):
    desk.acl.decision = CONFIRM
    desk.subscribe()
    desk.notified()

    decide_again(ALLOW)

    last = desk.storage.changes[-1]
    assert b"\nactive\n" in last.payload
    assert last.staged_on == 1


def test_a_decision_that_cannot_be_kept_is_obeyed_and_the_others_too(
    desk, decide_again
):
    desk.acl.decision = CONFIRM
    for user in ("alice", "carol", "dave"):
        desk.subscribe(user=user)
    desk.notified()
    desk.storage.failure = StorageUnavailable("full")

    decide_again(ALLOW)

    assert desk.states() == [("active", "closed")] * 3
    assert desk.defects == 0


def test_an_old_answer_never_wins_over_a_newer_rule(desk, decide_again):
    desk.publish(pidf(BOB, "secret"))
    desk.acl.decision = CONFIRM
    desk.subscribe()
    desk.notified()
    desk.acl.hold()

    decide_again()  # allowed, but the answer takes its time
    decide_again()  # blocked meanwhile
    desk.acl.answer(ALLOW)
    told_of_the_old_one = desk.states()
    while desk.acl.waiting:
        desk.acl.answer(BLOCK)

    assert told_of_the_old_one == []
    assert desk.states() == [("terminated;reason=rejected", "closed")]


def test_deciding_again_runs_once_at_a_time_for_one_presentity(desk, decide_again):
    desk.subscribe()
    desk.acl.hold()

    for _ in range(100):
        decide_again()
    waiting = len(desk.acl.waiting)
    while desk.acl.waiting:
        desk.acl.answer(ALLOW)

    assert waiting == 1
    assert len(desk.acl.asked) <= 4
    assert desk.server.decider._deciding == {}
    assert desk.server.decider.open_questions == {}


def test_deciding_about_many_lets_the_reactor_breathe(desk, decide_again):
    for number in range(450):
        desk.subscribe(user=f"u{number}")
    desk.acl.asked.clear()

    decide_again(BLOCK)
    at_once = len(desk.acl.asked)
    for _ in range(3):
        desk.clock.advance(0)

    assert at_once == 200
    assert desk.subscriptions == ()


# --- Where an ACL fails


def test_who_could_not_be_decided_about_is_asked_about_later(desk):
    desk.publish(pidf(BOB, "here"))
    desk.acl.decision = RuntimeError("broken")
    desk.subscribe()
    pending = desk.states()
    desk.acl.decision = ALLOW

    desk.server.decider.ask_undecided()

    assert pending == [("pending", "closed")]
    assert desk.states() == [("active", "here")]
    assert desk.server.decider._undecided == {}


def test_while_it_fails_one_is_asked_about_and_the_others_wait(desk):
    desk.acl.decision = RuntimeError("broken")
    for name in ("bob", "carol", "dave"):
        desk.subscribe(uri=f"sip:{name}@example.test")
    asked = len(desk.acl.asked)

    desk.server.decider.ask_undecided()

    assert len(desk.acl.asked) == asked + 1
    assert len(desk.server.decider._undecided) == 3

    desk.acl.decision = ALLOW
    desk.server.decider.ask_undecided()

    assert {each.state.value for each in desk.subscriptions} == {"active"}


def test_asking_again_is_not_begun_while_it_is_under_way(desk):
    desk.acl.decision = RuntimeError("broken")
    desk.subscribe()
    desk.acl.hold()

    for _ in range(10):
        desk.server.decider.ask_undecided()

    assert len(desk.acl.waiting) == 1


def test_an_acl_that_takes_too_long_leaves_the_watcher_waiting(desk):
    desk.acl.hold()
    watching = desk.subscribe()
    before = watching.status

    desk.sleep(5.1)

    assert (before, watching.status) == (None, 200)
    assert desk.states() == [("pending", "closed")]


def test_rules_that_keep_changing_leave_a_watcher_as_he_is(desk, decide_again):
    desk.subscribe()
    desk.notified()
    desk.acl.hold()
    decide_again()

    for _ in range(5):
        for question in desk.server.decider.open_questions[BOB]:
            question.is_outdated = True
        desk.acl.answer(BLOCK)

    assert desk.notified() == []
    assert list(desk.server.decider._undecided) == [BOB]


# --- Those who wait


@pytest.mark.parametrize(
    ("after", "left"),
    [(ALLOW, []), (BLOCK, []), (POLITE, []), (CONFIRM, [("presence", ALICE)])],
)
def test_who_waits_waits_no_longer_once_he_was_decided_about(
    desk, decide_again, after, left
):
    desk.acl.decision = CONFIRM
    desk.subscribe({"Expires": "0"})
    waiting = desk.server.agent.visitors.waiting(BOB)

    decide_again(after)

    assert waiting == [("presence", ALICE)]
    assert desk.server.agent.visitors.waiting(BOB) == left
