from __future__ import annotations

from itertools import pairwise

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from presproxy.documents.dialoginfo import CONTENT_TYPE as DIALOG_INFO
from presproxy.documents.dialoginfo import Dialog, DialogInfo, read, write
from presproxy.errors import StorageUnavailable
from presproxy.events.aim import Aim, Scope
from presproxy.events.passed import PASSED
from presproxy.events.patience import AT_ONCE
from presproxy.events.resource import Resources
from presproxy.events.upward import Upward
from presproxy.extend.guard import Guard
from presproxy.metrics import Counter, Metrics
from presproxy.model.publication import EntityTag, Publication
from presproxy.model.record import Delete, Put, Record
from presproxy.packages.dialog import DialogPackage
from presproxy.packages.messages import MessagesPackage
from presproxy.packages.presence import PresencePackage
from presproxy.service.background import run
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.wire import pidf
from presproxy.useragent import NoAnswer, Refused
from presproxy.useragent.alarms import Alarms
from presproxy.useragent.publication import Kept

ALICE = AddressOfRecord("sip:alice@example.test")
MARK = "ppmark"
TYPES = {
    "presence": "application/pidf+xml",
    "dialog": DIALOG_INFO,
    "message-summary": "application/simple-message-summary",
}


@attrs.define(eq=False)
class Asked:
    """One PUBLISH that the server behind was sent."""

    presentity: str
    package: str
    content: object
    expires: int
    entity_tag: str | None
    sender: str | None
    kept: Deferred = attrs.field(factory=Deferred)

    def keep(self, tag, seconds=None):
        self.kept.callback(Kept(tag, self.expires if seconds is None else seconds))

    def refuse(self, status, **more):
        self.kept.errback(Refused("PUBLISH", status, "no", **more))

    def be_silent(self):
        self.kept.errback(NoAnswer("PUBLISH", "behind", "silence"))

    @property
    def text(self):
        return None if self.content is None else self.content.data.decode()


@attrs.define(eq=False)
class House:
    """What is passed, what it is made of, and where it goes."""

    aim: Aim = attrs.field(factory=lambda: Aim([Scope(set(TYPES))]))
    clock: Clock = attrs.field(factory=Clock)
    sender: str | None = None
    asked: list[Asked] = attrs.field(factory=list)
    changes: list[object] = attrs.field(factory=list)
    freed: list[tuple[str, str]] = attrs.field(factory=list)
    keys: int = 0
    is_storage_away: bool = False
    resources: Resources = attrs.field(init=False)
    upward: Upward = attrs.field(init=False)

    def __attrs_post_init__(self):
        packages = (DialogPackage(), PresencePackage(), MessagesPackage())
        metrics = Metrics()
        self.resources = Resources(
            {
                each.name: Guard("package", each.name, each, metrics, self.clock, 1.0)
                for each in packages
            }
        )
        self.upward = Upward(
            "tcp:behind:5060",
            MARK,
            self.aim,
            self,
            self.resources,
            self.sender,
            self.commit,
            run,
            Alarms(self.clock),
            lambda: 1_000_000 + self.clock.seconds(),
            lambda: 0.0,
            self.make_key,
            Counter(),
            lambda aor, package: self.freed.append((aor, package)),
        )

    def start(self):
        self.upward.start()
        return self

    def make_key(self):
        self.keys += 1
        return f"key{self.keys}"

    async def commit(self, staged):
        changes = tuple(staged.changes)
        if self.is_storage_away:
            staged.take_back()
            raise StorageUnavailable("gone")
        self.changes += changes
        staged.live()

    async def publish_once(
        self, presentity, package, content, expires, entity_tag=None, sender=None
    ):
        one = Asked(presentity, package, content, expires, entity_tag, sender)
        self.asked.append(one)
        return await one.kept

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    def publish(self, note="here", user="alice", package="presence", body=None):
        """Have a user publish, in place of what he published before."""
        aor = AddressOfRecord(f"sip:{user}@example.test")
        data = pidf(aor, note) if body is None else body
        data = data.encode() if isinstance(data, str) else data
        guard = self.resources.guard(package)
        document = guard.plugin.parse(TYPES[package], data)
        resource = self.resources.take(aor, package)
        resource.publications[:] = [
            Publication(
                "k",
                aor,
                package,
                EntityTag("e"),
                TYPES[package],
                data,
                document,
                9e9,
                1.0,
            )
        ]
        self.upward.changed(aor, package)

    def leave(self, user="alice", package="presence"):
        aor = AddressOfRecord(f"sip:{user}@example.test")
        resource = self.resources.find(aor, package)
        resource.publications.clear()
        self.resources.drop_if_empty(resource)
        self.upward.changed(aor, package)

    def sleep(self, seconds):
        self.clock.pump([0.5] * int(2 * seconds))

    def pass_on(self, tag="one", **more):
        self.publish(**more)
        self.last.keep(tag)


@pytest.fixture
def house():
    return House().start()


# --- One user


def test_what_is_published_here_is_published_behind(house):
    house.publish("here")

    one = house.last
    assert (one.presentity, one.package, one.expires) == (ALICE, "presence", 300)
    assert (one.entity_tag, one.sender) == (None, None)
    assert one.content.content_type == TYPES["presence"]
    assert "<note>here</note>" in one.text
    assert f'id="{MARK}-t1"' in one.text


def test_a_change_has_the_entity_tag_and_a_body(house):
    house.pass_on("one")

    house.publish("changed")

    assert house.last.entity_tag == "one"
    assert "changed" in house.last.text


def test_what_does_not_change_is_told_once(house):
    house.pass_on("one")

    house.publish()

    assert len(house.asked) == 1


def test_one_is_under_way_and_the_latest_state_follows(house):
    house.publish("first")
    house.publish("second")
    house.publish("third")
    assert len(house.asked) == 1

    house.last.keep("one")

    assert len(house.asked) == 2
    assert (house.last.entity_tag, "third" in house.last.text) == ("one", True)


def test_what_was_true_for_a_moment_is_not_told(house):
    house.pass_on("one", note="first")
    house.publish("second")
    house.publish("first")
    house.last.keep("two")
    house.last.keep("three")

    texts = [each.text for each in house.asked]
    assert ["first" in text for text in texts] == [True, False, True]


def test_who_leaves_is_taken_away(house):
    house.pass_on("one")
    house.leave()

    one = house.last
    assert (one.entity_tag, one.expires, one.content) == ("one", 0, None)
    one.keep("")
    assert (len(house.upward), house.upward.all()) == (0, ())
    assert house.freed == [(ALICE, "presence")]


def test_who_leaves_before_he_was_told_of_is_never_told_of(house):
    house.publish(user="slow")
    for number in range(AT_ONCE):
        house.publish(user=f"u{number}")
    house.leave(user=f"u{AT_ONCE - 1}")

    house.asked[0].keep("one")

    assert len(house.asked) == AT_ONCE
    assert len(house.upward.all()) == AT_ONCE


def test_who_comes_back_while_he_is_taken_away_is_published_anew(house):
    house.pass_on("one")
    house.leave()
    house.publish("back")
    house.last.keep("")

    assert (house.last.entity_tag, "back" in house.last.text) == (None, True)


def test_it_is_refreshed_without_a_body(house):
    house.pass_on("one")
    house.sleep(271)

    assert (house.last.entity_tag, house.last.content) == ("one", None)
    house.last.keep("two")
    house.publish("changed")
    assert house.last.entity_tag == "two"


def test_the_domain_may_have_another_name_behind():
    house = House(Aim([Scope({"presence"})], domain="pbx.test")).start()

    house.publish()

    assert house.last.presentity == "sip:alice@pbx.test"
    assert 'entity="sip:alice@pbx.test"' in house.last.text


def test_somebody_else_may_stand_in_from():
    house = House(sender="sip:presproxy@example.test").start()

    house.publish()

    assert house.last.sender == "sip:presproxy@example.test"


@pytest.mark.parametrize(
    "aim",
    [Aim([Scope({"dialog"})]), Aim([Scope({"presence"}, {"other.test"})])],
    ids=["package", "domain"],
)
def test_what_is_not_aimed_at_is_not_passed(aim):
    house = House(aim).start()

    house.publish()

    assert house.asked == []


def test_there_are_not_more_than_wanted():
    house = House(Aim([Scope({"presence"})], most=1)).start()

    house.publish(user="alice")
    house.publish(user="bob")

    assert len(house.asked) == 1
    assert house.upward.failures.value == 1


def test_not_all_are_passed_at_once(house):
    for number in range(AT_ONCE + 5):
        house.publish(user=f"u{number}")
    assert len(house.asked) == AT_ONCE

    house.asked[0].keep("one")

    assert len(house.asked) == AT_ONCE + 1


def test_what_a_server_behind_says_is_not_passed_back(house):
    resource = house.resources.take(ALICE, "presence")
    guard = house.resources.guard("presence")
    document = guard.plugin.parse(TYPES["presence"], pidf(ALICE, "there").encode())
    resource.fetched = Publication(
        "behind",
        ALICE,
        "presence",
        EntityTag(""),
        TYPES["presence"],
        b"",
        document,
        9e9,
        2.0,
    )
    house.upward.changed(ALICE, "presence")
    assert house.asked == []

    house.publish("here")

    assert ("there" in house.last.text, "here" in house.last.text) == (False, True)


def test_calls_are_passed_with_marked_ids(house):
    call = Dialog("d", "early", "c", "l", "r")
    house.publish(package="dialog", body=write(DialogInfo(ALICE, (call,))))

    passed = read(house.last.content.data)
    assert [(each.id, each.state) for each in passed.dialogs] == [
        (f"{MARK}-d", "early")
    ]


def test_a_mailbox_is_passed_as_it_is(house):
    house.publish(
        package="message-summary",
        body="Messages-Waiting: yes\r\nVoice-Message: 2/0\r\n",
    )

    assert "Voice-Message: 2/0" in house.last.text


# --- What goes wrong


def test_what_was_forgotten_is_published_anew(house):
    house.pass_on("one")
    house.publish("changed")
    house.last.refuse(412)

    assert (house.last.entity_tag, "changed" in house.last.text) == (None, True)


def test_when_one_was_forgotten_all_others_are_looked_at(house):
    house.pass_on("one")
    house.pass_on("two", user="bob")
    house.sleep(100)
    house.publish("changed")
    house.last.refuse(412)

    bobs = [each for each in house.asked if "bob" in each.presentity]
    assert [(each.entity_tag, each.content is None) for each in bobs] == [
        (None, False),
        ("two", True),
    ]


def test_a_server_that_forgets_always_is_not_asked_for_ever(house):
    house.publish()
    for _ in range(20):
        if house.last.kept.called:
            break
        house.last.refuse(412)

    assert len(house.asked) < 6
    assert house.upward.failures.value == 1


@pytest.mark.parametrize(("minimum", "asked"), [(900, 900), (None, 600)])
def test_a_longer_interval_is_asked_for_where_it_is_wanted(house, minimum, asked):
    house.publish()
    house.last.refuse(423, minimum=minimum)

    assert (house.last.expires, "here" in house.last.text) == (asked, True)


def test_what_is_refused_is_tried_again_after_a_while_and_no_sooner(house):
    house.publish("first")
    house.last.refuse(403)
    house.publish("second")
    house.sleep(299)
    assert len(house.asked) == 1

    house.sleep(2)

    assert len(house.asked) == 2
    assert "second" in house.last.text
    assert house.upward.all()[0].why == "PUBLISH was answered 403 no"


def test_that_one_is_refused_does_not_hinder_others(house):
    house.publish()
    house.last.refuse(500)

    house.publish(user="bob")

    assert len(house.asked) == 2


def test_a_server_that_is_away_is_asked_now_and_then_and_by_one(house):
    for number in range(AT_ONCE + 5):
        house.publish(user=f"u{number}")
    for each in tuple(house.asked):
        each.be_silent()
    assert len(house.asked) == AT_ONCE
    assert house.upward.is_away

    house.sleep(1)
    assert len(house.asked) == AT_ONCE + 1
    house.last.be_silent()
    house.sleep(1.5)
    assert len(house.asked) == AT_ONCE + 1
    house.sleep(1)

    assert len(house.asked) == AT_ONCE + 2


def test_the_pause_grows_to_a_minute(house):
    house.publish()
    moments = []
    for _ in range(9):
        moments.append(house.clock.seconds())
        house.last.be_silent()
        before = len(house.asked)
        while len(house.asked) == before:
            house.sleep(1)

    pauses = [later - sooner for sooner, later in pairwise(moments)]
    assert pauses == sorted(pauses)
    assert 60 <= pauses[-1] <= 75


def test_retry_after_is_obeyed(house):
    house.publish()
    house.last.refuse(503, retry_after=30)
    house.sleep(29)
    assert len(house.asked) == 1

    house.sleep(2)

    assert len(house.asked) == 2


def test_when_it_is_back_all_is_told_and_the_latest_state(house):
    house.pass_on("one", user="bob")
    house.publish("first")
    house.last.be_silent()
    house.publish("second")
    house.sleep(1)

    house.last.keep("two")

    assert "second" in house.asked[2].text
    again = house.asked[3]
    assert ("bob" in again.presentity, again.entity_tag) == (True, "one")


def test_a_state_that_nobody_answers_does_not_hinder_others(house):
    house.publish(user="large")
    house.publish(user="bob")
    house.sleep(1)
    house.asked[1].keep("one")
    house.asked[0].be_silent()

    # Bob was answered meanwhile, so that it is not the server.
    assert not house.upward.is_away


def test_one_that_has_expired_meanwhile_is_not_taken_away(house):
    house.pass_on("one")
    house.sleep(270.5)
    house.last.be_silent()
    house.leave()
    for _ in range(40):
        house.sleep(5)
        if not house.last.kept.called:
            house.last.be_silent()

    assert house.upward.all() == ()


def test_a_broken_connection_has_all_looked_at(house):
    house.pass_on("one")

    house.upward.doubt()

    assert (house.last.entity_tag, house.last.content) == ("one", None)


def test_nothing_is_passed_after_a_stop(house):
    house.pass_on("one")
    house.upward.stop()

    house.publish("late")
    house.sleep(600)

    assert len(house.asked) == 1


# --- What comes back


def document_of(house, package, data):
    return house.resources.guard(package).plugin.parse(TYPES[package], data)


def test_what_was_passed_is_known_when_it_comes_back(house):
    house.publish("here")
    echo = document_of(house, "presence", house.last.content.data)

    assert house.upward.others(ALICE, "presence", echo) is None


def test_what_others_say_behind_stays(house):
    text = pidf(
        ALICE,
        "there",
        more=f'<tuple id="{MARK}-t1"><status><basic>open</basic></status></tuple>',
    )
    document = document_of(house, "presence", text.encode())

    rest = house.upward.others(ALICE, "presence", document)

    assert [piece.id for piece in rest.pieces] == [b"t1"]


def test_calls_that_were_passed_are_known(house):
    calls = (Dialog(f"{MARK}-d", "early"), Dialog("other", "confirmed"))
    document = document_of(house, "dialog", write(DialogInfo(ALICE, calls)))

    rest = house.upward.others(ALICE, "dialog", document)

    assert [each.id for each in rest.dialogs] == ["other"]


def test_what_has_been_behind_once_is_not_passed_again(house):
    house.publish(body=pidf(ALICE, "loop", id=f"x-{MARK}-t1"))

    assert house.asked == []


def test_a_mailbox_behind_counts_while_there_is_none_here(house):
    text = "Messages-Waiting: yes\r\n"
    document = document_of(house, "message-summary", text.encode())
    assert house.upward.others(ALICE, "message-summary", document) is document

    house.pass_on("one", package="message-summary", body=text)

    assert house.upward.others(ALICE, "message-summary", document) is None


# --- Starts


def record_of(put):
    return Record(
        put.kind, put.key, put.owner, put.staged_on + 1, put.expires_at, put.payload
    )


def test_what_is_kept_behind_is_known_after_a_start(house):
    house.pass_on("one")
    (put,) = house.changes
    assert (put.kind, put.owner, put.expires_at) == (PASSED, ALICE, 1_000_300)

    again = House()
    again.publish("new")
    assert again.upward.restore(record_of(put))
    again.start()

    assert [(each.entity_tag, "new" in each.text) for each in again.asked] == [
        ("one", True)
    ]


def test_who_left_while_nobody_was_there_is_taken_away(house):
    house.pass_on("one")
    again = House()
    again.upward.restore(record_of(house.changes[0]))
    again.start()

    assert [(each.entity_tag, each.expires) for each in again.asked] == [("one", 0)]
    again.last.keep("")
    assert again.changes == [Delete(PASSED, "key1", ALICE, 1)]


def test_what_is_kept_at_another_server_is_left_to_expire(house):
    house.pass_on("one")
    again = House()
    again.upward.name = "tcp:other:5060"

    assert not again.upward.restore(record_of(house.changes[0]))


@pytest.mark.parametrize("payload", [b"", b"passed/1\n[1]", b"passed/1\n", b"x\n[]"])
def test_a_record_that_is_broken_is_told(house, payload):
    with pytest.raises(ValueError, match="passed"):
        house.upward.restore(Record(PASSED, "k", ALICE, 1, 9e9, payload))


def test_each_entity_tag_is_kept_in_its_turn(house):
    house.pass_on("one")
    house.publish("changed")
    house.last.keep("two")
    house.leave()
    house.last.keep("")
    house.pass_on("three")

    assert [(type(each), each.staged_on) for each in house.changes] == [
        (Put, 0),
        (Put, 1),
        (Delete, 2),
        (Put, 0),
    ]
    assert house.changes[3].key != house.changes[0].key


def test_it_goes_on_while_the_storage_is_away(house):
    house.is_storage_away = True
    house.pass_on("one")
    house.publish("changed")

    assert house.last.entity_tag == "one"
