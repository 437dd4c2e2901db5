"""PUBLISH: the event state compositor's side (RFC 3903 §6)."""

from __future__ import annotations

import pytest

from presproxy.config import Limits
from presproxy.errors import Conflict, NodeLost, StorageUnavailable
from presproxy.packages.presence import PresencePackage
from presproxy.testing.desk import Desk
from presproxy.testing.wire import Message, pidf

BOB = "sip:bob@example.test"
PIDF = "application/pidf+xml"


def document(note: str = "here", id: str = "t1") -> str:
    return pidf(BOB, note, id=id)


@pytest.mark.parametrize(
    ("fields", "body", "status", "told"),
    [
        ({}, document(), 200, {"expires": "3600"}),
        ({"Expires": "600"}, document(), 200, {"expires": "600"}),
        ({"Expires": "4294967296"}, document(), 200, {"expires": "86400"}),
        ({"Expires": "0"}, document(), 200, {"expires": "0"}),
        ({"Expires": "59"}, document(), 423, {"min-expires": "60"}),
        ({"Expires": "-1"}, document(), 400, {}),
        ({"Event": None}, document(), 489, {"allow-events": "presence,presence.winfo"}),
        ({"Event": "weather"}, document(), 489, {}),
        ({"Event": "presence.winfo"}, document(), 489, {}),
        ({"Event": "Presence;id=7"}, document(), 200, {}),
        ({"Event": ";"}, document(), 400, {}),
        ({"SIP-If-Match": "nobody's"}, "", 412, {}),
        ({"SIP-If-Match": "nobody's", "Expires": "1"}, "", 412, {}),
        ({"SIP-If-Match": ["one", "two"]}, "", 400, {}),
        ({}, "", 400, {}),
        ({"Content-Type": "text/plain"}, document(), 415, {"accept": PIDF}),
        ({"Content-Type": None}, document(), 415, {"accept": PIDF}),
        ({"Content-Type": f"{PIDF};charset=UTF-8"}, document(), 200, {}),
        ({"Content-Type": "application"}, document(), 400, {}),
        (
            {"Content-Encoding": "gzip"},
            document(),
            415,
            {"accept-encoding": "identity"},
        ),
        ({"Content-Encoding": "Identity"}, document(), 200, {}),
        ({}, "<presence", 400, {}),
        ({}, document("x" * 70_000), 413, {}),
        ({"Require": "x-new"}, document(), 420, {"unsupported": "x-new"}),
    ],
)
def test_a_publish_is_answered(desk, fields, body, status, told):
    answer = desk.publish(body, fields)

    assert answer.status == status
    assert {name: answer.get(name) for name in told} == told
    assert (answer.get("sip-etag") is not None) is (status == 200)
    assert desk.defects == 0


@pytest.mark.parametrize(
    ("uri", "to", "status"),
    [
        ("sip:bob@example.test:15060", BOB, 200),
        ("sip:example.test", BOB, 200),
        ("sip:example.test:5060", "sip:example.test", 200),
        ("sip:carol@example.test", BOB, 403),
        ("sip:bob@fabrikam.test", BOB, 404),
    ],
    ids=["by a port", "named in To", "named in From", "for another", "elsewhere"],
)
def test_a_user_publishes_for_himself(desk, uri, to, status):
    fields = {"Event": "presence", "Content-Type": PIDF, "To": f"<{to}>"}

    answer = desk.ask("PUBLISH", fields, document(), uri=uri, user="bob")

    assert answer.status == status


def test_what_is_published_by_any_port_is_one_presentity(desk):
    watching = desk.subscribe({"Expires": "600"}, uri="sip:bob@example.test:15060")
    desk.notified()

    desk.ask(
        "PUBLISH",
        {"Event": "presence", "Content-Type": PIDF},
        document(),
        uri="sip:bob@example.test:5070",
        user="bob",
    )

    assert watching.status == 200
    assert desk.states() == [("active", "here")]


# --- Entity-tags


def test_an_entity_tag_is_spent_once(desk):
    first = desk.publish(document()).need("sip-etag")
    second = desk.publish("", {"SIP-If-Match": first}).need("sip-etag")

    assert first != second
    assert desk.publish("", {"SIP-If-Match": first}).status == 412
    assert desk.publish("", {"SIP-If-Match": second, "Expires": "0"}).status == 200
    assert desk.publish("", {"SIP-If-Match": second}).status == 412
    assert desk.kept("publication") == []


def test_an_entity_tag_is_good_for_its_publisher_only(desk):
    tag = desk.publish(document()).need("sip-etag")
    fields = {"SIP-If-Match": tag, "Expires": "0"}

    assert desk.publish("", fields, user="carol").status == 412
    assert desk.publish("", fields).status == 200


def test_an_interval_is_looked_at_after_the_entity_tag(desk):
    tag = desk.publish(document()).need("sip-etag")

    brief = desk.publish("", {"SIP-If-Match": tag, "Expires": "10"})

    assert brief.status == 423
    assert desk.publish("", {"SIP-If-Match": tag}).status == 200


def test_a_body_beside_the_end_of_a_publication_is_not_read(desk):
    tag = desk.publish(document()).need("sip-etag")

    assert desk.publish("no XML", {"SIP-If-Match": tag, "Expires": "0"}).status == 200


# --- What watchers are told, and when


def test_nobody_is_told_before_a_publication_is_lasting(desk):
    desk.subscribe()
    desk.notified()
    desk.storage.hold()

    data = desk.write(
        "PUBLISH", {"Event": "presence", "Content-Type": PIDF}, document(), user="bob"
    )
    desk.send(data)
    before = (desk.answer(Message.read(data)), desk.notified())
    desk.storage.release()

    assert before == (None, [])
    assert desk.answer(Message.read(data)).status == 200
    assert desk.states() == [("active", "here")]


@pytest.mark.parametrize(
    "failure",
    [StorageUnavailable("full"), Conflict([("publication", "x")]), NodeLost()],
)
def test_what_cannot_be_kept_is_refused_for_now_and_told_to_nobody(desk, failure):
    desk.subscribe()
    desk.notified()
    tag = desk.publish(document("before")).need("sip-etag")
    desk.notified()
    desk.storage.failure = failure

    answers = [
        desk.publish(document("lost"), {"SIP-If-Match": tag}),
        desk.publish("", {"SIP-If-Match": tag, "Expires": "0"}),
        desk.publish(document("new", "t2")),
    ]
    desk.storage.failure = None

    assert [(each.status, each.get("retry-after")) for each in answers] == [
        (503, "30")
    ] * 3
    assert desk.states() == []
    assert desk.publish(document("after"), {"SIP-If-Match": tag}).status == 200
    assert desk.states() == [("active", "after")]
    assert desk.defects == 0


def test_a_storage_that_breaks_its_promise_is_counted_and_refused_for_now(desk):
    desk.storage.failure = OSError("no such thing")

    answer = desk.publish(document())

    assert (answer.status, answer.get("retry-after")) == (503, "30")
    assert desk.counted("commit_defects") == 1


def test_what_takes_too_long_is_refused_for_now_and_goes_live_all_the_same(desk):
    desk.subscribe()
    desk.notified()
    desk.storage.hold()
    data = desk.write(
        "PUBLISH", {"Event": "presence", "Content-Type": PIDF}, document(), user="bob"
    )
    desk.send(data)

    desk.sleep(9.9)
    before = desk.answer(Message.read(data))
    desk.sleep(0.2)
    answer = desk.answer(Message.read(data))
    told_late = desk.states()
    desk.storage.release()

    assert before is None
    assert (answer.status, answer.get("retry-after")) == (503, "30")
    assert told_late == []
    assert desk.states() == [("active", "here")]


def test_a_publication_that_expires_while_it_is_refreshed_comes_back(desk):
    desk.subscribe()
    tag = desk.publish(document(), {"Expires": "60"}).need("sip-etag")
    desk.notified()
    desk.sleep(59)
    desk.storage.hold()
    data = desk.write("PUBLISH", {"Event": "presence", "SIP-If-Match": tag}, user="bob")
    desk.send(data)
    desk.sleep(3)
    while_it_waited = desk.states()
    desk.storage.release()

    assert desk.answer(Message.read(data)).status == 200
    assert while_it_waited == [("active", "closed")]
    assert desk.states() == [("active", "here")]


def test_a_second_request_cannot_spend_a_tag_that_is_being_spent(desk):
    tag = desk.publish(document()).need("sip-etag")
    desk.storage.hold()
    first = desk.write(
        "PUBLISH", {"Event": "presence", "SIP-If-Match": tag}, user="bob"
    )
    desk.send(first)

    second = desk.publish("", {"SIP-If-Match": tag})
    desk.storage.release()

    assert second.status == 412
    assert desk.answer(Message.read(first)).status == 200


def test_a_retransmission_is_answered_once_more_and_published_once(desk):
    data = desk.write(
        "PUBLISH", {"Event": "presence", "Content-Type": PIDF}, document(), user="bob"
    )

    for _ in range(3):
        desk.send(data)

    assert len(desk.messages) == 3
    assert len({each.data for each in desk.messages}) == 1
    assert len(desk.kept("publication")) == 1


# --- Limits and packages


def test_a_body_over_the_limit_is_refused(acl):
    desk = Desk(acl, limits=Limits(body=1024))

    answer = desk.publish(document("x" * 1024))

    assert answer.status == 413
    assert "1024" in answer.reason


def test_publications_over_the_limit_are_refused_with_a_warning(acl):
    desk = Desk(acl, limits=Limits(publications=1))
    desk.publish(document())

    answer = desk.publish(pidf("sip:carol@example.test"), user="carol")

    assert answer.status == 403
    assert answer.need("warning").startswith('399 presproxy "at most 1 ')


@pytest.mark.parametrize(
    ("asked", "granted"),
    [(None, "120"), ("60", None), ("100", "100"), ("1000", "300")],
)
def test_the_intervals_are_those_of_the_package(acl, asked, granted):
    package = PresencePackage(shortest=90, default=120, longest=300)
    desk = Desk(acl, packages=[package])

    answer = desk.publish(document(), {"Expires": asked})

    assert answer.get("expires") == granted
    assert answer.get("min-expires") == (None if granted else "90")


def test_a_package_that_fails_is_answered_500(acl):
    class Broken(PresencePackage):
        def parse(self, content_type, data):
            raise RuntimeError("cannot")

    desk = Desk(acl, packages=[Broken()])

    answer = desk.publish(document())

    assert (answer.status, answer.get("retry-after")) == (500, "30")
    assert desk.counted("plugin_failures") == 1


def test_an_equal_body_again_is_not_read_again(acl):
    class Counting(PresencePackage):
        def parse(self, content_type, data):
            parsed.append(data)
            return super().parse(content_type, data)

    parsed = []
    desk = Desk(acl, packages=[Counting()])
    tag = desk.publish(document()).need("sip-etag")

    desk.publish(document(), {"SIP-If-Match": tag})

    assert len(parsed) == 1
