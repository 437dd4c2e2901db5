"""Categories: versions, what lasts how long, bounds, and records."""

from __future__ import annotations

import attrs
import pytest

from presproxy.documents.lync.categories import (
    Asked,
    Category,
    CategoryName,
    ExpireType,
    Stale,
)
from presproxy.errors import LimitReached, MalformedDocument
from presproxy.events.categories import CategoryBounds
from presproxy.events.category_records import (
    CATEGORY,
    read_category,
    write_category,
)
from presproxy.events.category_staging import WrongVersion
from presproxy.model.record import NEVER, Delete, Put, Record
from presproxy.testing.agency import ALICE, Agency, WordPackage

STATE = CategoryName("state", 1, 2)
NOTE = CategoryName("note", 0, 200)
ENDPOINT, USER, TIME, STATIC = ExpireType


def asked(
    name: CategoryName = STATE,
    version: int = 0,
    expire_type: ExpireType = STATIC,
    body: bytes = b"<state/>",
    expires: int | None = None,
) -> Asked:
    return Asked(name, version, expire_type, expires, body)


def removal(name: CategoryName = STATE, version: int = 0) -> Asked:
    return asked(name, version, body=b"", expires=0)


class Bodies(WordPackage):
    """The state is what is published, as it is."""

    def compose(self, material):
        return tuple(each.body.decode() for each in material.categories)


@pytest.fixture
def agency():
    return Agency(package=Bodies("presence"))


@pytest.fixture
def table(agency):
    return agency.categories


@pytest.fixture
def stage(agency):
    def stage(*all_asked, endpoint="e1", **options):
        return agency.categories.stage(
            ALICE, all_asked, endpoint, agency.now(), agency.ticks(), **options
        )

    return stage


@pytest.fixture
def publish(stage):
    def publish(*all_asked, **options):
        staged = stage(*all_asked, **options)
        staged.live()
        return staged

    return publish


@pytest.fixture
def versions(table):
    return lambda: {each.name: each.version for each in table.of(ALICE)}


# --- Versions


@pytest.mark.parametrize(
    ("former", "request_", "after"),
    [
        ([], [asked(version=0)], {STATE: 1}),
        ([asked()], [asked(version=1)], {STATE: 2}),
        ([asked()], [removal(version=1)], {}),
        ([], [removal(version=0)], {}),
        ([], [removal(version=7)], {}),
        ([asked()], [asked(version=1), asked(NOTE)], {STATE: 2, NOTE: 1}),
        (
            [asked()],
            [asked(each) for each in (NOTE, STATE._replace(container=3))],
            {STATE: 1, NOTE: 1, STATE._replace(container=3): 1},
        ),
    ],
    ids=[
        "a first one",
        "made on the current one",
        "ended",
        "nothing to end",
        "nothing to end, whatever its version",
        "several",
        "the container is part of the name",
    ],
)
def test_what_is_made_on_the_current_version_is_the_next(
    publish, versions, former, request_, after
):
    if former:
        publish(*former)

    publish(*request_)

    assert versions() == after


@pytest.mark.parametrize(
    ("request_", "stale"),
    [
        ([asked(version=0)], [Stale(1, 0, 2)]),
        ([asked(version=3)], [Stale(1, 3, 2)]),
        ([removal(version=1)], [Stale(1, 1, 2)]),
        ([asked(NOTE), asked(version=1)], [Stale(2, 1, 2)]),
        ([asked(NOTE, 4), asked(version=1)], [Stale(1, 4, 0), Stale(2, 1, 2)]),
    ],
)
def test_of_a_request_on_another_version_nothing_is_done(
    publish, stage, versions, request_, stale
):
    publish(asked())
    publish(asked(version=1))

    with pytest.raises(WrongVersion) as raised:
        stage(*request_)

    assert raised.value.stale == tuple(stale)
    assert versions() == {STATE: 2}


def test_nothing_is_published_twice_in_one_request(stage, versions):
    with pytest.raises(MalformedDocument, match="publication 2 is there twice"):
        stage(asked(), asked(version=1))

    assert versions() == {}


def test_versions_may_be_passed_over(publish, versions):
    publish(asked())

    publish(asked(version=9), asked(NOTE, 4), whatever_version=True)

    assert versions() == {STATE: 2, NOTE: 1}


def test_what_is_on_its_way_stands_in_the_way_of_others(stage, versions):
    first = stage(asked())

    for again in ({}, {"whatever_version": True}):
        with pytest.raises(WrongVersion) as raised:
            stage(asked(), **again)
        assert raised.value.stale == (Stale(1, 0, 1),)
    assert versions() == {}
    first.live()
    assert versions() == {STATE: 1}


def test_what_was_not_written_never_was(stage, publish, versions, table):
    stage(asked(), asked(NOTE)).take_back()

    assert (versions(), list(table)) == ({}, [])
    publish(asked())
    assert versions() == {STATE: 1}


# --- Telling


def test_watchers_are_told_once_of_what_one_request_changed(agency, publish):
    agency.subscribe("bob")
    agency.told()

    publish(asked(body=b"one"), asked(NOTE, body=b"two"))

    assert agency.bodies() == ["one two"]


def test_nothing_is_shown_before_it_is_written(agency, stage, table):
    staged = stage(asked())

    assert table.of(ALICE) == ()
    assert agency.resources.find(ALICE, "presence") is None
    staged.live()
    assert len(agency.resources.find(ALICE, "presence").categories) == 1


def test_nothing_is_left_of_who_ended_all(agency, publish, table):
    publish(asked())
    publish(removal(version=1))

    assert (len(table), list(table)) == (0, [])
    assert agency.resources.find(ALICE, "presence") is None


# --- How long


FOUR = [
    asked(CategoryName(each.value, 0, 2), expire_type=each, expires=60)
    for each in ExpireType
]


def left(table) -> set[str]:
    return {each.name.category for each in table.of(ALICE)}


@pytest.mark.parametrize(
    ("endpoint", "is_last", "kept"),
    [
        ("e2", False, {"endpoint", "user", "time", "static"}),
        ("e1", False, {"user", "time", "static"}),
        ("e1", True, {"time", "static"}),
        ("e2", True, {"endpoint", "time", "static"}),
    ],
)
def test_what_an_endpoint_leaves_ends_as_it_was_to(
    agency, publish, table, endpoint, is_last, kept
):
    publish(*FOUR)

    table.end_endpoint(ALICE, endpoint, agency.ticks(), is_last=is_last)

    assert left(table) == kept
    ended = {each.key for each in agency.forgotten}
    assert len(ended) == 4 - len(kept)
    assert len(table) == len(kept)


def test_what_has_its_time_ends_then(agency, publish, table):
    publish(*FOUR)

    table.expire(agency.now() + 59, 0.0)
    assert "time" in left(table)
    table.expire(agency.now() + 62, 0.0)

    assert left(table) == {"endpoint", "user", "static"}
    assert table.expiring == 0
    # Its record ends by itself.
    assert agency.forgotten == []


def test_who_wants_time_says_how_much(stage):
    with pytest.raises(MalformedDocument, match="publication 1: with expireType time"):
        stage(asked(expire_type=TIME))


@pytest.mark.parametrize("is_written", [True, False])
def test_what_ends_on_its_way_ends_when_it_is_there(
    agency, publish, stage, table, is_written
):
    publish(asked(expire_type=ENDPOINT))
    staged = stage(asked(version=1, expire_type=ENDPOINT), asked(NOTE))

    table.end_endpoint(ALICE, "e1", agency.ticks(), is_last=True)
    assert left(table) == {"state"}
    staged.live() if is_written else staged.take_back()

    assert left(table) == ({"note"} if is_written else set())
    (deletion,) = agency.forgotten
    assert deletion.staged_on == (2 if is_written else 1)


def test_what_expires_on_its_way_is_there_anew(agency, publish, stage, table):
    publish(asked(expire_type=TIME, expires=60))
    staged = stage(asked(version=1))

    table.expire(agency.now() + 62, 0.0)
    staged.live()

    assert left(table) == {"state"}
    assert len(table) == 1


# --- Bounds


@pytest.mark.parametrize(
    ("bounds", "request_", "what"),
    [
        (CategoryBounds(of_one=2), [asked(NOTE)], "2 publications of one user"),
        (CategoryBounds(in_all=2), [asked(NOTE)], "2 publications"),
        (
            CategoryBounds(octets_of_one=20),
            [asked(version=1, body=b"x" * 21)],
            "20 octets",
        ),
    ],
)
def test_there_is_no_more_than_there_may_be(
    table, publish, stage, versions, bounds, request_, what
):
    publish(asked(), asked(STATE._replace(container=3), body=b"y"))
    table.bounds = bounds

    with pytest.raises(LimitReached, match=what):
        stage(*request_)

    # What takes no more room is taken.
    publish(asked(version=1), removal(STATE._replace(container=3), 1))
    assert versions() == {STATE: 2}


def test_what_is_on_its_way_takes_room(table, stage):
    table.bounds = CategoryBounds(of_one=1)
    first = stage(asked())

    with pytest.raises(LimitReached):
        stage(asked(NOTE))
    first.take_back()
    stage(asked(NOTE)).live()


# --- Records


def test_records_follow_what_is_published(publish):
    staged = publish(asked(expire_type=TIME, expires=60), asked(NOTE))
    (put, static) = staged.changes
    again = publish(asked(version=1), removal(NOTE, 1)).changes

    assert isinstance(put, Put)
    assert (put.kind, put.owner, put.staged_on) == (CATEGORY, ALICE, 0)
    assert put.expires_at < NEVER == static.expires_at
    assert [(type(each), each.key, each.staged_on) for each in again] == [
        (Put, put.key, 1),
        (Delete, static.key, 1),
    ]


def test_what_is_ended_and_begun_anew_has_a_record_of_its_own(publish):
    (put,) = publish(asked()).changes

    (deletion,) = publish(removal(version=1)).changes
    (new,) = publish(asked()).changes

    assert deletion == Delete(CATEGORY, put.key, ALICE, 1)
    assert (new.staged_on, new.key == put.key) == (0, False)


def record_of(put: Put) -> Record:
    return Record(
        put.kind, put.key, put.owner, put.staged_on + 1, put.expires_at, put.payload
    )


def test_what_was_published_is_back_after_a_start(agency, publish, table):
    staged = publish(*FOUR, asked(NOTE, body=b"<a>\n\xc3\xa9</a>"))
    other = Agency(package=WordPackage("presence"))

    for put in staged.changes:
        assert other.categories.restore(record_of(put), agency.now())

    assert set(other.categories.of(ALICE)) == set(table.of(ALICE))
    assert other.categories.expiring == 1
    assert len(other.resources.find(ALICE, "presence").categories) == 5


def test_what_has_ended_meanwhile_is_not_back(agency, publish):
    (put,) = publish(asked(expire_type=TIME, expires=60)).changes
    other = Agency()

    assert not other.categories.restore(record_of(put), agency.now() + 61)

    assert len(other.categories) == 0


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_of_one_name_the_later_is_back(agency, publish, order):
    (first,) = publish(asked()).changes
    agency.clock.advance(1)
    publish(removal(version=1))
    (second,) = publish(asked(body=b"<b/>")).changes
    other = Agency()

    for put in (first, second)[::order]:
        other.categories.restore(record_of(put), agency.now())

    (category,) = other.categories.of(ALICE)
    assert category.body == b"<b/>"
    assert [each.key for each in other.forgotten] == [first.key]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"no JSON\n",
        b"[]\n",
        b'["state", 1, 2, "for ever", 1.0, "e1"]\n',
        b'["state", "one", 2, "static", 1.0, "e1"]\n',
        b'["state", 1, 2, "static", null, "e1"]\n',
        b"[" * 100_000,
    ],
)
def test_a_record_that_is_none_is_told_as_such(payload):
    with pytest.raises(ValueError, match="category k1: not readable"):
        read_category(Record(CATEGORY, "k1", ALICE, 1, NEVER, payload))


def test_a_record_holds_all_there_is():
    category = Category(NOTE, 7, USER, b"<n>\n</n>", 123.25, endpoint="e1")

    record = Record(CATEGORY, "k", ALICE, 7, NEVER, write_category(category))

    assert read_category(record) == category
    timed = attrs.evolve(record, expires_at=200.0)
    assert read_category(timed).expires_at == 200.0
