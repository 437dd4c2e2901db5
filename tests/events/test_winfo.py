from __future__ import annotations

import re

import pytest

from presproxy.events.winfo import WAITING, Visitors
from presproxy.model.decision import Decision, Handling
from presproxy.model.subscription import Happening
from presproxy.testing.agency import ALICE, WORDS, Agency, watcher

WINFO = "words.winfo"
ALLOW = Decision(Handling.ALLOW, "a friend")
BLOCK = Decision(Handling.BLOCK, "a bore")
CONFIRM = Decision(Handling.CONFIRM, "who is that?")
BOB = watcher("bob")


@pytest.fixture
def alice(agency):
    """Somebody who is told of her watchers."""
    return agency.subscribe("alice", package=WINFO)


def listed(agency):
    """The lists she was told since the last time: who, status, event."""
    agency.settle()
    return [
        [tuple(line.split("/")[:3]) for line in each.body.split()]
        if each.body != "nobody"
        else []
        for each in agency.notifier.take()
        if each.watcher == ALICE
    ]


def ids(agency):
    """The ids she was told since the last time, each list's."""
    agency.settle()
    return [
        re.findall(r"/(\w+)(?=\s|$)", each.body)
        for each in agency.notifier.take()
        if each.watcher == ALICE and each.body != "nobody"
    ]


# --- What she is told


def test_whoever_is_told_of_watchers_is_told_who_watches_now(agency):
    agency.subscribe("bob")
    agency.subscribe("carol", Handling.CONFIRM)

    agency.subscribe("alice", package=WINFO)

    assert listed(agency) == [
        [
            ("sip:bob@example.test", "active", "subscribe"),
            ("sip:carol@example.test", "pending", "subscribe"),
        ]
    ]


def test_a_watcher_who_begins_is_told(agency, alice):
    agency.subscribe("bob", Handling.CONFIRM)

    assert listed(agency) == [[], [(BOB, "pending", "subscribe")]]


def test_a_watcher_who_is_approved_is_told(agency, alice):
    bob = agency.subscribe("bob", Handling.CONFIRM)
    listed(agency)

    agency.agent.decided(bob, ALLOW)

    assert listed(agency) == [[(BOB, "active", "approved")]]


def test_a_watcher_who_goes_on_is_no_news(agency, alice):
    bob = agency.subscribe("bob")
    listed(agency)

    agency.refresh(bob)

    assert listed(agency) == []


@pytest.mark.parametrize(
    ("happening", "event"),
    [
        (Happening.REFUSED, "rejected"),
        (Happening.DEACTIVATED, "deactivated"),
        (Happening.EXPIRED, "timeout"),
        (Happening.UNSUBSCRIBED, "timeout"),
        (Happening.UNREACHABLE, "timeout"),
    ],
)
def test_a_watcher_who_leaves_is_told_once(agency, alice, happening, event):
    bob = agency.subscribe("bob")
    listed(agency)

    agency.agent.end(bob, happening)
    left = listed(agency)
    agency.subscribe("carol")

    assert left == [[(BOB, "terminated", event)]]
    assert listed(agency) == [[(watcher("carol"), "active", "subscribe")]]


def test_everybody_who_is_told_of_watchers_is_told_who_left(agency, alice):
    agency.subscribe("dave", package=WINFO)
    bob = agency.subscribe("bob")
    agency.settle()
    agency.notifier.take()

    agency.agent.end(bob, Happening.UNSUBSCRIBED)
    agency.subscribe("erin", package=WINFO)
    agency.agent.fetch(agency.subscription("frank", package=WINFO, expires=0))
    agency.subscribe("carol")
    agency.settle()

    last = {each.watcher: each.body for each in agency.notifier.take()}
    for each in (ALICE, watcher("dave"), watcher("erin")):
        assert "sip:bob@example.test/terminated/timeout" in last[each]


def test_a_fetch_of_watchers_makes_nobody_miss_who_left(agency, alice):
    bob = agency.subscribe("bob")
    listed(agency)

    agency.agent.end(bob, Happening.UNSUBSCRIBED)
    agency.agent.fetch(agency.subscription("carol", package=WINFO, expires=0))

    assert listed(agency) == [[(BOB, "terminated", "timeout")]]


def test_nothing_is_remembered_of_who_left_where_nobody_is_told(agency):
    bob = agency.subscribe("bob")
    agency.agent.end(bob, Happening.UNSUBSCRIBED)
    agency.settle()

    agency.subscribe("alice", package=WINFO)

    assert listed(agency) == [[]]


def test_nothing_is_remembered_of_who_left_once_nobody_is_told_any_more(agency, alice):
    bob = agency.subscribe("bob")
    agency.settle()
    agency.agent.end(bob, Happening.UNSUBSCRIBED)
    agency.agent.end(alice, Happening.UNSUBSCRIBED)
    agency.settle()
    agency.notifier.take()

    agency.subscribe("alice", package=WINFO)

    assert listed(agency) == [[]]
    assert not agency.agent.visitors._departed


# --- Who waits (RFC 3857 §4.7.1)


@pytest.mark.parametrize(
    "happening",
    [
        Happening.EXPIRED,
        Happening.UNSUBSCRIBED,
        Happening.UNREACHABLE,
        Happening.DEACTIVATED,
    ],
)
def test_whoever_was_not_decided_about_waits(agency, alice, happening):
    bob = agency.subscribe("bob", Handling.CONFIRM)
    listed(agency)

    agency.agent.end(bob, happening)

    assert listed(agency) == [[(BOB, "waiting", "timeout")]]
    assert agency.agent.visitors.waiting(ALICE) == [(WORDS, BOB)]


def test_whoever_fetched_in_vain_waits(agency, alice):
    listed(agency)

    agency.agent.fetch(agency.subscription("bob", Handling.CONFIRM, expires=0))

    assert listed(agency) == [[(BOB, "waiting", "timeout")]]


@pytest.mark.parametrize("handling", [Handling.ALLOW, Handling.POLITE_BLOCK])
def test_whoever_fetched_what_he_may_see_does_not_wait(agency, alice, handling):
    listed(agency)

    agency.agent.fetch(agency.subscription("bob", handling, expires=0))

    assert listed(agency) == []


def test_whoever_is_refused_does_not_wait(agency, alice):
    bob = agency.subscribe("bob", Handling.CONFIRM)
    listed(agency)

    agency.agent.decided(bob, BLOCK)

    assert listed(agency) == [[(BOB, "terminated", "rejected")]]
    assert agency.agent.visitors.waiting(ALICE) == []


def test_whoever_comes_again_waits_no_longer(agency, alice):
    agency.agent.fetch(agency.subscription("bob", Handling.CONFIRM, expires=0))
    listed(agency)

    agency.subscribe("bob", Handling.CONFIRM)

    assert listed(agency) == [[(BOB, "pending", "subscribe")]]
    assert len(agency.agent.visitors) == 0


def test_whoever_is_decided_about_waits_no_longer(agency, alice):
    agency.agent.fetch(agency.subscription("bob", Handling.CONFIRM, expires=0))
    listed(agency)

    agency.agent.forget_visitor(ALICE, WORDS, BOB)

    assert listed(agency) == [[]]
    assert len(agency.agent.visitors) == 0


def test_deciding_about_nobody_tells_nothing(agency, alice):
    listed(agency)

    agency.agent.forget_visitor(ALICE, WORDS, BOB)
    agency.settle()

    assert agency.notifier.take() == []


def test_waiting_is_not_ended_by_still_having_to_wait(agency):
    agency.agent.fetch(agency.subscription("bob", Handling.CONFIRM, expires=0))
    bob = agency.subscription("bob", Handling.CONFIRM)
    agency.agent.restore(bob)

    agency.agent.decided(bob, CONFIRM)

    assert agency.agent.visitors.waiting(ALICE) == [(WORDS, BOB)]


def test_nobody_waits_for_ever(agency, alice):
    agency.agent.fetch(agency.subscription("bob", Handling.CONFIRM, expires=0))
    agency.refresh(alice, expires=WAITING + 100)
    agency.settle()
    agency.notifier.take()

    agency.clock.advance(WAITING - 1)
    agency.sweep()
    before = listed(agency)
    agency.clock.advance(1)
    agency.sweep()

    assert (before, listed(agency)) == ([], [[]])
    assert len(agency.agent.visitors) == 0


# --- Ids (RFC 3858 §4.3)


def test_a_watcher_keeps_his_id_and_it_is_not_his_dialogs(agency, alice):
    bob = agency.subscribe("bob", Handling.CONFIRM)
    told = ids(agency)
    agency.agent.decided(bob, ALLOW)
    told += ids(agency)
    agency.agent.end(bob, Happening.UNSUBSCRIBED)
    told += ids(agency)

    assert len(told) == 3
    assert len({each for (each,) in told}) == 1
    assert bob.key not in told[0][0]


def test_a_watcher_who_waits_keeps_his_id(agency, alice):
    bob = agency.subscribe("bob", Handling.CONFIRM)
    told = ids(agency)
    agency.agent.end(bob, Happening.EXPIRED)
    told += ids(agency)

    assert len({each for (each,) in told}) == 1


def test_two_subscriptions_of_one_watcher_have_two_ids(agency, alice):
    agency.settle()
    agency.notifier.take()
    agency.subscribe("bob")
    agency.subscribe("bob")

    ((one, other),) = ids(agency)
    assert one != other


# --- Bounds


def waiters(visitors, agency, *, watchers=1, presentities=1):
    for number in range(watchers):
        for other in range(presentities):
            visitors.waits(
                agency.subscription(
                    f"w{number}",
                    Handling.CONFIRM,
                    presentity=watcher(f"p{other}"),
                ),
                agency.now(),
            )


def test_the_oldest_makes_room_where_many_wait_for_one_presentity():
    agency, visitors = Agency(), Visitors(most=3)

    waiters(visitors, agency, watchers=5)

    waiting = [name for _, name in visitors.waiting(watcher("p0"))]
    assert waiting == [watcher(f"w{number}") for number in (2, 3, 4)]


def test_the_oldest_makes_room_where_many_wait_in_all():
    agency, visitors = Agency(), Visitors(most_in_all=3)

    waiters(visitors, agency, watchers=3, presentities=3)

    assert len(visitors) == 3
    assert visitors.waiting(watcher("p0")) == [(WORDS, watcher("w2"))]


def test_one_watcher_does_not_wait_everywhere():
    agency, visitors = Agency(), Visitors(most_of_one=3, most_in_all=4)

    waiters(visitors, agency, watchers=1)
    waiters(visitors, agency, watchers=1, presentities=9)
    visitors.decided(watcher("p0"), WORDS, watcher("w0"))
    waiters(visitors, agency, watchers=1, presentities=9)

    assert len(visitors) == 3


def test_whoever_asks_again_and_again_waits_once():
    agency, visitors = Agency(), Visitors(most=3)

    for _ in range(5):
        waiters(visitors, agency, watchers=2)

    assert len(visitors) == 2


def test_not_all_who_left_at_once_are_told(agency, alice):
    agency.agent.visitors.most = 3
    for number in range(5):
        bob = agency.subscribe(f"w{number}")
        agency.agent.end(bob, Happening.UNSUBSCRIBED)

    assert [name for name, _, _ in listed(agency)[-1]] == [
        watcher(f"w{number}") for number in (2, 3, 4)
    ]


def test_nothing_is_left_of_who_waited():
    agency, visitors = Agency(), Visitors()
    waiters(visitors, agency, watchers=3, presentities=3)

    ended = visitors.expire(agency.now() + WAITING)

    assert ended == {(watcher(f"p{number}"), WORDS) for number in range(3)}
    assert not any((visitors._waiting, visitors._of, visitors._held))
