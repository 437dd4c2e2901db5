"""SUBSCRIBE: the notifier's side (RFC 6665 §4.2)."""

from __future__ import annotations

import pytest

from presproxy.config import Limits
from presproxy.errors import Conflict, StorageUnavailable
from presproxy.model.decision import FULL, NEUTRAL, Decision, Handling
from presproxy.packages.presence import PresencePackage
from presproxy.packages.winfo import WinfoPackage
from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.wire import Message, pidf, respond

ALLOW = Decision(Handling.ALLOW, "allowed", FULL)
BLOCK = Decision(Handling.BLOCK, "blocked", NEUTRAL)
CONFIRM = Decision(Handling.CONFIRM, "asked", NEUTRAL)
POLITE = Decision(Handling.POLITE_BLOCK, "politely blocked", NEUTRAL)

BOB = "sip:bob@example.test"
PIDF = "application/pidf+xml"
PRODUCED = ", ".join(PresencePackage.produces)


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({}, 200, {"expires": "3600"}),
        ({"Expires": "600"}, 200, {"expires": "600"}),
        ({"Expires": "100000"}, 200, {"expires": "86400"}),
        ({"Expires": "0"}, 200, {"expires": "0"}),
        ({"Expires": "59"}, 423, {"min-expires": "60"}),
        ({"Expires": "soon"}, 400, {}),
        ({"Event": None}, 489, {"allow-events": "presence,presence.winfo"}),
        ({"Event": "dialog"}, 489, {"allow-events": "presence,presence.winfo"}),
        ({"Event": "PRESENCE"}, 200, {}),
        ({"Accept": None}, 200, {}),
        ({"Accept": PIDF}, 200, {}),
        ({"Accept": "*/*"}, 200, {}),
        ({"Accept": ["text/plain", "application/*;q=0.1"]}, 200, {}),
        ({"Accept": f"image/*, {PIDF};q=0"}, 406, {"accept": PRODUCED}),
        ({"Accept": "text/plain"}, 406, {"accept": PRODUCED}),
        ({"Accept": ""}, 406, {"accept": PRODUCED}),
        ({"Accept": "pidf"}, 400, {}),
        ({"Contact": None}, 400, {}),
        ({"Contact": "*"}, 400, {}),
        ({"Contact": ["<sip:a@192.0.2.1>", "<sip:a@192.0.2.2>"]}, 400, {}),
        (
            {"Record-Route": "<sip:192.0.2.9;lr>"},
            200,
            {"record-route": "<sip:192.0.2.9;lr>"},
        ),
        ({"Record-Route": "<sip:192.0.2.9"}, 400, {}),
    ],
)
def test_a_subscribe_is_answered(desk, fields, status, told):
    watching = desk.subscribe(fields)

    assert watching.status == status
    assert {name: watching.answer.get(name) for name in told} == told
    if status == 200:
        assert watching.answer.get("contact") == "<sip:192.0.2.100:5060>"
        assert watching.answer.get("allow-events") == "presence,presence.winfo"
    assert len(desk.subscriptions) == (status == 200 and fields.get("Expires") != "0")
    assert desk.defects == 0


@pytest.mark.parametrize(
    ("decision", "status", "told"),
    [
        (ALLOW, 200, [("active", "here")]),
        (CONFIRM, 200, [("pending", "closed")]),
        (POLITE, 200, [("active", "closed")]),
        (BLOCK, 403, []),
        (None, 200, [("pending", "closed")]),
        (RuntimeError("broken"), 200, [("pending", "closed")]),
    ],
    ids=["allow", "confirm", "polite", "block", "no opinion", "failed"],
)
def test_a_watcher_sees_what_was_decided(desk, decision, status, told):
    desk.publish(pidf(BOB, "here"))
    desk.acl.decision = decision

    watching = desk.subscribe()

    assert watching.status == status
    assert desk.states() == told


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (ALLOW, [("terminated;reason=timeout", "here")]),
        (CONFIRM, [("terminated;reason=timeout", "closed")]),
        (POLITE, [("terminated;reason=timeout", "closed")]),
        (BLOCK, []),
    ],
)
def test_a_poll_is_told_once_and_leaves_nothing_behind(desk, decision, told):
    desk.publish(pidf(BOB, "here"))
    desk.acl.decision = decision

    desk.subscribe({"Expires": "0"})

    assert desk.states() == told
    assert (desk.subscriptions, desk.kept("subscription")) == ((), [])


def test_the_notify_comes_after_the_2xx_and_by_the_same_way(desk):
    stream = RecordingStream(peer=("192.0.2.7", 40000))
    data = desk.write("SUBSCRIBE", {"Event": "presence;id=7", "Expires": "900"})

    desk.send(data, stream)

    answer, notify = (Message.read(each) for _, each in stream.sent)
    assert (answer.status, notify.method) == (200, "NOTIFY")
    assert notify.get("event") == "presence;id=7"
    assert notify.get("subscription-state") == "active;expires=900"
    assert notify.get("contact") == "<sip:192.0.2.100:5060;transport=tcp>"


@pytest.mark.parametrize(
    ("uri", "to", "presentity"),
    [
        (BOB, BOB, BOB),
        ("sip:bob@example.test:15060;transport=tcp", BOB, BOB),
        ("sip:example.test", BOB, BOB),
        ("sip:example.test:5060", "sip:102@example.test", "sip:102@example.test"),
        ("sip:example.test", "sip:example.test", "sip:alice@example.test"),
        ("sip:%62ob@example.test", BOB, BOB),
    ],
)
def test_the_presentity_is_found_wherever_it_is_named(desk, uri, to, presentity):
    desk.subscribe({"To": f"<{to}>"}, uri=uri)

    assert [each.presentity for each in desk.subscriptions] == [presentity]


@pytest.mark.parametrize(
    "uri",
    [
        "sip:bob@elsewhere.test",
        "sip:elsewhere.test",
        "tel:+49301234",
        "tel:7042;phone-context=example.test",
    ],
)
def test_whoever_is_not_of_our_domains_is_not_found(desk, uri):
    watching = desk.subscribe({"To": "<sip:bob@elsewhere.test>"}, uri=uri)

    assert watching.status == 404


# --- In a dialog


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"Expires": "600"}, 200),
        ({"Expires": "10"}, 423),
        ({"Event": "presence;id=7"}, 481),
        ({"Event": "presence.winfo"}, 481),
        ({"Event": None}, 489),
        ({"CSeq": "0 SUBSCRIBE"}, 500),
        ({"Call-ID": "other"}, 481),
        ({"From": "<sip:alice@example.test>;tag=other"}, 481),
        ({"From": "<sip:alice@example.test>"}, 481),
        ({"Contact": "*"}, 400),
    ],
)
def test_a_refresh_is_answered(desk, fields, status):
    watching = desk.subscribe()
    desk.notified()

    answer = watching.again(fields)

    assert answer.status == status
    assert len(desk.notified()) == (status == 200)
    assert watching.again({"CSeq": "9 SUBSCRIBE"}).status == 200


def test_a_refresh_without_change_is_followed_by_one_notify(desk):
    watching = desk.subscribe({"Event": "presence;id=7"})
    (first,) = desk.notified()

    assert watching.again().status == 200

    (second,) = desk.notified()
    assert second.cseq == first.cseq + 1


def test_a_cseq_lower_than_seen_is_told(desk):
    watching = desk.subscribe({"CSeq": "20 SUBSCRIBE"})

    answer = watching.again({"CSeq": "19 SUBSCRIBE", "Expires": "0"})

    assert answer.status == 500
    assert "19" in answer.reason
    assert len(desk.subscriptions) == 1


def test_an_interval_too_brief_still_counts_its_cseq(desk):
    watching = desk.subscribe()

    assert watching.again({"CSeq": "5 SUBSCRIBE", "Expires": "1"}).status == 423
    assert watching.again({"CSeq": "4 SUBSCRIBE"}).status == 500


def test_who_unsubscribes_is_told_that_it_is_over_after_the_2xx(desk):
    watching = desk.subscribe()
    desk.notified()

    answer = watching.again({"Expires": "0"})

    assert (answer.status, answer.get("expires")) == (200, "0")
    assert desk.messages[-2].data == answer.data
    assert desk.states() == [("terminated;reason=timeout", "closed")]
    assert desk.kept("subscription") == []
    assert watching.again().status == 481


def test_a_refresh_by_another_way_is_followed_by_it(desk):
    watching = desk.subscribe()
    desk.notified()
    stream = RecordingStream(peer=("192.0.2.7", 40000))

    desk.send(watching.write(), stream)
    desk.send(respond(Message.read(stream.sent[-1][1])), stream)
    desk.publish(pidf(BOB, "here"))
    desk.clock.advance(0)

    assert [Message.read(data).method for _, data in stream.sent] == [
        "SUBSCRIBE",
        "NOTIFY",
        "NOTIFY",
    ]


# --- Between staging and being lasting


def test_a_subscription_is_not_there_before_it_is_lasting(desk):
    desk.storage.hold()
    watching = desk.subscribe()
    before = (watching.answer, desk.notified(), desk.subscriptions)

    desk.storage.release()

    assert before == (None, [], ())
    assert watching.status == 200
    assert len(desk.notified()) == 1


@pytest.mark.parametrize(
    "failure", [StorageUnavailable("full"), Conflict([("subscription", "x")])]
)
def test_what_cannot_be_kept_is_refused_for_now(desk, failure):
    watching = desk.subscribe()
    desk.notified()
    desk.storage.failure = failure

    answers = [
        desk.subscribe().answer,
        watching.again(),
        watching.again({"Expires": "0"}),
    ]
    desk.storage.failure = None

    assert [(each.status, each.get("retry-after")) for each in answers] == [
        (503, "30")
    ] * 3
    assert desk.notified() == []
    assert len(desk.subscriptions) == len(desk.kept("subscription")) == 1
    assert watching.again().status == 200


def test_a_subscription_kept_too_late_is_deleted_again(desk):
    desk.storage.hold()
    watching = desk.subscribe()
    desk.sleep(10.1)
    refused = watching.status

    desk.storage.release()

    assert refused == 503
    assert (desk.subscriptions, desk.kept("subscription")) == ((), [])
    assert desk.notified() == []


def test_an_end_kept_too_late_ends_it_all_the_same(desk):
    watching = desk.subscribe()
    desk.notified()
    desk.storage.hold()
    data = watching.write({"Expires": "0"})
    desk.send(data)
    desk.sleep(10.1)
    refused = desk.answer(Message.read(data)).status
    still_there = len(desk.subscriptions)

    desk.storage.release()

    assert (refused, still_there) == (503, 1)
    assert (desk.subscriptions, desk.kept("subscription")) == ((), [])
    assert desk.states() == [("terminated;reason=timeout", "closed")]


def test_a_refresh_kept_too_late_still_counts(desk):
    watching = desk.subscribe({"Expires": "60"})
    desk.notified()
    desk.storage.hold()
    data = watching.write({"Expires": "600"})
    desk.send(data)
    desk.sleep(10.1)

    desk.storage.release()
    desk.sleep(60)

    assert desk.answer(Message.read(data)).status == 503
    assert len(desk.subscriptions) == 1


def test_a_subscription_that_expires_while_it_is_refreshed_has_ended(desk):
    watching = desk.subscribe({"Expires": "60"})
    desk.notified()
    desk.sleep(59)
    desk.storage.hold()
    data = watching.write({"Expires": "600"})
    desk.send(data)
    desk.sleep(3)

    desk.storage.release()

    assert desk.answer(Message.read(data)).status == 481
    assert desk.states() == [("terminated;reason=timeout", "closed")]
    assert (desk.subscriptions, desk.kept("subscription")) == ((), [])


def test_a_watcher_who_goes_while_his_refresh_is_kept_is_gone(desk):
    watching = desk.subscribe()
    (notify,) = (each for each in desk.messages if not each.is_response)
    desk.storage.hold()
    data = watching.write()
    desk.send(data)

    desk.send(respond(notify, "404 Not Found"))
    desk.storage.release()

    assert desk.answer(Message.read(data)).status == 481
    assert (desk.subscriptions, desk.kept("subscription")) == ((), [])


def test_a_refresh_and_an_end_at_once_do_not_stand_in_each_others_way(desk):
    watching = desk.subscribe()
    desk.notified()
    desk.storage.hold()
    refresh, end = watching.write(), watching.write({"Expires": "0"})
    desk.send(refresh)
    desk.send(end)

    desk.storage.release()

    assert desk.answer(Message.read(end)).status == 200
    assert (desk.subscriptions, desk.kept("subscription")) == ((), [])


def test_two_refreshes_at_once_are_both_kept(desk):
    watching = desk.subscribe()
    desk.storage.hold()
    both = [watching.write({"Expires": each}) for each in ("600", "1200")]
    for data in both:
        desk.send(data)

    desk.storage.release()

    assert [desk.answer(Message.read(each)).status for each in both] == [200, 200]
    (subscription,) = desk.subscriptions
    assert subscription.expires_at == desk.server.house.now() + 1200
    assert subscription.version == 3


# --- Room


@pytest.mark.parametrize(
    ("limits", "status", "field"),
    [
        (Limits(subscriptions_of_one=1), 403, "warning"),
        (Limits(subscriptions=1), 503, "retry-after"),
    ],
)
def test_there_is_room_for_so_many(acl, limits, status, field):
    desk = Desk(acl, limits=limits)
    first = desk.subscribe()
    refused = desk.subscribe(uri="sip:carol@example.test")
    poll = desk.subscribe({"Expires": "0"}, uri="sip:carol@example.test")
    first.again({"Expires": "0"})

    assert refused.status == status
    assert refused.answer.get(field) is not None
    assert poll.status == 200
    assert desk.subscribe(uri="sip:carol@example.test").status == 200


def test_the_intervals_are_those_of_the_package(acl):
    package = PresencePackage(shortest=90, default=120, longest=300)
    desk = Desk(acl, packages=[package, WinfoPackage()])

    granted = [
        desk.subscribe({"Expires": asked}).answer.get("expires")
        for asked in (None, "100", "1000", "60")
    ]
    winfo = desk.subscribe({"Event": "presence.winfo", "Expires": "60"})

    assert granted == ["120", "100", "300", None]
    assert winfo.answer.get("expires") == "60"


def test_the_last_notify_needs_no_numbers_to_be_reserved(desk):
    desk.subscribe({"Expires": "60"})
    desk.notified()
    (subscription,) = desk.subscriptions
    # As after a start: all numbers of the record count as used.
    subscription.route.reserved = subscription.route.dialog.local_cseq

    desk.sleep(62)

    assert desk.states() == [("terminated;reason=timeout", "closed")]
    desk.sleep(5)
    assert desk.clock.getDelayedCalls() == []
