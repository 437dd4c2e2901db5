from __future__ import annotations

from itertools import count

import pytest
from twisted.logger import globalLogPublisher

from presproxy.events.locations import Binding, Locations
from presproxy.events.restore import Restorer
from presproxy.events.subscribers import Subscribers
from presproxy.model.decision import Handling
from presproxy.model.payload import (
    PUBLICATION,
    SUBSCRIPTION,
    write_publication,
    write_subscription,
)
from presproxy.model.record import Record
from presproxy.model.subscription import State
from presproxy.testing.agency import ALICE, WORDS, Agency, watcher


class Keeper:
    """Routes are their own payloads."""

    def write(self, route):
        return route

    def kept(self, route, payload):
        pass

    def read(self, payload):
        if payload == b"no route":
            raise ValueError("no route")
        return payload


@pytest.fixture
def restorer(agency):
    return Restorer(
        compositor=agency.compositor,
        agent=agency.agent,
        locations=Locations(),
        categories=agency.categories,
        subscribers=Subscribers(lambda user: None),
        keepers={"sip": Keeper()},
        now=agency.now(),
    )


@pytest.fixture
def logged():
    lines = []

    def keep(event):
        if event.get("log_namespace") == "presproxy.events.restore":
            lines.append(event)

    globalLogPublisher.addObserver(keep)
    yield lines
    globalLogPublisher.removeObserver(keep)


def record_of(noun, kind, payload, version=1):
    return Record(kind, noun.key, noun.presentity, version, noun.expires_at, payload)


KEYS = count(1)


def publication(word, presentity=ALICE, expires=3600):
    """A publication as another process has left it."""
    former = Agency()
    made = former.publish(word, presentity, expires)
    made.key = f"k{next(KEYS)}"
    return record_of(made, PUBLICATION, write_publication(made))


def subscription(name, route=b"way", **options):
    former = Agency()
    made = former.subscription(name, **options)
    made.key = f"s{next(KEYS)}"
    return record_of(made, SUBSCRIPTION, write_subscription(made, route))


def finish(restorer):
    for _ in restorer.finish():
        pass


def told(agency):
    agency.settle()
    return [(each.watcher, each.body) for each in agency.notifier.take()]


def test_everything_is_as_it_was(agency, restorer):
    binding = Binding("sip:alice@192.0.2.1", agency.now() + 60, "c", 1)
    (put,) = Locations().stage(ALICE, [binding], agency.now()).changes

    restorer.take(publication("away"))
    restorer.take(subscription("bob", handling=Handling.CONFIRM))
    restorer.take(Record(put.kind, put.key, put.owner, 4, put.expires_at, put.payload))

    assert (restorer.restored, restorer.unreadable) == (3, 0)
    (found,) = agency.agent.of(ALICE)
    assert (found.watcher.aor, found.state, found.route, found.version) == (
        watcher("bob"),
        State.PENDING,
        b"way",
        1,
    )
    (published,) = agency.compositor
    assert (published.document, published.version) == ("away", 1)
    assert restorer.locations.bindings(ALICE, agency.now()) == (binding,)
    assert restorer.locations.version(ALICE) == 4


def test_nobody_is_told_of_what_did_not_change(agency, restorer):
    restorer.take(publication("away"))
    restorer.take(subscription("bob"))
    finish(restorer)

    assert told(agency) == []


def test_who_watched_what_expired_is_told_and_nobody_else(agency, restorer):
    for record in (
        publication("away", expires=-1),
        publication("busy", watcher("carol")),
        publication("calm", watcher("carol"), expires=0),
        publication("dull", watcher("dave")),
        subscription("bob"),
        subscription("bob", presentity=watcher("carol")),
        subscription("bob", presentity=watcher("dave")),
        subscription("erin", handling=Handling.CONFIRM),
        subscription("frank", handling=Handling.POLITE_BLOCK),
    ):
        restorer.take(record)
    before = told(agency)
    finish(restorer)

    assert before == []
    assert told(agency) == [(watcher("bob"), "nobody"), (watcher("bob"), "busy")]


def test_what_has_expired_stays_gone(agency, restorer):
    restorer.take(publication("away", expires=0))
    restorer.take(subscription("bob", expires=0))

    finish(restorer)

    assert restorer.restored == 0
    assert (len(agency.compositor), len(agency.agent)) == (0, 0)
    assert len(agency.resources) == 0
    assert agency.is_idle


def test_who_is_told_of_watchers_is_told_that_one_has_expired(agency, restorer):
    restorer.take(subscription("bob", expires=0))
    restorer.take(subscription("alice", package="words.winfo"))

    finish(restorer)

    assert told(agency) == [(ALICE, "nobody")]


def test_much_that_changed_is_told_in_slices(agency, restorer):
    names = [watcher(f"p{number}") for number in range(500)]
    for name in names:
        restorer.take(publication("away", name, expires=-1))
        restorer.take(subscription("bob", presentity=name))

    told_after = []
    for _ in restorer.finish():
        agency.turn()
        told_after.append(len(agency.notifier.told))
    agency.settle()

    assert told_after == [200, 400]
    assert len(agency.notifier.told) == 500


def test_what_is_restored_goes_on(agency, restorer):
    restorer.take(publication("away", expires=60))
    restorer.take(subscription("bob", expires=120))
    agency.sleep(61)
    agency.sleep(60)

    assert [(each.state, each.body) for each in agency.notifier.take()] == [
        (State.ACTIVE, "nobody"),
        (State.TERMINATED, "nobody"),
    ]
    assert len(agency.resources) == 0


@pytest.mark.parametrize(
    "record",
    [
        Record(PUBLICATION, "k", ALICE, 1, 2.0**40, b""),
        Record(PUBLICATION, "k", ALICE, 1, 2.0**40, b"something else"),
        Record(SUBSCRIPTION, "k", ALICE, 1, 2.0**40, b"\xff\xff\n"),
        Record("registration", ALICE, ALICE, 1, 2.0**40, b"[5]"),
        subscription("bob", route=b"no route"),
        publication("No1"),
    ],
    ids=["nothing", "nonsense", "octets", "registration", "route", "body"],
)
def test_an_unreadable_record_is_counted_logged_and_left(
    agency, restorer, logged, record
):
    restorer.take(record)

    assert (restorer.restored, restorer.unreadable) == (0, 1)
    assert len(agency.resources) == 0
    (line,) = logged
    assert line["kind"] == record.kind


def test_many_unreadable_records_are_counted_and_some_logged(restorer, logged):
    for _ in range(100):
        restorer.take(Record(PUBLICATION, "k", ALICE, 1, 2.0**40, b"nonsense"))

    assert restorer.unreadable == 100
    assert len(logged) == 20


def test_a_package_that_fails_on_a_record_does_not_keep_others_away(agency, restorer):
    agency.package.failing = {"parse"}
    restorer.take(publication("away"))
    agency.package.failing = set()
    restorer.take(publication("busy"))

    assert (restorer.restored, restorer.unreadable) == (1, 1)


@pytest.mark.parametrize(
    "record",
    [
        subscription("bob", package="gone"),
        subscription("bob", notifier="gone"),
        subscription("bob", package="gone", expires=0),
    ],
    ids=["package", "notifier", "expired"],
)
def test_what_belongs_to_nobody_now_is_left_alone(agency, restorer, record):
    restorer.take(record)
    finish(restorer)

    assert (restorer.restored, restorer.unreadable) == (0, 0)
    assert len(agency.agent) == 0


def test_publications_come_before_who_watches_them(restorer):
    kinds = list(restorer.kinds)

    assert kinds.index("publication") < kinds.index("subscription")
    assert kinds.index("category") < kinds.index("subscription")


def test_the_latest_modified_comes_first_in_whatever_order_they_are_read(
    agency, restorer
):
    former = Agency()
    records = []
    for word in ("one", "two", "three"):
        made = former.publish(word)
        records.append(record_of(made, PUBLICATION, write_publication(made)))
        former.clock.advance(1)

    for record in (records[1], records[2], records[0]):
        restorer.take(record)

    resource = agency.resources.find(ALICE, WORDS)
    assert [each.document for each in resource.publications] == ["three", "two", "one"]
