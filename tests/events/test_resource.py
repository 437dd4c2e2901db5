"""All resources, and whose they are."""

from __future__ import annotations

import attrs
import pytest
from zope.interface import implementer

from presproxy.events.winfo import SUFFIX
from presproxy.interfaces import IDeltaPackage
from presproxy.model.decision import FULL, NEUTRAL, Handling
from presproxy.model.notice import DeltaBody
from presproxy.testing.agency import ALICE, WORDS, Agency, WordPackage, watcher


@implementer(IDeltaPackage)
class NewWordPackage(WordPackage):
    """Says which words are new, unless one was taken back."""

    def render_change(self, state, former, content_type):
        self._may_fail("render_change")
        new = [word for word in state if word not in former]
        return " ".join(new).encode() if len(state) > len(former) else None


def test_presentities_are_those_who_have_any_the_longest_known_first(agency):
    resources = agency.resources
    names = [watcher(name) for name in ("carol", "alice", "bob")]
    for name in names:
        taken = resources.take(name, WORDS)
    other = resources.take(names[2], WORDS + SUFFIX)

    known = [tuple(resources.presentities)]
    for resource in (taken, other, resources.take(names[0], WORDS)):
        resources.drop_if_empty(resource)
        known.append(tuple(resources.presentities))

    assert known == [tuple(names), tuple(names), tuple(names[:2]), (names[1],)]


def test_what_is_dropped_twice_is_gone_once(agency):
    resources = agency.resources
    first = resources.take(watcher("alice"), WORDS)
    resources.drop_if_empty(first)
    resources.take(watcher("alice"), WORDS)

    resources.drop_if_empty(first)

    assert list(resources.presentities) == [watcher("alice")]


def shown(agency):
    body = agency.resources.take(ALICE, WORDS).body(FULL, "text/words")
    assert isinstance(body, DeltaBody)
    return body


def test_a_body_says_what_is_new_since_the_one_before():
    agency = Agency(NewWordPackage())
    agency.subscribe("bob")
    agency.publish("one")
    agency.told()
    before = shown(agency)

    agency.publish("two")
    agency.told()

    after = shown(agency)
    assert (after.data, after.delta) == (b"one two", b"two")
    assert after.base is before


def test_only_the_last_one_is_remembered():
    agency = Agency(NewWordPackage())
    agency.subscribe("bob")
    bodies = []
    for word in ("one", "two", "three"):
        agency.publish(word)
        agency.told()
        bodies.append(shown(agency))

    assert [body.base for body in bodies] == [None, None, bodies[1]]


def test_a_part_that_was_asked_for_is_asked_of_the_change_too():
    class PartPackage(NewWordPackage):
        def render(self, state, content_type):
            body = super().render(state, content_type)
            return attrs.evolve(body, content_type=content_type.partition(";")[0])

        def render_change(self, state, former, content_type):
            return content_type.encode()

    agency = Agency(PartPackage())
    agency.subscribe("bob")
    bodies = []
    for word in ("one", "two"):
        agency.publish(word)
        agency.told()
        resource = agency.resources.take(ALICE, WORDS)
        bodies.append(resource.body(FULL, "text/words;part=new"))

    assert [each.content_type for each in bodies] == ["text/words"] * 2
    assert bodies[1].delta == b"text/words;part=new"


def test_where_nothing_is_changed_the_body_is_the_same():
    agency = Agency(NewWordPackage())
    agency.subscribe("bob")
    first = agency.publish("one")
    agency.told()
    before = shown(agency)

    agency.publish_again(first, "one")
    agency.told()

    assert shown(agency) is before


@pytest.mark.parametrize("is_failing", [False, True], ids=["cannot say", "fails"])
def test_a_change_nobody_can_name_has_no_base(is_failing):
    agency = Agency(NewWordPackage())
    agency.subscribe("bob")
    first = agency.publish("one")
    agency.publish("two")
    agency.told()
    if is_failing:
        agency.package.failing.add("render_change")
        agency.publish("three")
    else:
        agency.unpublish(first)
    agency.told()

    assert shown(agency).base is None


def test_the_neutral_view_says_nothing_of_changes():
    agency = Agency(NewWordPackage())
    agency.subscribe("bob", Handling.POLITE_BLOCK)
    agency.publish("one")
    agency.told()

    body = agency.resources.take(ALICE, WORDS).body(NEUTRAL, "text/words")

    assert (body, body.base) == (DeltaBody("text/words", b"nobody"), None)


@pytest.mark.parametrize(("watchers", "most"), [(1, 18), (300, 500)])
def test_there_are_only_so_many_bodies_to_be_shared(agency, watchers, most):
    for number in range(watchers):
        agency.subscribe(f"w{number}")
    agency.publish("one")
    resource = agency.resources.take(ALICE, WORDS)

    for number in range(1200):
        resource.body(FULL, f"text/words;{number}")

    assert len(resource._bodies) <= most
