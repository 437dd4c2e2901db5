from __future__ import annotations

import pytest

from presproxy.errors import EntityTagMismatch, LimitReached
from presproxy.extend.guard import PluginFailed
from presproxy.model.payload import PUBLICATION, read_publication
from presproxy.model.record import Delete, Put, Record
from presproxy.testing.agency import ALICE, WORDS, Agency, watcher

BOB = watcher("bob")


def words(agency, presentity=ALICE):
    resource = agency.resources.find(presentity, WORDS)
    return [] if resource is None else [each.document for each in resource.publications]


def find(agency, publication):
    return agency.compositor.find(
        publication.presentity,
        publication.package,
        publication.entity_tag,
        agency.now(),
    )


def is_spent(agency, publication):
    try:
        find(agency, publication)
    except EntityTagMismatch:
        return True
    return False


def is_empty(agency):
    """Whether the compositor remembers nothing at all."""
    compositor = agency.compositor
    return not (
        len(compositor)
        or compositor._tagged
        or compositor._growth
        or compositor._expiries._buckets
        or len(agency.resources)
    )


# --- The four operations of RFC 3903 §4.1


def test_a_first_publication_is_seen_when_it_is_live(agency):
    staged = agency.compositor.stage_initial(agency.published("away"))
    before = words(agency)
    staged.live()

    assert (before, words(agency)) == ([], ["away"])
    assert find(agency, staged.publication) is staged.publication


def test_a_modification_takes_the_place_of_what_was_said(agency):
    old = agency.publish("away")
    agency.sleep(10)

    new = agency.publish_again(old, "busy")

    assert words(agency) == ["busy"]
    assert (new.key, new.version) == (old.key, old.version + 1)
    assert (new.body, new.modified_at) == (b"busy", agency.now())


def test_a_refresh_changes_nothing_but_the_expiry(agency):
    old = agency.publish("away", expires=60)
    agency.sleep(10)

    new = agency.publish_again(old, expires=600)

    assert words(agency) == ["away"]
    assert new.expires_at == agency.now() + 600
    assert (new.body, new.content_type, new.document, new.modified_at) == (
        old.body,
        old.content_type,
        old.document,
        old.modified_at,
    )


def test_a_body_equal_to_the_last_one_is_a_refresh(agency):
    old = agency.publish("away")

    staged = agency.compositor.stage_again(old, agency.published("away"))

    assert not staged.is_change


def test_a_removal_ends_a_publication(agency):
    old = agency.publish("away")

    agency.unpublish(old)

    assert words(agency) == []
    assert is_spent(agency, old)


def test_nothing_is_left_of_what_was_removed(agency):
    one = agency.publish("away", expires=60)
    other = agency.publish_again(agency.publish("busy", BOB))
    agency.unpublish(one)
    agency.unpublish(other)

    assert is_empty(agency)


# --- Entity-tags


def test_each_answer_has_a_new_entity_tag(agency):
    first = agency.publish("away")
    second = agency.publish_again(first)
    third = agency.publish_again(second, "busy")

    assert len({first.entity_tag, second.entity_tag, third.entity_tag}) == 3
    assert is_spent(agency, first)
    assert is_spent(agency, second)
    assert not is_spent(agency, third)


@pytest.mark.parametrize(
    "wrong",
    [(BOB, WORDS, "e"), (ALICE, "other", "e"), (ALICE, WORDS, "x"), (ALICE, WORDS, "")],
    ids=["another's", "another package's", "unknown", "empty"],
)
def test_an_entity_tag_is_of_one_resource_only(agency, wrong):
    publication = agency.publish("away")
    presentity, package, tag = wrong

    with pytest.raises(EntityTagMismatch):
        agency.compositor.find(
            presentity,
            package,
            publication.entity_tag if tag == "e" else tag,
            agency.now(),
        )


def test_an_entity_tag_ends_with_its_publication_before_anybody_looks(agency):
    publication = agency.publish("away", expires=60)

    agency.clock.advance(60)

    assert is_spent(agency, publication)


@pytest.mark.parametrize("what", ["refresh", "modify", "remove", "supersede", "brief"])
def test_an_entity_tag_is_spent_while_what_it_was_for_is_on_its_way(agency, what):
    old = agency.publish("away", source="udp:192.0.2.1:5060")

    staged = stage(agency, old, what)

    assert is_spent(agency, old)
    assert words(agency) == ["away"]
    staged.take_back()
    assert not is_spent(agency, old)
    assert words(agency) == ["away"]


def stage(agency, old, what):
    compositor = agency.compositor
    published = agency.published("another", source=old.source)
    if what == "refresh":
        return compositor.stage_again(old, agency.published())
    if what == "modify":
        return compositor.stage_again(old, published)
    if what == "remove":
        return compositor.stage_removal(old, 1.0)
    if what == "supersede":
        return compositor.stage_initial(published)
    return compositor.stage_brief(published)


@pytest.mark.parametrize("what", ["refresh", "modify", "remove", "supersede", "brief"])
def test_nothing_is_left_of_what_was_taken_back_after_the_old_one_expired(agency, what):
    old = agency.publish("away", expires=60, source="udp:192.0.2.1:5060")
    staged = stage(agency, old, what)
    agency.sleep(61)

    staged.take_back()

    assert is_spent(agency, old)
    assert is_empty(agency)


def test_nothing_is_left_of_a_first_publication_that_was_taken_back(agency):
    agency.compositor.stage_initial(agency.published("away")).take_back()

    assert is_empty(agency)


# --- Superseding


def test_a_first_publication_takes_the_place_of_the_same_flows_earlier_one(agency):
    old = agency.publish("away", source="udp:192.0.2.1:5060")

    agency.publish("another", source="udp:192.0.2.1:5060")

    assert words(agency) == ["another"]
    assert is_spent(agency, old)


@pytest.mark.parametrize(
    ("word", "source"),
    [
        ("another", "udp:192.0.2.2:5060"),
        ("another", ""),
        ("busy", "udp:192.0.2.1:5060"),
    ],
    ids=["another flow", "a flow that others share", "of something else"],
)
def test_a_first_publication_lets_all_others_be(agency, word, source):
    agency.publish("away", source="udp:192.0.2.1:5060")

    agency.publish(word, source=source)

    assert sorted(words(agency)) == sorted(["away", word])


def test_what_came_by_shared_flows_is_not_superseded(agency):
    agency.publish("away")

    agency.publish("another")

    assert len(words(agency)) == 2


def test_what_is_on_its_way_already_is_not_superseded(agency):
    old = agency.publish("away", source="udp:192.0.2.1:5060")
    refresh = agency.compositor.stage_again(old, agency.published())

    first = agency.compositor.stage_initial(
        agency.published("another", source="udp:192.0.2.1:5060")
    )
    first.live()
    refresh.live()

    assert first.replaced == ()
    assert sorted(words(agency)) == ["another", "away"]


@pytest.mark.parametrize("method", ["stage_initial", "stage_brief"])
def test_nothing_is_left_of_a_package_that_fails(agency, method):
    old = agency.publish("away", source="udp:192.0.2.1:5060")
    agency.package.failing = {"supersedes"}

    with pytest.raises(PluginFailed):
        getattr(agency.compositor, method)(
            agency.published("another", source="udp:192.0.2.1:5060")
        )

    agency.unpublish(old)
    assert is_empty(agency)


# --- A first PUBLISH that ends at once


def test_a_brief_publication_ends_what_it_supersedes(agency):
    agency.publish("away", source="udp:192.0.2.1:5060")
    agency.publish("angry", source="udp:192.0.2.1:5060")
    agency.publish("busy", source="udp:192.0.2.1:5060")

    agency.live(
        agency.compositor.stage_brief(
            agency.published("any", expires=0, source="udp:192.0.2.1:5060")
        )
    )

    assert words(agency) == ["busy"]


def test_a_brief_publication_of_nothing_stages_nothing(agency):
    agency.publish("busy", source="udp:192.0.2.1:5060")
    published = agency.published("any", expires=0, source="udp:192.0.2.1:5060")
    other = agency.published("any", BOB, expires=0)

    assert agency.compositor.stage_brief(published) is None
    assert agency.compositor.stage_brief(other) is None
    assert not agency.resources.find(BOB, WORDS)


def test_a_brief_publication_ends_nothing_else_where_there_are_many():
    agency = Agency(most=3, most_in_all=3)
    for word in ("busy", "calm", "dull"):
        agency.publish(word, source=f"udp:192.0.2.1:{len(words(agency))}")

    staged = agency.compositor.stage_brief(
        agency.published("calm", expires=0, source="udp:192.0.2.1:1")
    )
    staged.live()

    assert words(agency) == ["busy", "dull"]


# --- Bounds


def test_the_oldest_goes_where_there_are_too_many():
    agency = Agency(most=3)
    for word in ("one", "two", "three", "four", "five"):
        agency.publish(word)
        agency.sleep(1)

    assert words(agency) == ["five", "four", "three"]
    assert len(agency.compositor) == 3


def test_the_oldest_is_the_one_modified_longest_ago():
    agency = Agency(most=2)
    first = agency.publish("one")
    agency.sleep(1)
    agency.publish("two")
    agency.sleep(1)
    agency.publish_again(first, "eins")
    agency.sleep(1)

    agency.publish("three")

    assert words(agency) == ["three", "eins"]


def test_there_are_never_too_many_however_many_come_at_once():
    agency = Agency(most=3)
    for word in ("one", "two", "three"):
        agency.publish(word)

    staged = [
        agency.compositor.stage_initial(agency.published(word))
        for word in ("four", "five", "six")
    ]
    with pytest.raises(LimitReached):
        agency.compositor.stage_initial(agency.published("seven"))
    for each in staged:
        each.live()

    assert sorted(words(agency)) == ["five", "four", "six"]


def test_room_that_was_not_taken_is_there_again():
    agency = Agency(most=1, most_in_all=1)
    agency.compositor.stage_initial(agency.published("one")).take_back()

    agency.publish("two")

    assert words(agency) == ["two"]


def test_room_of_what_expired_on_the_way_is_there_again():
    agency = Agency(most=1)
    agency.publish("one", expires=60)
    staged = agency.compositor.stage_initial(agency.published("two"))
    agency.sleep(61)

    staged.live()

    assert words(agency) == ["two"]
    agency.publish("three")
    assert words(agency) == ["three"]


def test_there_is_a_bound_on_all_together():
    agency = Agency(most_in_all=2)
    agency.publish("one")
    waiting = agency.compositor.stage_initial(agency.published("two", BOB))

    with pytest.raises(LimitReached):
        agency.compositor.stage_initial(agency.published("three", watcher("carol")))
    waiting.take_back()
    agency.publish("three", watcher("carol"))

    assert len(agency.compositor) == 2


def test_what_supersedes_needs_no_room():
    agency = Agency(most=1, most_in_all=1)
    agency.publish("away", source="udp:192.0.2.1:5060")

    agency.publish("another", source="udp:192.0.2.1:5060")

    assert words(agency) == ["another"]


# --- Expiry


def test_what_expires_is_gone_and_told(agency):
    bob = agency.subscribe("bob")
    agency.publish("away", expires=60)
    agency.publish("busy", expires=120)
    agency.settle()
    agency.notifier.take()

    agency.sleep(61)

    assert words(agency) == ["busy"]
    assert [each.body for each in agency.notifier.take()] == ["busy"]
    assert len(agency.compositor) == 1
    assert bob.is_alive


def test_nothing_is_left_of_what_expired(agency):
    agency.publish("away", expires=60)
    agency.publish("busy", BOB, expires=70)

    agency.sleep(71)

    assert is_empty(agency)


def test_what_was_refreshed_does_not_expire_when_it_would_have(agency):
    old = agency.publish("away", expires=60)
    agency.sleep(30)
    agency.publish_again(old, expires=600)

    agency.sleep(60)

    assert words(agency) == ["away"]


@pytest.mark.parametrize("word", ["", "busy"], ids=["refresh", "modification"])
def test_what_expired_while_it_was_refreshed_is_told_of_again(agency, word):
    agency.subscribe("bob")
    old = agency.publish("away", expires=60)
    agency.settle()
    staged = agency.compositor.stage_again(old, agency.published(word))
    agency.sleep(61)
    agency.notifier.take()

    staged.live()
    agency.settle()

    shown = word or "away"
    assert words(agency) == [shown]
    assert [each.body for each in agency.notifier.take()] == [shown]
    assert len(agency.compositor) == 1


def test_what_expired_while_it_was_removed_stays_gone(agency):
    agency.subscribe("bob")
    old = agency.publish("away", expires=60)
    agency.settle()
    staged = agency.compositor.stage_removal(old, agency.ticks())
    agency.sleep(61)
    agency.notifier.take()

    staged.live()
    agency.settle()

    assert agency.notifier.take() == []
    assert len(agency.compositor) == 0


# --- Order


def test_the_latest_modified_comes_first(agency):
    first = agency.publish("one")
    agency.sleep(1)
    agency.publish("two")
    agency.sleep(1)
    agency.publish_again(first, "three")

    assert words(agency) == ["three", "two"]


def test_a_refresh_moves_nothing(agency):
    first = agency.publish("one")
    second = agency.publish("two")
    before = words(agency)

    agency.publish_again(first)
    agency.publish_again(second)

    assert words(agency) == before


def test_all_publications_can_be_gone_through(agency):
    publications = [agency.publish("one"), agency.publish("two", BOB)]
    agency.compositor.stage_again(publications[0], agency.published())

    assert list(agency.compositor) == publications
    assert len(agency.compositor) == 2


# --- Records


def test_a_first_publication_is_one_record(agency):
    staged = agency.compositor.stage_initial(agency.published("away"))

    (put,) = staged.changes
    assert isinstance(put, Put)
    assert (put.kind, put.owner, put.staged_on) == (PUBLICATION, ALICE, 0)
    assert put.expires_at == staged.publication.expires_at


def test_a_change_is_written_over_the_record_it_was_staged_on(agency):
    old = agency.publish_again(agency.publish("away"))

    (put,) = agency.compositor.stage_again(old, agency.published("busy")).changes

    assert isinstance(put, Put)
    assert (put.key, put.staged_on) == (old.key, old.version)


def test_a_removal_deletes_the_record(agency):
    old = agency.publish_again(agency.publish("away"))

    changes = agency.compositor.stage_removal(old, 1.0).changes

    assert list(changes) == [Delete(PUBLICATION, old.key, ALICE, old.version)]


def test_what_is_superseded_is_deleted_with_the_same_commit(agency):
    old = agency.publish("away", source="udp:192.0.2.1:5060")

    put, delete = agency.compositor.stage_initial(
        agency.published("another", source="udp:192.0.2.1:5060")
    ).changes

    assert isinstance(put, Put)
    assert delete == Delete(PUBLICATION, old.key, ALICE, old.version)


def test_a_record_read_back_is_the_same_publication(agency):
    (put,) = agency.compositor.stage_initial(agency.published("away")).changes
    assert isinstance(put, Put)
    record = Record(put.kind, put.key, put.owner, 1, put.expires_at, put.payload)
    publication = read_publication(record)
    publication.document = "away"

    agency.compositor.restore(publication)

    assert words(agency) == ["away"]
    assert find(agency, publication) is publication
    (again,) = agency.compositor.stage_again(publication, agency.published()).changes
    assert isinstance(again, Put)
    assert again.staged_on == 1
