"""The first notification in the answer, and dialogs that end with their connection."""

from __future__ import annotations

import pytest

from presproxy.model.subscription import State
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.wire import pidf

ALICE = "sip:alice@example.test"
BOB = "sip:bob@example.test"
SELF = {
    "Event": "roaming",
    "Supported": [
        "com.microsoft.autoextend",
        "ms-benotify",
        "ms-piggyback-first-notify",
    ],
    "Proxy-Require": "ms-benotify",
}


def signed_in(desk, **fields):
    return desk.subscribe({**SELF, **fields}, uri=ALICE)


def told(desk):
    return [(each.method, each.cseq, each.text) for each in desk.notified()]


def test_the_first_state_is_in_the_answer(desk, keeps):
    watching = signed_in(desk)

    answer = watching.answer
    assert answer.status == 200
    assert answer.text == "all:1"
    assert answer.get("content-type") == "application/numbers"
    assert answer.get("event") == "roaming"
    assert answer.get("ms-piggyback-cseq") == "1"
    assert answer.get("subscription-state") == "active;expires=3600"
    assert answer.get("expires") == "3600"
    assert answer.all("supported") == [
        "ms-benotify",
        "ms-piggyback-first-notify",
        "com.microsoft.autoextend",
    ]
    assert told(desk) == []


def test_changes_follow_in_the_dialog_and_say_only_what_is_new(desk, keeps):
    signed_in(desk)

    keeps.keep(1, 2)
    first = told(desk)
    keeps.keep(1, 2, 3)

    assert first == [("BENOTIFY", 2, "new:2")]
    assert told(desk) == [("BENOTIFY", 3, "new:3")]


def test_what_was_taken_away_needs_the_whole(desk, keeps):
    signed_in(desk)

    keeps.keep()

    assert told(desk) == [("BENOTIFY", 2, "all:")]


def test_who_reads_slowly_is_told_the_whole(desk, keeps, stream):
    signed_in(desk)
    stream.is_full = True

    keeps.keep(1, 2)
    while_full = told(desk)
    keeps.keep(1, 2, 3)
    desk.clock.advance(0)
    stream.read()

    assert while_full == []
    assert told(desk) == [("BENOTIFY", 2, "all:1 2 3")]


def test_who_came_in_between_is_told_the_same_as_the_others(desk, keeps):
    signed_in(desk)
    keeps.keep(1, 2)
    told(desk)
    later = signed_in(desk)
    keeps.keep(1, 2, 3)

    assert later.answer.text == "all:1 2"
    assert told(desk) == [("BENOTIFY", 3, "new:3"), ("BENOTIFY", 2, "new:3")]


def test_a_datagram_may_be_lost_so_each_says_all(desk, keeps):
    desk.flow = RecordingFlow()
    signed_in(desk)

    keeps.keep(1, 2)

    assert told(desk) == [("BENOTIFY", 2, "all:1 2")]


def test_a_package_that_cannot_say_what_is_new_says_all(desk, keeps, numbers):
    signed_in(desk)
    numbers.is_failing = True

    keeps.keep(1, 2)

    assert told(desk) == [("BENOTIFY", 2, "all:1 2")]


def test_a_refresh_is_answered_with_the_whole(desk, keeps):
    watching = signed_in(desk)

    answer = watching.again(SELF)

    assert (answer.text, answer.get("ms-piggyback-cseq")) == ("all:1", "2")
    assert told(desk) == []


def test_a_refresh_of_who_wants_no_piggyback_is_told_the_whole_too(desk, keeps):
    watching = signed_in(desk)
    keeps.keep(1, 2)
    told(desk)

    answer = watching.again({"Supported": "ms-benotify"})

    assert (answer.text, answer.get("ms-piggyback-cseq")) == ("", None)
    assert told(desk) == [("BENOTIFY", 3, "all:1 2")]


def test_one_may_not_overtake_what_is_on_its_way(desk, keeps):
    watching = signed_in(desk, Supported="ms-piggyback-first-notify")
    keeps.keep(1, 2)
    desk.clock.advance(0)

    answer = watching.again({"Supported": "ms-piggyback-first-notify"})

    assert (answer.status, answer.get("ms-piggyback-cseq")) == (200, None)
    assert told(desk) == [("NOTIFY", 2, "new:2"), ("NOTIFY", 3, "all:1 2")]


def test_who_leaves_is_told_so_in_the_answer_alone(desk, keeps, stream):
    watching = signed_in(desk)

    answer = watching.again({**SELF, "Expires": "0"})

    assert (answer.status, answer.text) == (200, "")
    assert answer.get("subscription-state") == "terminated;expires=0"
    assert (told(desk), desk.subscriptions, stream.holds) == ([], (), 0)


def test_who_asks_once_is_answered_once(desk, keeps, stream):
    watching = signed_in(desk, Expires="0")
    keeps.keep(1, 2)

    answer = watching.answer
    assert (answer.status, answer.text) == (200, "all:1")
    assert answer.get("subscription-state") == "terminated;expires=0"
    assert (told(desk), desk.subscriptions, stream.holds) == ([], (), 0)


def test_nothing_is_kept_and_all_ends_with_the_connection(desk, keeps, stream):
    signed_in(desk)
    desk.subscribe(
        {"Supported": "ms-piggyback-first-notify", "Event": "presence"}, uri=BOB
    )
    before = len(desk.subscriptions)

    stream.close()

    assert (before, desk.subscriptions, stream.holds) == (2, (), 0)
    assert (desk.kept("subscription"), desk.defects) == ([], 0)


def test_by_datagrams_it_is_kept_as_any_other(desk, keeps):
    desk.flow = RecordingFlow()

    signed_in(desk)

    assert len(desk.kept("subscription")) == 1


def test_an_endpoint_that_is_over_takes_what_is_its_own(desk, keeps, stream):
    connected = desk.server.core.steps["SUBSCRIBE"].piggyback.connected
    signed_in(desk)
    desk.subscribe(SELF, uri=BOB, user="bob")

    connected.end_of(stream, ALICE)
    connected.end_of(RecordingStream(), BOB)

    (left,) = desk.subscriptions
    assert (left.presentity, len(connected)) == (BOB, 1)


def test_a_dialog_moves_to_the_connection_of_its_last_request(desk, keeps, stream):
    data = signed_in(desk).write({"Event": "roaming"})
    other = RecordingStream()
    desk.send(data, other)

    stream.close()
    after = len(desk.subscriptions)
    other.close()

    assert (after, desk.subscriptions) == (1, ())


def test_nobody_sees_what_another_keeps(desk, keeps):
    watching = desk.subscribe(SELF, uri=BOB, user="alice")

    assert (watching.status, desk.subscriptions) == (403, ())


def test_what_one_keeps_oneself_no_rule_hides(desk, keeps, acl):
    acl.decision = None

    watching = signed_in(desk)
    desk.server.decider.decide_again(ALICE)

    assert (watching.answer.text, acl.asked) == ("all:1", [])
    assert [each.state for each in desk.subscriptions] == [State.ACTIVE]


def test_each_notification_extends_what_wants_that(desk, keeps):
    signed_in(desk)
    (subscription,) = desk.subscriptions
    desk.clock.advance(3000)
    keeps.keep(1, 2)
    (notified,) = desk.notified()
    desk.clock.advance(3000)
    desk.server.agent.expire(desk.server.house.now())

    assert notified.need("subscription-state") == "active;expires=3600"
    assert subscription.is_alive


def test_who_does_not_want_that_has_to_refresh(desk, keeps):
    signed_in(desk, Supported=["ms-benotify", "ms-piggyback-first-notify"])
    desk.clock.advance(3000)
    keeps.keep(1, 2)
    told(desk)
    desk.clock.advance(3000)
    desk.server.agent.expire(desk.server.house.now())

    assert desk.subscriptions == ()


@pytest.mark.parametrize("accept", ["application/pidf+xml", None])
def test_presence_is_piggybacked_to_whoever_wants_it(desk, accept):
    desk.publish(pidf(BOB, "here"))

    watching = desk.subscribe(
        {"Supported": "ms-piggyback-first-notify", "Accept": accept}
    )

    assert "here" in watching.answer.text
    assert watching.answer.get("content-type") == "application/pidf+xml"
    assert told(desk) == []


def test_a_watcher_who_must_wait_is_told_so(desk, acl):
    acl.decision = None

    watching = desk.subscribe({"Supported": "ms-piggyback-first-notify"})

    assert watching.answer.get("subscription-state") == "pending;expires=3600"
    assert "closed" in watching.answer.text
