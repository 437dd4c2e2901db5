from __future__ import annotations

import pytest

from presproxy.documents.lync.categories import Stale
from presproxy.documents.lync.containers import (
    BLOCKED,
    COLLEAGUES,
    EXTERNAL,
    PERSONAL,
    WORKGROUP,
    Container,
    ContainerChange,
    Member,
    MemberType,
)
from presproxy.errors import LimitReached, MalformedDocument
from presproxy.events.containers import (
    BEGINNING,
    CONTAINERS,
    Containers,
    StaleContainers,
)
from presproxy.model.record import NEVER, Put, Record
from presproxy.sip.uri import AddressOfRecord

ALICE = AddressOfRecord("sip:alice@example.test")
BOB = AddressOfRecord("sip:Bob@example.test")
EVE = AddressOfRecord("sip:eve@elsewhere.test")
PHONE = AddressOfRecord("tel:+4930123")

USER, DOMAIN = MemberType.USER, MemberType.DOMAIN
BOB_HIMSELF = Member(USER, "bob@example.test")
OURS, OTHERS, ALL = (
    Member(each)
    for each in (
        MemberType.SAME_ENTERPRISE,
        MemberType.FEDERATED,
        MemberType.EVERYONE,
    )
)


@pytest.fixture
def heard():
    return []


@pytest.fixture
def table(heard):
    return Containers({"example.test"}, heard.append, heard.append, most=3)


def put(table, *changes):
    """Make changes on whatever version there is."""
    for number, member in changes:
        version = table.all_of(ALICE).version_of(number)
        table.stage(ALICE, [ContainerChange(number, version, [member])]).live()


def seated(table, watcher):
    found = table.seat(ALICE, watcher)
    return None if found is None else found[0].id


# --- Who is in which


@pytest.mark.parametrize(
    ("watcher", "number"),
    [(BOB, COLLEAGUES), (EVE, EXTERNAL), (PHONE, EXTERNAL)],
    ids=["ours", "others'", "a number"],
)
def test_everybody_begins_with_places_for_kinds_of_watchers(table, watcher, number):
    assert seated(table, watcher) == number
    assert not table.has_any(ALICE)


@pytest.mark.parametrize(
    ("changes", "watcher", "number"),
    [
        ([(WORKGROUP, BOB_HIMSELF)], BOB, WORKGROUP),
        ([(EXTERNAL, Member(DOMAIN, "example.test"))], BOB, EXTERNAL),
        (
            [
                (EXTERNAL, Member(USER, "bob@example.test")),
                (PERSONAL, Member(DOMAIN, "example.test")),
            ],
            BOB,
            EXTERNAL,
        ),
        ([(WORKGROUP, BOB_HIMSELF), (PERSONAL, BOB_HIMSELF)], BOB, PERSONAL),
        ([(PERSONAL, BOB_HIMSELF), (BLOCKED, BOB_HIMSELF)], BOB, BLOCKED),
        ([(COLLEAGUES, OTHERS)], EVE, COLLEAGUES),
        ([(BLOCKED, ALL)], EVE, EXTERNAL),
        ([(BLOCKED, ALL)], BOB, COLLEAGUES),
    ],
    ids=[
        "a user in any case of letters",
        "a domain before the house",
        "a user before his domain",
        "friends before the workgroup",
        "blocked before all",
        "colleagues before external",
        "others before everyone",
        "ours before everyone",
    ],
)
def test_the_most_specific_member_wins_and_then_the_order(
    table, changes, watcher, number
):
    put(table, *changes)

    assert seated(table, watcher) == number


def test_nobody_named_is_the_container_of_all_others(table):
    change = ContainerChange(COLLEAGUES, 0, removed=[OURS])

    table.stage(ALICE, [change]).live()

    assert seated(table, BOB) is None
    assert seated(table, EVE) == EXTERNAL


# --- Changes


def test_a_changed_container_has_the_next_version_and_the_others_stay(table, heard):
    table.stage(ALICE, [ContainerChange(BLOCKED, 0, [BOB_HIMSELF])]).live()

    assert table.of(ALICE) == (
        BEGINNING[EXTERNAL],
        BEGINNING[COLLEAGUES],
        Container(BLOCKED, 1, BEGINNING[BLOCKED].members | {BOB_HIMSELF}),
    )
    assert table.has_any(ALICE)
    assert heard == [ALICE, ALICE]


def test_what_is_staged_is_not_seen(table, heard):
    table.stage(ALICE, [ContainerChange(BLOCKED, 0, [BOB_HIMSELF])])

    assert seated(table, BOB) == COLLEAGUES
    assert heard == []


def test_all_is_done_or_nothing(table):
    put(table, (WORKGROUP, BOB_HIMSELF))

    with pytest.raises(StaleContainers) as caught:
        table.stage(
            ALICE,
            [
                ContainerChange(PERSONAL, 0, [BOB_HIMSELF]),
                ContainerChange(WORKGROUP, 0, removed=[BOB_HIMSELF]),
                ContainerChange(BLOCKED, 4, [BOB_HIMSELF]),
            ],
        )

    assert caught.value.stale == [Stale(2, 0, 1), Stale(3, 4, 0)]
    assert "change 2 was made on version 0, and 1 is current" in str(caught.value)
    assert seated(table, BOB) == WORKGROUP


def test_two_changes_of_one_container_in_one_request_are_one(table):
    changes = [
        ContainerChange(WORKGROUP, 0, [BOB_HIMSELF]),
        ContainerChange(WORKGROUP, 0, [Member(USER, "carol@example.test")]),
    ]

    table.stage(ALICE, changes).live()

    assert table.of(ALICE)[2] == Container(
        WORKGROUP, 1, frozenset({BOB_HIMSELF, Member(USER, "carol@example.test")})
    )


def test_to_ask_for_nothing_changes_nothing(table, heard):
    staged = table.stage(ALICE, [])
    staged.live()

    assert (staged.changes, heard, table.has_any(ALICE)) == ((), [], False)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7, 101, 32001])
def test_only_some_containers_have_members(table, number):
    with pytest.raises(MalformedDocument, match=f"container {number}: only 100, 200"):
        table.stage(ALICE, [ContainerChange(number, 0, [BOB_HIMSELF])])


@pytest.mark.parametrize(
    "member", [Member(USER), Member(DOMAIN), Member(MemberType.EVERYONE, "x")]
)
def test_a_member_is_named_where_it_must_be(table, member):
    with pytest.raises(MalformedDocument, match=member.type):
        table.stage(ALICE, [ContainerChange(BLOCKED, 0, [member])])


def test_a_container_is_bounded(table):
    members = [Member(USER, f"m{number}@example.test") for number in range(4)]

    with pytest.raises(LimitReached):
        table.stage(ALICE, [ContainerChange(PERSONAL, 0, members)])


def test_the_names_in_all_containers_of_a_user_are_bounded(table):
    table.octets = 30
    table.stage(ALICE, [ContainerChange(PERSONAL, 0, [BOB_HIMSELF])]).live()

    with pytest.raises(LimitReached, match="30 octets"):
        table.stage(ALICE, [ContainerChange(WORKGROUP, 0, [BOB_HIMSELF])])


def test_only_so_many_users_have_any(table):
    table.users = 1
    table.stage(ALICE, [ContainerChange(PERSONAL, 0, [BOB_HIMSELF])]).live()

    with pytest.raises(LimitReached, match="1 users"):
        table.stage(BOB, [ContainerChange(PERSONAL, 0, [OURS])])
    table.stage(ALICE, [ContainerChange(PERSONAL, 1, [OURS])]).live()


# --- Records


def test_containers_are_the_same_after_a_start(table):
    put(table, (BLOCKED, BOB_HIMSELF), (PERSONAL, Member(DOMAIN, "elsewhere.test")))
    (change,) = table.stage(ALICE, [ContainerChange(PERSONAL, 1, [OURS])]).changes
    assert isinstance(change, Put)
    assert (change.staged_on, change.expires_at) == (2, NEVER)
    again = Containers({"example.test"}, lambda user: None, lambda user: None)

    again.restore(Record(CONTAINERS, ALICE, ALICE, 3, NEVER, change.payload))
    table.stage(ALICE, [ContainerChange(PERSONAL, 1, [OURS])]).live()

    assert again.all_of(ALICE) == table.all_of(ALICE)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"containers/2\n[]",
        b"containers/1\n",
        b"containers/1\n[1]",
        b'containers/1\n[[200, 1, [["nobody", ""]]]]',
        b"containers/1\n" + b"[" * 100000,
        b"\xff",
    ],
    ids=[
        "empty",
        "another form",
        "no JSON",
        "no container",
        "no type",
        "deep",
        "bytes",
    ],
)
def test_a_record_that_cannot_be_read_says_which(table, payload):
    with pytest.raises(ValueError, match=f"containers {ALICE}"):
        table.restore(Record(CONTAINERS, ALICE, ALICE, 1, NEVER, payload))
