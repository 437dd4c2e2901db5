from __future__ import annotations

import pytest

from presproxy.documents.lync.containers import MemberType
from presproxy.documents.lync.subscribers import Subscriber
from presproxy.events.subscribers import SUBSCRIBER, Subscribers
from presproxy.model.record import NEVER, Put, Record
from presproxy.sip.uri import AddressOfRecord

ALICE = AddressOfRecord("sip:alice@example.test")
BOB = AddressOfRecord("sip:bob@example.test")
EVE = AddressOfRecord("sip:eve@elsewhere.test")


def subscriber(aor, is_acknowledged=False, name=""):
    return Subscriber(aor, MemberType.FEDERATED, is_acknowledged, name)


@pytest.fixture
def heard():
    return []


@pytest.fixture
def table(heard):
    return Subscribers(heard.append, most=2)


def test_a_new_subscriber_is_told_of_once(table, heard):
    table.stage(ALICE, subscriber(EVE)).live()
    staged = table.stage(ALICE, subscriber(EVE, name="Eve"))
    staged.live()

    assert (list(staged.changes), heard) == ([], [ALICE])
    assert table.of(ALICE) == (subscriber(EVE),)
    assert table.of(BOB) == ()


def test_who_is_acknowledged_stays_so(table, heard):
    table.stage(ALICE, subscriber(EVE)).live()

    table.stage_acknowledged(ALICE, [(EVE, True)]).live()
    again = table.stage_acknowledged(ALICE, [(EVE, True), (BOB, True)])
    again.live()
    table.stage(ALICE, subscriber(EVE)).live()

    assert list(again.changes) == []
    assert table.of(ALICE) == (subscriber(EVE, is_acknowledged=True),)
    assert heard == [ALICE, ALICE]


def test_of_a_user_who_has_very_many_no_more_are_told(table):
    for number in range(3):
        aor = AddressOfRecord(f"sip:s{number}@example.test")
        table.stage(ALICE, subscriber(aor)).live()

    assert [each.user for each in table.of(ALICE)] == [
        "sip:s0@example.test",
        "sip:s1@example.test",
    ]


def test_only_so_many_users_are_told_of_any(table):
    table.users = 1
    table.stage(ALICE, subscriber(EVE)).live()

    table.stage(BOB, subscriber(EVE)).live()

    assert table.of(BOB) == ()


def test_one_subscriber_is_told_of_to_so_many(table):
    table.most_of_one = 2
    users = [AddressOfRecord(f"sip:u{number}@example.test") for number in range(4)]
    table.stage(users[0], subscriber(EVE)).live()
    on_its_way = table.stage(users[1], subscriber(EVE))

    too_many = table.stage(users[2], subscriber(EVE))
    on_its_way.take_back()
    table.stage(users[3], subscriber(EVE)).live()

    assert list(too_many.changes) == []
    assert [len(table.of(user)) for user in users] == [1, 0, 0, 1]


def test_how_many_were_told_is_known_after_a_start(table):
    (written,) = table.stage(ALICE, subscriber(EVE)).changes
    again = Subscribers(lambda user: None, most_of_one=1)
    again.restore(_record(written))

    assert list(again.stage(BOB, subscriber(EVE)).changes) == []


def _record(put):
    return Record(put.kind, put.key, put.owner, 1, put.expires_at, put.payload)


def test_each_is_a_record_and_there_after_a_start(table):
    first = table.stage(ALICE, subscriber(EVE, name="Eve ☺"))
    (written,) = first.changes
    first.live()
    second = table.stage_acknowledged(ALICE, [(EVE, True)])
    (rewritten,) = second.changes
    again = Subscribers(lambda user: None)

    assert isinstance(rewritten, Put)
    assert (written.staged_on, rewritten.staged_on) == (0, 1)
    again.restore(Record(SUBSCRIBER, rewritten.key, ALICE, 2, NEVER, rewritten.payload))

    assert again.of(ALICE) == (subscriber(EVE, True, "Eve ☺"),)
    assert again.version(ALICE, EVE) == 2


@pytest.mark.parametrize(
    ("key", "payload"),
    [
        (f"{ALICE} {EVE}", b"subscriber/2\n{}"),
        (f"{ALICE} {EVE}", b"subscriber/1\n{}"),
        (f"{ALICE} {EVE}", b"subscriber/1\nx"),
        (f"{ALICE} {EVE}", b"subscriber/1\n[1]"),
        (
            f"{ALICE} {BOB}",
            b'subscriber/1\n{"user": "sip:eve@elsewhere.test", "type": "user"}',
        ),
        (
            f"{BOB} {EVE}",
            b'subscriber/1\n{"user": "sip:eve@elsewhere.test", "type": "user"}',
        ),
    ],
    ids=["another form", "nobody", "no JSON", "a list", "somebody else", "another's"],
)
def test_a_record_that_cannot_be_read_says_which(table, key, payload):
    with pytest.raises(ValueError, match="subscriber"):
        table.restore(Record(SUBSCRIBER, key, ALICE, 1, NEVER, payload))
