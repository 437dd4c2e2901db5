"""Many contacts in one SUBSCRIBE ([MS-PRES] 2.2.2.4.1, RFC 4662)."""

from __future__ import annotations

import attrs
import pytest

from presproxy.documents.lync.batch import (
    CONTENT_TYPE,
    Batch,
    BatchAction,
    BatchResource,
    write_batch,
)
from presproxy.documents.rlmi import read_rlmi
from presproxy.model.decision import FULL, NEUTRAL, Decision, Handling
from presproxy.sip.multipart import read_multipart
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.wire import Message, pidf, respond

ALICE = "sip:alice@example.test"
BOB = "sip:bob@example.test"
CAROL = "sip:carol@example.test"
DAVE = "sip:dave@example.test"
ERIN = "sip:erin@example.test"

RLMI = "application/rlmi+xml"
CATEGORIES = "application/msrtc-event-categories+xml"

SIPE = {
    "Require": "adhoclist, categoryList",
    "Supported": ["eventlist", "ms-piggyback-first-notify", "ms-benotify"],
    "Accept": f"{RLMI}, multipart/related, text/xml+msrtc.pidf, {CATEGORIES}, "
    "application/xpidf+xml, application/pidf+xml",
    "Proxy-Require": "ms-benotify",
    "Event": "presence",
    "Content-Type": CONTENT_TYPE,
}
#: Who is told by messages of their own.
PLAIN = {**SIPE, "Supported": ["eventlist", "ms-benotify"]}
#: Who answers what he is told.
ANSWERING = {**SIPE, "Supported": "ms-piggyback-first-notify"}

ALLOW = Decision(Handling.ALLOW, "allowed", FULL)
BLOCK = Decision(Handling.BLOCK, "blocked", NEUTRAL)
CONFIRM = Decision(Handling.CONFIRM, "asked", NEUTRAL)


def named(*uris, action="subscribe", categories=("state", "note"), is_new=False):
    resources = [BatchResource(uri, is_new) for uri in uris]
    asked = BatchAction(action == "subscribe", "1", resources, categories)
    return write_batch(Batch(ALICE, [asked])).decode()


@attrs.define(eq=False)
class Client:
    """A user agent that watches contacts in one dialog."""

    desk: object
    fields: dict = attrs.field(factory=lambda: SIPE)
    answer: Message | None = None
    begun: Message | None = None
    cseq: int = 1

    def ask(self, *uris, fields=None, body=None, uri=ALICE, **asked):
        body = named(*uris, **asked) if body is None else body
        fields = {**self.fields, **(fields or {})}
        if not body:
            fields["Content-Type"] = None
        if self.begun is not None:
            self.cseq += 1
            fields = {
                "From": self.begun.need("from"),
                "To": self.begun.need("to"),
                "Call-ID": self.begun.call_id,
                "CSeq": f"{self.cseq} SUBSCRIBE",
                **fields,
            }
        self.answer = self.desk.ask("SUBSCRIBE", fields, body, uri=uri)
        if self.begun is None:
            self.begun = self.answer
        return self.answer

    def told(self):
        """What each of the notifications since then says."""
        return [contents(each) for each in self.desk.notified()]


@pytest.fixture
def client(desk):
    return Client(desk)


def contents(message):
    """What a message says of whom: the state of each, with what is shown."""
    kind = message.get("content-type")
    if kind == CATEGORIES:
        return message.text
    if kind is None:
        return ""
    parts = read_multipart(message.body, kind)
    shown = {part.content_id: part.data.decode().strip() for part in parts[1:]}
    return [
        (resource.uri, each.state, each.reason, shown.get(each.cid, ""))
        for resource in read_rlmi(parts[0].data).resources
        for each in resource.instances
    ]


def active(uri, text):
    return (uri, "active", "", f"{uri} [note,state] {text}")


def publish(desk, user, note):
    desk.publish(pidf(f"sip:{user}@example.test", note), user=user)


# -- Beginning ---------------------------------------------------------------------------


def test_all_are_shown_in_the_answer(client, desk):
    publish(desk, "bob", "here")

    answer = client.ask(BOB, CAROL)

    assert answer.status == 200
    assert contents(answer) == [active(BOB, "here"), active(CAROL, "closed")]
    assert answer.get("event") == "presence"
    assert answer.get("require") == "eventlist"
    assert answer.get("ms-piggyback-cseq") == "1"
    assert answer.get("subscription-state") == "active;expires=3600"
    assert answer.all("supported") == ["ms-benotify", "ms-piggyback-first-notify"]
    assert client.told() == []


def test_the_body_is_as_clients_read_it(client):
    answer = client.ask(BOB)

    kind = answer.need("content-type")
    boundary = kind.partition("boundary=")[2]
    assert kind.startswith(f'multipart/related;type="{RLMI}";start=resourceList;')
    assert b"Content-ID: resourceList\r\nContent-Type: application/rlmi" in answer.body
    assert answer.body.count(b"\r\n\r\n--" + boundary.encode()) == 2
    meta = read_rlmi(read_multipart(answer.body, kind)[0].data)
    assert (meta.uri, meta.version, meta.is_full) == (ALICE, 1, False)


@pytest.mark.parametrize(
    ("fields", "method"),
    [(PLAIN, "BENOTIFY"), ({**PLAIN, "Supported": "eventlist"}, "NOTIFY")],
)
def test_who_wants_no_piggyback_is_told_by_a_message(client, desk, fields, method):
    client.fields = fields

    answer = client.ask(BOB, CAROL)

    assert (answer.body, answer.get("ms-piggyback-cseq")) == (b"", None)
    (first,) = desk.notified()
    assert (first.method, first.cseq, first.get("require")) == (method, 1, "eventlist")
    assert contents(first) == [active(BOB, "closed"), active(CAROL, "closed")]


def test_one_contact_may_be_asked_for_at_his_own_address(client):
    answer = client.ask(BOB, uri=BOB, fields={"Require": None})

    assert contents(answer) == [active(BOB, "closed")]


def test_who_reads_presence_documents_is_told_in_those(client, desk):
    publish(desk, "bob", "here")

    answer = client.ask(BOB, fields={"Accept": "application/pidf+xml"})

    parts = read_multipart(answer.body, answer.need("content-type"))
    assert [part.content_type for part in parts] == [RLMI, "application/pidf+xml"]
    assert b"here" in parts[1].data


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Accept": "text/plain"}, 406),
        ({"Event": "presence.winfo"}, 489),
        ({"Event": "roaming"}, 489),
        ({"Expires": "59"}, 423),
        ({"Require": "adhoclist, magic"}, 420),
        ({"Contact": None}, 400),
    ],
)
def test_what_cannot_be_served_is_refused(client, desk, fields, status):
    answer = client.ask(BOB, fields=fields)

    assert (answer.status, desk.subscriptions) == (status, ())
    assert (desk.flow.holds, desk.defects) == (0, 0)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("<batchSub", 400),
        ("<other/>", 400),
        (named(*[f"sip:u{n}@example.test" for n in range(5)]), 413),
        ("x" * 70_000, 413),
    ],
    ids=["not well-formed", "another shape", "too many", "too long"],
)
def test_bad_batches_are_refused_and_nothing_is_begun(client, desk, body, status):
    answer = client.ask(body=body)

    assert (answer.status, desk.subscriptions) == (status, ())
    assert (desk.flow.holds, desk.defects) == (0, 0)


def test_who_answers_nothing_is_told_of_so_many_and_no_more(desk, client):
    client.fields = ANSWERING
    client.ask(BOB)
    publish(desk, "bob", "news")
    desk.clock.advance(0)

    statuses = [
        client.ask(*[f"sip:x{n}@elsewhere.test" for n in range(4)]).status
        for _ in range(5)
    ]

    assert statuses == [200, 200, 200, 503, 503]
    assert client.answer.get("retry-after") == "30"


def test_a_batch_needs_a_connection(desk):
    desk.flow = RecordingFlow()

    assert Client(desk).ask(BOB).status == 403


def test_nobody_of_ours_has_no_batch(client):
    assert client.ask(BOB, uri="sip:alice@elsewhere.test").status == 404


# -- Who may be seen ---------------------------------------------------------------------


def test_each_is_asked_about(client, acl):
    client.ask(BOB, CAROL)

    assert acl.asked == [(ALICE, BOB, "presence"), (ALICE, CAROL, "presence")]


def test_who_may_not_be_seen_or_is_nobody_is_said_to_be_so(client, acl):
    acl.decision = BLOCK

    answer = client.ask(BOB, "sip:x@elsewhere.test", "tel:+1", "what?")

    assert contents(answer) == [
        (BOB, "terminated", "rejected", ""),
        ("sip:x@elsewhere.test", "terminated", "noresource", ""),
        ("tel:+1", "terminated", "noresource", ""),
        ("what?", "terminated", "noresource", ""),
    ]


def test_who_has_not_decided_is_pending_until_he_has(client, desk, acl):
    publish(desk, "bob", "here")
    acl.decision = CONFIRM
    answer = client.ask(BOB)

    acl.decision = ALLOW
    desk.server.decider.decide_again(BOB)

    (first,) = contents(answer)
    assert first == (BOB, "pending", "", f"{BOB} [note,state] closed")
    assert client.told() == [f"{BOB} [note,state] here"]


def test_who_is_blocked_later_is_shown_as_nobody_at_home(client, desk, acl):
    publish(desk, "bob", "here")
    client.ask(BOB, CAROL)

    acl.decision = BLOCK
    desk.server.decider.decide_again(BOB)

    gone = (BOB, "terminated", "rejected", f"{BOB} [note,state] closed")
    assert client.told() == [[gone]]
    assert [each.presentity for each in desk.subscriptions] == [CAROL]


def test_others_are_asked_about_while_one_is_not_decided_about(client, desk, acl):
    acl.hold()
    client.ask(BOB, CAROL)

    assert len(acl.waiting) == 2
    acl.answer(ALLOW)
    acl.answer(ALLOW)
    answer = Message.read(desk.flow.sent[-1][1])
    assert [each[0] for each in contents(answer)] == [BOB, CAROL]


def test_who_is_lost_while_acls_are_asked_watches_nobody(client, desk, acl, stream):
    acl.hold()
    client.ask(BOB)

    stream.close()
    acl.answer(ALLOW)

    assert (desk.subscriptions, stream.holds, desk.defects) == ((), 0, 0)


# -- Changes -----------------------------------------------------------------------------


def test_one_change_is_told_as_it_is(client, desk):
    client.ask(BOB, CAROL)

    publish(desk, "bob", "here")

    (told,) = desk.notified()
    assert (told.method, told.cseq) == ("BENOTIFY", 2)
    assert told.get("content-type") == CATEGORIES
    assert told.text == f"{BOB} [note,state] here"
    assert told.need("subscription-state").startswith("active;expires=")


def test_changes_of_one_turn_are_one_message(client, desk):
    client.ask(BOB, CAROL, DAVE)

    publish(desk, "carol", "there")
    publish(desk, "bob", "here")

    (told,) = desk.notified()
    assert contents(told) == [active(CAROL, "there"), active(BOB, "here")]
    meta = read_rlmi(read_multipart(told.body, told.need("content-type"))[0].data)
    assert meta.version == 2


def test_all_who_watch_the_same_are_told_the_same(desk):
    for _ in range(2):
        Client(desk).ask(BOB)

    publish(desk, "bob", "here")

    told = desk.notified()
    assert [each.text for each in told] == [f"{BOB} [note,state] here"] * 2
    assert len({each.call_id for each in told}) == 2


def test_who_reads_slowly_is_told_the_latest_of_each(client, desk, stream):
    client.ask(BOB, CAROL)
    stream.is_full = True
    for user, note in (("bob", "one"), ("carol", "two"), ("bob", "three")):
        publish(desk, user, note)
        desk.clock.advance(0)
    before = client.told()

    stream.read()

    assert before == []
    assert client.told() == [[active(CAROL, "two"), active(BOB, "three")]]


def test_who_has_not_answered_is_told_the_rest_then(client, desk):
    client.fields = ANSWERING
    client.ask(BOB, CAROL)
    for user in ("bob", "carol", "bob"):
        publish(desk, user, f"of {user}")
        desk.clock.advance(0)

    first, second = desk.notified()

    assert contents(first) == f"{BOB} [note,state] of bob"
    assert contents(second) == f"{CAROL} [note,state] of carol"


def test_what_was_refused_goes_again_with_the_next(client, desk):
    client.fields = ANSWERING
    client.ask(BOB, CAROL)
    publish(desk, "bob", "one")
    desk.clock.advance(0)
    refused = Message.read(desk.flow.sent[-1][1])
    desk.send(respond(refused, 500))

    publish(desk, "carol", "two")
    desk.clock.advance(0)

    last = Message.read(desk.flow.sent[-1][1])
    assert contents(last) == [active(BOB, "one"), active(CAROL, "two")]


def test_who_answers_nothing_is_given_up(client, desk, stream):
    client.fields = ANSWERING
    client.ask(BOB, CAROL)
    publish(desk, "bob", "one")
    desk.clock.advance(0)

    desk.sleep(66)

    assert (desk.subscriptions, len(desk.server.house.list_dialogs)) == ((), 0)
    assert (stream.holds, desk.defects) == (0, 0)


# -- In the dialog -----------------------------------------------------------------------


def test_more_are_added_and_shown(client, desk):
    client.ask(BOB)

    answer = client.ask(CAROL)
    publish(desk, "bob", "here")

    assert contents(answer) == [active(CAROL, "closed")]
    assert answer.get("ms-piggyback-cseq") == "2"
    assert client.told() == [f"{BOB} [note,state] here"]
    assert len(desk.server.house.list_dialogs) == 1


def test_who_is_there_already_is_shown_again_and_watched_once(client, desk):
    client.ask(BOB, CAROL)

    answer = client.ask(BOB, BOB, categories=("state",))

    assert contents(answer) == [(BOB, "active", "", f"{BOB} [state] closed")]
    assert len(desk.subscriptions) == 2


def test_who_is_taken_out_is_told_of_no_more(client, desk):
    client.ask(BOB, CAROL)

    answer = client.ask(BOB, "sip:nobody@example.test", action="unsubscribe")
    publish(desk, "bob", "here")
    publish(desk, "carol", "there")

    assert (answer.status, answer.body) == (200, b"")
    assert client.told() == [f"{CAROL} [note,state] there"]
    assert [each.presentity for each in desk.subscriptions] == [CAROL]


def test_a_refresh_shows_all_and_goes_on(client, desk):
    client.ask(BOB, CAROL)
    desk.clock.advance(3000)

    answer = client.ask(body="", fields={"Expires": "600"})
    desk.sleep(601)

    assert contents(answer) == [active(BOB, "closed"), active(CAROL, "closed")]
    assert answer.get("expires") == "600"
    assert desk.subscriptions == ()


def test_a_list_ends_with_its_time_and_all_in_it(client, desk, stream):
    client.ask(BOB, CAROL, fields={"Expires": "60"})

    desk.sleep(62)

    (last,) = desk.notified()
    assert last.need("subscription-state") == "terminated;reason=timeout"
    assert (last.body, desk.subscriptions, stream.holds) == (b"", (), 0)
    assert desk.server.house.list_dialogs.expiring == 0


def test_who_leaves_is_told_so_in_the_answer(client, desk, stream):
    client.ask(BOB, CAROL)

    answer = client.ask(body="", fields={"Expires": "0"})

    assert answer.get("subscription-state") == "terminated;expires=0"
    assert (client.told(), desk.subscriptions, stream.holds) == ([], (), 0)
    assert client.ask(CAROL).status == 481


def test_who_wants_no_piggyback_is_told_of_the_end(client, desk):
    client.fields = PLAIN
    client.ask(BOB)
    desk.notified()

    client.ask(body="", fields={"Expires": "0"})

    (last,) = desk.notified()
    assert last.need("subscription-state") == "terminated;reason=timeout"


def test_all_ends_with_the_connection(client, desk, stream):
    client.ask(BOB, CAROL)

    stream.close()

    assert (desk.subscriptions, stream.holds) == ((), 0)
    assert (len(desk.server.house.list_dialogs), desk.defects) == (0, 0)


def test_nothing_is_kept(client, desk):
    client.ask(BOB, CAROL)
    client.ask(DAVE)

    assert desk.kept("subscription") == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Event": "roaming"}, 489),
        ({"From": f"<{BOB}>;tag=f"}, 481),
        ({"CSeq": "0 SUBSCRIBE"}, 500),
        ({"Content-Type": "text/plain"}, 415),
        ({"Expires": "1"}, 423),
    ],
)
def test_what_is_wrong_in_a_dialog_changes_nothing(client, desk, fields, status):
    client.ask(BOB)

    answer = client.ask(CAROL, fields=fields)

    assert answer.status == status
    assert [each.presentity for each in desk.subscriptions] == [BOB]


def test_a_dialog_moves_with_its_client(client, desk, stream):
    client.ask(BOB)
    other = RecordingStream()
    fields = {
        "From": client.begun.need("from"),
        "To": client.begun.need("to"),
        "Call-ID": client.begun.call_id,
        "CSeq": "2 SUBSCRIBE",
    }
    data = desk.write("SUBSCRIBE", {**SIPE, **fields}, named(CAROL), uri=ALICE)
    desk.send(data, other)

    stream.close()
    desk.flow = other
    publish(desk, "bob", "here")
    desk.clock.advance(0)

    assert b"[note,state] here" in other.sent[-1][1]
    assert len(desk.subscriptions) == 2


# -- Looking once ------------------------------------------------------------------------


def test_a_poll_shows_all_once_and_leaves_nothing(client, desk, stream):
    publish(desk, "bob", "here")

    answer = client.ask(BOB, CAROL, fields={"Expires": "0"})
    publish(desk, "bob", "there")

    assert contents(answer) == [active(BOB, "here"), active(CAROL, "closed")]
    assert answer.get("subscription-state") == "terminated;expires=0"
    assert answer.get("expires") == "0"
    assert (client.told(), desk.subscriptions, stream.holds) == ([], (), 0)


def test_a_poll_without_piggyback_has_one_message(client, desk):
    client.fields = PLAIN

    client.ask(BOB, fields={"Expires": "0"})

    (told,) = desk.notified()
    assert contents(told) == [active(BOB, "closed")]
    assert told.need("subscription-state") == "terminated;reason=timeout"


# -- Bounds ------------------------------------------------------------------------------


def full(desk, name):
    """Let somebody have as many watchers as may be."""
    for user in ("carol", "dave"):
        desk.subscribe(uri=f"sip:{name}@example.test", user=user)
    desk.notified()


def test_who_has_too_many_watchers_is_shown_once(client, desk):
    publish(desk, "bob", "here")
    full(desk, "bob")

    answer = client.ask(BOB, CAROL)
    publish(desk, "bob", "there")
    told = [each for each in desk.notified() if each.method == "BENOTIFY"]

    shown = (BOB, "terminated", "probation", f"{BOB} [note,state] here")
    assert contents(answer) == [shown, active(CAROL, "closed")]
    assert told == []


def test_a_list_grows_only_so_far(client, desk):
    client.ask(BOB, CAROL, DAVE)

    answer = client.ask(ERIN, "sip:frank@example.test")

    assert [each[1:3] for each in contents(answer)] == [
        ("active", ""),
        ("terminated", "probation"),
    ]


def test_one_watcher_has_only_so_many_in_all(desk):
    Client(desk).ask(*[f"sip:u{n}@example.test" for n in range(4)])

    answer = Client(desk).ask(*[f"sip:v{n}@example.test" for n in range(4)])

    states = [each[1] for each in contents(answer)]
    assert states == ["active", "active", "terminated", "terminated"]
    assert desk.server.agent.count_of(ALICE) == 6


def test_one_watcher_has_only_so_many_lists(desk):
    answers = [Client(desk).ask(body=named()).status for _ in range(101)]

    assert answers == [200] * 100 + [403]


# -- Others ------------------------------------------------------------------------------


def test_those_who_watch_are_seen_by_whoever_asks_for_watchers(client, desk):
    desk.subscribe({"Event": "presence.winfo"}, uri=BOB, user="bob")
    desk.notified()

    client.ask(BOB)

    (told,) = desk.notified()
    assert ALICE in told.text


def test_who_is_added_is_said_to_be_so(client, desk):
    introduced = []
    members = desk.server.core.steps["SUBSCRIBE"].batches.members
    members.introduced = lambda *who: introduced.append(who)

    client.ask(BOB, is_new=True)
    client.ask(BOB, CAROL)
    client.ask(DAVE, fields={"Expires": "0"})

    assert introduced == [(BOB, ALICE)]
