from __future__ import annotations

import pytest

from presproxy.model.decision import FULL, Decision, Handling
from presproxy.model.subscription import Happening, Reason, State
from presproxy.testing.agency import (
    ALICE,
    FIRST,
    WORDS,
    Told,
    watcher,
)

ACTIVE, TERMINATED = State.ACTIVE, State.TERMINATED
BLOCK = Decision(Handling.BLOCK, "a bore")
ENDS = (
    Happening.REFUSED,
    Happening.DEACTIVATED,
    Happening.EXPIRED,
    Happening.UNSUBSCRIBED,
    Happening.UNREACHABLE,
)


def is_empty(agency):
    """Whether the agent remembers nothing at all."""
    agent = agency.agent
    return not (
        len(agent)
        or agent._by_watcher
        or agent._expiries._buckets
        or agent._marked
        or len(agent.fanout)
        or len(agency.resources)
        or len(agent.visitors)
        or agent.visitors._departed
    )


# --- Beginning and going on


def test_a_watcher_is_told_at_once(agency):
    agency.publish("away")

    agency.subscribe("bob")

    assert agency.notifier.take() == [Told(watcher("bob"), ACTIVE, "away")]


def test_a_refresh_is_answered_with_the_state_again(agency):
    agency.publish("away")
    subscription = agency.subscribe("bob")
    agency.told()

    agency.refresh(subscription)

    assert agency.told() == [(ACTIVE, "away", None)]


def test_a_refreshed_subscription_lives_longer(agency):
    subscription = agency.subscribe("bob", expires=60)
    agency.sleep(30)
    agency.refresh(subscription, expires=60)

    agency.sleep(50)
    is_alive = subscription.is_alive
    agency.sleep(20)

    assert (is_alive, subscription.is_alive) == (True, False)


def test_a_subscription_that_ended_is_not_refreshed(agency):
    subscription = agency.subscribe("bob", expires=60)
    agency.agent.decided(subscription, BLOCK)
    agency.told()

    agency.refresh(subscription)

    assert agency.told() == []
    assert is_empty(agency)


def test_a_subscription_is_found_by_its_key_while_it_lives(agency):
    subscription = agency.subscribe("bob")
    found = agency.agent.subscription(subscription.key)
    agency.agent.end(subscription, Happening.UNSUBSCRIBED)

    assert found is subscription
    assert agency.agent.subscription(subscription.key) is None


def test_subscriptions_are_counted_by_watcher(agency):
    first = agency.subscribe("bob")
    agency.subscribe("bob", presentity=watcher("carol"))
    agency.subscribe("dave")
    agency.agent.end(first, Happening.UNSUBSCRIBED)
    agency.agent.end(first, Happening.EXPIRED)

    assert [
        agency.agent.count_of(watcher(each)) for each in ("bob", "dave", "eve")
    ] == [
        1,
        1,
        0,
    ]
    assert len(agency.agent) == 2


def test_the_subscriptions_to_a_presentity_are_those_to_all_its_packages(agency):
    one = agency.subscribe("bob")
    other = agency.subscribe("alice", package="words.winfo")
    agency.subscribe("bob", presentity=watcher("carol"))

    assert agency.agent.of(ALICE) == [one, other]
    assert len(agency.agent.subscriptions()) == 3


# --- Changes


def test_a_change_is_told_at_the_end_of_the_turn(agency):
    agency.subscribe("bob")
    agency.notifier.take()

    agency.publish("away")
    before = agency.notifier.take()
    agency.turn()

    assert before == []
    assert [each.body for each in agency.notifier.take()] == ["away"]


def test_many_changes_of_one_turn_are_told_as_one(agency):
    agency.subscribe("bob")
    agency.told()

    publication = agency.publish("away")
    agency.publish_again(publication, "busy")
    agency.publish("calm")

    assert agency.bodies() in (["busy calm"], ["calm busy"])


def test_equal_states_are_told_once(agency):
    agency.subscribe("bob")
    publication = agency.publish("away")
    agency.told()

    again = agency.publish_again(publication, "busy")
    agency.publish_again(again, "away")

    assert agency.told() == []


def test_a_refresh_of_a_publication_tells_nobody(agency):
    agency.subscribe("bob")
    publication = agency.publish("away")
    agency.told()

    agency.publish_again(publication)

    assert agency.told() == []


def test_a_change_of_nobody_watched_is_not_composed(agency):
    agency.package.failing = {"compose"}

    agency.publish("away")
    agency.settle()

    assert agency.notifier.take() == []
    assert agency.is_idle


def test_the_moment_of_the_first_change_is_told(agency):
    agency.subscribe("bob")
    agency.settle()
    agency.notifier.take()

    agency.clock.advance(0.25)
    publication = agency.publish("away")
    agency.agent.changed(ALICE, WORDS, agency.ticks() + 0.5)
    agency.settle()
    agency.clock.advance(1)
    agency.publish_again(publication, "busy")
    agency.settle()

    assert [each.changed_at for each in agency.notifier.take()] == [1.25, 2.25]


@pytest.mark.parametrize("word", ["busy", "away"], ids=["another", "back again"])
def test_whoever_comes_between_a_change_and_its_telling_sees_it(agency, word):
    agency.subscribe("bob")
    publication = agency.publish("away")
    agency.told()

    middle = agency.publish_again(publication, "calm")
    agency.subscribe("carol")
    first = [each.body for each in agency.notifier.take()]
    agency.publish_again(middle, word)
    agency.settle()

    assert first == ["calm"]
    last = {each.watcher: each.body for each in agency.notifier.take()}
    assert last[watcher("carol")] == word
    assert last.get(watcher("bob"), "away") == word


def test_whoever_was_told_already_is_not_told_again(agency):
    agency.subscribe("bob")
    agency.publish("away")

    agency.subscribe("carol")
    agency.settle()

    seen = [(each.watcher, each.body) for each in agency.notifier.take()]
    assert seen == [
        (watcher("bob"), "nobody"),
        (watcher("carol"), "away"),
        (watcher("bob"), "away"),
    ]


def test_whoever_came_in_between_and_saw_what_was_told_before_is_told_once(agency):
    agency.subscribe("bob")
    publication = agency.publish("away")
    agency.told()
    middle = agency.publish_again(publication, "calm")
    agency.publish_again(middle, "away")

    agency.subscribe("carol")
    agency.settle()

    seen = [(each.watcher, each.body) for each in agency.notifier.take()]
    assert seen == [(watcher("carol"), "away")]


def test_a_view_that_shows_no_change_tells_none(agency):
    agency.publish("away")
    agency.sleep(1)
    second = agency.publish("busy")
    agency.subscribe("bob", view=FIRST)
    agency.subscribe("carol")
    agency.told()

    agency.unpublish(next(each for each in agency.compositor if each is not second))
    agency.settle()

    seen = [(each.watcher, each.body) for each in agency.notifier.take()]
    assert seen == [(watcher("carol"), "busy")]


# --- Ends


@pytest.mark.parametrize(
    ("happening", "reason"),
    [
        (Happening.UNSUBSCRIBED, Reason.TIMEOUT),
        (Happening.EXPIRED, Reason.TIMEOUT),
        (Happening.DEACTIVATED, Reason.DEACTIVATED),
        (Happening.REFUSED, Reason.REJECTED),
    ],
)
def test_an_end_is_told_with_its_reason(agency, happening, reason):
    subscription = agency.subscribe("bob")
    agency.told()

    agency.agent.end(subscription, happening)
    agency.agent.end(subscription, happening)

    assert agency.told() == [(TERMINATED, "nobody", reason)]
    assert agency.gone == [subscription]


@pytest.mark.parametrize("happening", [Happening.UNSUBSCRIBED, Happening.EXPIRED])
def test_whoever_was_allowed_to_is_shown_the_state_in_parting(agency, happening):
    agency.publish("away")
    subscription = agency.subscribe("bob")
    agency.told()

    agency.agent.end(subscription, happening)

    assert agency.bodies() == ["away"]


def test_an_unreachable_watcher_is_told_nothing(agency):
    subscription = agency.subscribe("bob")
    agency.told()

    subscription.reason = Reason.TIMEOUT
    agency.agent.end(subscription, Happening.UNREACHABLE)
    agency.publish("away")

    assert agency.told() == []
    assert (subscription.reason, agency.gone) == (Reason.TIMEOUT, [subscription])


def test_a_subscription_expires(agency):
    agency.subscribe("bob", expires=60)
    agency.told()

    agency.sleep(59)
    before = agency.told()
    agency.sleep(2)

    assert (before, agency.told()) == ([], [(TERMINATED, "nobody", Reason.TIMEOUT)])


@pytest.mark.parametrize("handling", [Handling.ALLOW, Handling.POLITE_BLOCK])
@pytest.mark.parametrize("happening", ENDS)
def test_nothing_is_left_of_a_subscription_that_ended(agency, handling, happening):
    publication = agency.publish("away")
    subscription = agency.subscribe("bob", handling, expires=60)
    agency.refresh(subscription, expires=30)
    agency.refresh(subscription, expires=300)
    agency.agent.end(subscription, happening)
    agency.unpublish(publication)
    agency.settle()

    assert is_empty(agency)
    assert agency.is_idle


def test_a_resource_is_forgotten_with_its_last_watcher(agency):
    one, other = agency.subscribe("bob"), agency.subscribe("carol")
    agency.agent.end(one, Happening.UNSUBSCRIBED)
    before = len(agency.resources)
    agency.agent.end(other, Happening.UNSUBSCRIBED)

    assert (before, len(agency.resources)) == (1, 0)


# --- Fetching (RFC 6665 §4.4.3)


@pytest.mark.parametrize(
    ("handling", "body"),
    [
        (Handling.ALLOW, "away"),
        (Handling.CONFIRM, "nobody"),
        (Handling.POLITE_BLOCK, "nobody"),
    ],
)
def test_a_fetch_is_told_once_and_ends(agency, handling, body):
    agency.publish("away")

    agency.agent.fetch(agency.subscription("bob", handling, expires=0))
    agency.publish("busy")

    assert agency.told() == [(TERMINATED, body, Reason.TIMEOUT)]


def test_nothing_is_left_of_a_fetch(agency):
    agency.agent.fetch(agency.subscription("bob", expires=0))

    assert is_empty(agency)


def test_a_fetch_disturbs_nobody_else(agency):
    agency.subscribe("bob")
    agency.publish("away")
    agency.agent.fetch(agency.subscription("carol", expires=0))

    assert agency.bodies() == ["nobody", "away", "away"]


# --- After a start


def test_what_is_restored_is_told_nothing(agency):
    agency.agent.restore(agency.subscription("bob"))

    assert agency.told() == []
    assert agency.agent.count_of(watcher("bob")) == 1


def test_who_was_restored_is_told_the_next_change(agency):
    publication = agency.publish("away")
    agency.agent.restore(agency.subscription("bob"))

    agency.publish_again(publication, "busy")

    assert agency.bodies() == ["busy"]


def test_a_new_watcher_tells_nothing_to_those_restored(agency):
    agency.publish("away")
    agency.agent.restore(agency.subscription("bob"))

    agency.subscribe("carol")
    agency.agent.changed(ALICE, WORDS, agency.ticks())
    agency.settle()

    assert [each.watcher for each in agency.notifier.take()] == [watcher("carol")]


def test_what_is_restored_expires(agency):
    subscription = agency.subscription("bob", expires=60)
    agency.agent.restore(subscription)

    agency.sleep(61)

    assert agency.told() == [(TERMINATED, "nobody", Reason.TIMEOUT)]
    assert is_empty(agency)


def test_content_types_are_rendered_each(agency):
    agency.publish("away")
    agency.sleep(1)
    agency.publish("busy")

    agency.subscribe("bob")
    agency.subscribe("carol", content_type="text/lines", view=FULL)

    assert agency.bodies() == ["busy away", "busy\naway"]
