from __future__ import annotations

import pytest

from presproxy.model.decision import FULL, Decision, Handling
from presproxy.model.subscription import Happening, Reason, State
from presproxy.testing.agency import (
    ALICE,
    FIRST,
    WORDS,
    Agency,
    Told,
    WordPackage,
    watcher,
)

PENDING, ACTIVE, TERMINATED = State.PENDING, State.ACTIVE, State.TERMINATED
ALLOW = Decision(Handling.ALLOW, "a friend")
BLOCK = Decision(Handling.BLOCK, "a bore")
POLITE_BLOCK = Decision(Handling.POLITE_BLOCK, "a boss")
CONFIRM = Decision(Handling.CONFIRM, "who is that?")
ENDS = (
    Happening.REFUSED,
    Happening.DEACTIVATED,
    Happening.EXPIRED,
    Happening.UNSUBSCRIBED,
    Happening.UNREACHABLE,
)


def told(agency):
    """What was told since the last time, without the clock."""
    agency.settle()
    return [(each.state, each.body, each.reason) for each in agency.notifier.take()]


def bodies(agency):
    return [body for _, body, _ in told(agency)]


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
    told(agency)

    agency.refresh(subscription)

    assert told(agency) == [(ACTIVE, "away", None)]


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
    told(agency)

    agency.refresh(subscription)

    assert told(agency) == []
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
    told(agency)

    publication = agency.publish("away")
    agency.publish_again(publication, "busy")
    agency.publish("calm")

    assert bodies(agency) in (["busy calm"], ["calm busy"])


def test_equal_states_are_told_once(agency):
    agency.subscribe("bob")
    publication = agency.publish("away")
    told(agency)

    again = agency.publish_again(publication, "busy")
    agency.publish_again(again, "away")

    assert told(agency) == []


def test_a_refresh_of_a_publication_tells_nobody(agency):
    agency.subscribe("bob")
    publication = agency.publish("away")
    told(agency)

    agency.publish_again(publication)

    assert told(agency) == []


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
    told(agency)

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
    told(agency)
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
    told(agency)

    agency.unpublish(next(each for each in agency.compositor if each is not second))
    agency.settle()

    seen = [(each.watcher, each.body) for each in agency.notifier.take()]
    assert seen == [(watcher("carol"), "busy")]


# --- Decisions


def test_a_pending_watcher_sees_no_state_and_no_change(agency):
    agency.publish("away")

    agency.subscribe("bob", Handling.CONFIRM)
    agency.publish("busy")

    assert told(agency) == [(PENDING, "nobody", None)]


def test_an_approved_watcher_is_told_the_state(agency):
    agency.publish("away")
    subscription = agency.subscribe("bob", Handling.CONFIRM)
    told(agency)

    is_another = agency.agent.decided(subscription, ALLOW)

    assert is_another
    assert told(agency) == [(ACTIVE, "away", None)]
    assert subscription.was_approved
    assert subscription.rule == "a friend"


@pytest.mark.parametrize(
    "handling", [Handling.ALLOW, Handling.CONFIRM, Handling.POLITE_BLOCK]
)
def test_a_blocked_watcher_is_rejected_and_shown_nobody_at_home(agency, handling):
    agency.publish("away")
    subscription = agency.subscribe("bob", handling)
    told(agency)

    is_another = agency.agent.decided(subscription, BLOCK)
    agency.publish("busy")

    assert not is_another
    assert told(agency) == [(TERMINATED, "nobody", Reason.REJECTED)]
    assert agency.gone == [subscription]


def test_a_change_and_a_block_in_one_turn_show_nothing_of_the_change(agency):
    subscription = agency.subscribe("bob")
    told(agency)

    agency.publish("away")
    agency.agent.decided(subscription, BLOCK)

    assert told(agency) == [(TERMINATED, "nobody", Reason.REJECTED)]


def test_an_active_watcher_who_must_wait_may_ask_anew(agency):
    agency.publish("away")
    subscription = agency.subscribe("bob")
    told(agency)

    agency.agent.decided(subscription, CONFIRM)

    assert told(agency) == [(TERMINATED, "nobody", Reason.DEACTIVATED)]
    assert agency.gone == [subscription]


def test_a_pending_watcher_goes_on_waiting(agency):
    subscription = agency.subscribe("bob", Handling.CONFIRM)
    told(agency)

    assert not agency.agent.decided(subscription, CONFIRM)
    assert told(agency) == []
    assert subscription.state is PENDING


def test_a_decision_that_opens_the_same_view_tells_nothing(agency):
    subscription = agency.subscribe("bob")
    told(agency)

    assert not agency.agent.decided(subscription, ALLOW)
    assert told(agency) == []


def test_another_view_is_told_at_once(agency):
    agency.publish("away")
    agency.sleep(1)
    agency.publish("busy")
    subscription = agency.subscribe("bob")
    told(agency)

    is_another = agency.agent.decided(
        subscription, Decision(Handling.ALLOW, "a rule", FIRST)
    )

    assert is_another
    assert told(agency) == [(ACTIVE, "busy", None)]


def test_a_decision_about_a_subscription_that_ended_is_old_news(agency):
    subscription = agency.subscribe("bob")
    agency.agent.end(subscription, Happening.UNSUBSCRIBED)
    told(agency)

    assert not agency.agent.decided(subscription, BLOCK)
    assert told(agency) == []


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
    told(agency)

    is_another = agency.agent.decided(subscription, POLITE_BLOCK)
    agency.publish("busy")

    assert is_another
    assert told(agency) == [(ACTIVE, "nobody", None)]


def test_a_politely_blocked_watcher_found_at_the_start_is_told_of_no_change(agency):
    subscription = agency.subscription("bob", Handling.POLITE_BLOCK)
    agency.agent.restore(subscription)

    agency.publish("away")

    assert told(agency) == []


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
    told(agency)

    agency.agent.end(subscription, happening)
    agency.agent.end(subscription, happening)

    assert told(agency) == [(TERMINATED, "nobody", reason)]
    assert agency.gone == [subscription]


@pytest.mark.parametrize("happening", [Happening.UNSUBSCRIBED, Happening.EXPIRED])
def test_whoever_was_allowed_to_is_shown_the_state_in_parting(agency, happening):
    agency.publish("away")
    subscription = agency.subscribe("bob")
    told(agency)

    agency.agent.end(subscription, happening)

    assert bodies(agency) == ["away"]


def test_an_unreachable_watcher_is_told_nothing(agency):
    subscription = agency.subscribe("bob")
    told(agency)

    subscription.reason = Reason.TIMEOUT
    agency.agent.end(subscription, Happening.UNREACHABLE)
    agency.publish("away")

    assert told(agency) == []
    assert (subscription.reason, agency.gone) == (Reason.TIMEOUT, [subscription])


def test_a_subscription_expires(agency):
    agency.subscribe("bob", expires=60)
    told(agency)

    agency.sleep(59)
    before = told(agency)
    agency.sleep(2)

    assert (before, told(agency)) == ([], [(TERMINATED, "nobody", Reason.TIMEOUT)])


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

    assert told(agency) == [(TERMINATED, body, Reason.TIMEOUT)]


def test_nothing_is_left_of_a_fetch(agency):
    agency.agent.fetch(agency.subscription("bob", expires=0))

    assert is_empty(agency)


def test_a_fetch_disturbs_nobody_else(agency):
    agency.subscribe("bob")
    agency.publish("away")
    agency.agent.fetch(agency.subscription("carol", expires=0))

    assert bodies(agency) == ["nobody", "away", "away"]


# --- Pauses (RFC 3856 §6.10)


def test_changes_within_a_pause_are_told_when_it_is_over(agency):
    agency.package.pause = 5.0
    agency.subscribe("bob")
    publication = agency.publish("away")
    first = bodies(agency)

    agency.sleep(1)
    publication = agency.publish_again(publication, "busy")
    agency.sleep(1)
    agency.publish_again(publication, "calm")
    agency.sleep(2)
    within = bodies(agency)
    agency.sleep(1)

    assert (first, within, bodies(agency)) == (["nobody", "away"], [], ["calm"])


def test_a_pause_costs_one_timer_however_much_changes(agency):
    agency.package.pause = 5.0
    agency.subscribe("bob")
    publication = agency.publish("away")
    agency.settle()

    for word in ("busy", "calm", "dull", "eager"):
        publication = agency.publish_again(publication, word)
        agency.settle()

    assert len(agency.clock.getDelayedCalls()) == 1


def test_a_change_that_is_undone_within_a_pause_is_not_told(agency):
    agency.package.pause = 5.0
    agency.subscribe("bob")
    publication = agency.publish("away")
    told(agency)

    agency.publish_again(agency.publish_again(publication, "busy"), "away")
    agency.sleep(10)

    assert told(agency) == []


def test_a_pause_makes_nobody_wait_who_asks(agency):
    agency.package.pause = 5.0
    agency.subscribe("bob")
    publication = agency.publish("away")
    told(agency)
    agency.publish_again(publication, "busy")
    agency.settle()

    agency.subscribe("carol")
    at_once = bodies(agency)
    agency.sleep(6)

    assert at_once == ["busy"]
    assert [(each.watcher, each.body) for each in agency.notifier.take()] == [
        (watcher("bob"), "busy")
    ]


def test_a_pause_of_somebody_who_left_tells_nobody(agency):
    agency.package.pause = 5.0
    subscription = agency.subscribe("bob")
    publication = agency.publish("away")
    agency.settle()
    agency.publish_again(publication, "busy")
    agency.agent.end(subscription, Happening.UNSUBSCRIBED)
    told(agency)

    agency.sleep(6)

    assert told(agency) == []
    assert agency.is_idle


def test_the_moment_of_a_change_is_told_after_its_pause(agency):
    agency.package.pause = 5.0
    agency.subscribe("bob")
    publication = agency.publish("away")
    agency.settle()
    agency.notifier.take()

    agency.sleep(1)
    publication = agency.publish_again(publication, "busy")
    agency.sleep(1)
    agency.publish_again(publication, "calm")
    agency.sleep(5)

    assert [each.changed_at for each in agency.notifier.take()] == [2.0]


# --- Packages that fail


def test_a_package_that_fails_leaves_the_last_state_standing(agency):
    agency.subscribe("bob")
    publication = agency.publish("away")
    told(agency)

    agency.package.failing = {"compose"}
    publication = agency.publish_again(publication, "busy")
    agency.subscribe("carol")
    failing = bodies(agency)
    agency.package.failing = set()
    agency.publish_again(publication, "calm")

    assert failing == ["away"]
    assert bodies(agency) == ["calm", "calm"]


@pytest.mark.parametrize("method", ["compose", "narrow", "render"])
def test_a_new_watcher_is_told_without_a_body_where_the_package_fails(agency, method):
    agency.package.failing = {method}

    subscription = agency.subscribe("bob")
    first = told(agency)
    agency.package.failing = set()
    agency.publish("away")
    second = told(agency)
    agency.package.failing = {method}
    agency.agent.end(subscription, Happening.UNSUBSCRIBED)

    assert first == [(ACTIVE, "", None)]
    assert second == [(ACTIVE, "away", None)]
    assert [state for state, _, _ in told(agency)] == [TERMINATED]


def test_a_blocked_watcher_sees_nothing_even_where_the_package_fails(agency):
    agency.publish("away")
    subscription = agency.subscribe("bob")
    told(agency)
    agency.package.failing = {"neutral"}

    agency.agent.decided(subscription, BLOCK)

    assert told(agency) == [(TERMINATED, "", Reason.REJECTED)]


def test_one_package_that_fails_keeps_nobody_else_from_being_told(agency):
    agency.subscribe("bob")
    agency.subscribe("alice", package="words.winfo")
    told(agency)
    agency.package.failing = {"compose"}

    agency.publish("away")
    agency.subscribe("carol")
    agency.settle()

    seen = [each.watcher for each in agency.notifier.take()]
    assert watcher("alice") in seen
    assert watcher("bob") not in seen


def test_a_state_that_cannot_be_compared_is_a_failure_of_its_package(agency):
    class Odd(tuple):
        __slots__ = ()

        def __ne__(self, other):
            raise RuntimeError("no comparison")

    class OddPackage(WordPackage):
        def compose(self, material):
            return Odd(super().compose(material))

    agency = Agency(OddPackage())
    agency.subscribe("bob")
    agency.subscribe("carol", presentity=watcher("dave"))
    told(agency)

    agency.publish("away")
    agency.publish("busy", watcher("dave"))

    assert told(agency) == []
    agency.subscribe("eve")
    assert bodies(agency) == ["away"]


# --- After a start


def test_what_is_restored_is_told_nothing(agency):
    agency.agent.restore(agency.subscription("bob"))

    assert told(agency) == []
    assert agency.agent.count_of(watcher("bob")) == 1


def test_who_was_restored_is_told_the_next_change(agency):
    publication = agency.publish("away")
    agency.agent.restore(agency.subscription("bob"))

    agency.publish_again(publication, "busy")

    assert bodies(agency) == ["busy"]


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

    assert told(agency) == [(TERMINATED, "nobody", Reason.TIMEOUT)]
    assert is_empty(agency)


def test_content_types_are_rendered_each(agency):
    agency.publish("away")
    agency.sleep(1)
    agency.publish("busy")

    agency.subscribe("bob")
    agency.subscribe("carol", content_type="text/lines", view=FULL)

    assert bodies(agency) == ["busy away", "busy\naway"]
