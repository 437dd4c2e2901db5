"""A package that fails harms nobody but its own users, and them as little as it can."""

from __future__ import annotations

import pytest

from presproxy.model.decision import Decision, Handling
from presproxy.model.subscription import Happening, Reason, State
from presproxy.testing.agency import Agency, WordPackage, watcher

ACTIVE, TERMINATED = State.ACTIVE, State.TERMINATED
BLOCK = Decision(Handling.BLOCK, "a bore")


def test_a_package_that_fails_leaves_the_last_state_standing(agency):
    agency.subscribe("bob")
    publication = agency.publish("away")
    agency.told()

    agency.package.failing = {"compose"}
    publication = agency.publish_again(publication, "busy")
    agency.subscribe("carol")
    failing = agency.bodies()
    agency.package.failing = set()
    agency.publish_again(publication, "calm")

    assert failing == ["away"]
    assert agency.bodies() == ["calm", "calm"]


@pytest.mark.parametrize("method", ["compose", "narrow", "render"])
def test_a_new_watcher_is_told_without_a_body_where_the_package_fails(agency, method):
    agency.package.failing = {method}

    subscription = agency.subscribe("bob")
    first = agency.told()
    agency.package.failing = set()
    agency.publish("away")
    second = agency.told()
    agency.package.failing = {method}
    agency.agent.end(subscription, Happening.UNSUBSCRIBED)

    assert first == [(ACTIVE, "", None)]
    assert second == [(ACTIVE, "away", None)]
    assert [state for state, _, _ in agency.told()] == [TERMINATED]


def test_a_blocked_watcher_sees_nothing_even_where_the_package_fails(agency):
    agency.publish("away")
    subscription = agency.subscribe("bob")
    agency.told()
    agency.package.failing = {"neutral"}

    agency.agent.decided(subscription, BLOCK)

    assert agency.told() == [(TERMINATED, "", Reason.REJECTED)]


def test_one_package_that_fails_keeps_nobody_else_from_being_told(agency):
    agency.subscribe("bob")
    agency.subscribe("alice", package="words.winfo")
    agency.told()
    agency.package.failing = {"compose"}

    agency.publish("away")
    agency.subscribe("carol")
    agency.settle()

    seen = [each.watcher for each in agency.notifier.take()]
    assert watcher("alice") in seen
    assert watcher("bob") not in seen


def test_a_state_that_cannot_be_compared_is_a_failure_of_its_package(agency):
    class Odd(tuple):
        __slots__ = ()

        def __ne__(self, other):
            raise RuntimeError("no comparison")

    class OddPackage(WordPackage):
        def compose(self, material):
            return Odd(super().compose(material))

    agency = Agency(OddPackage())
    agency.subscribe("bob")
    agency.subscribe("carol", presentity=watcher("dave"))
    agency.told()

    agency.publish("away")
    agency.publish("busy", watcher("dave"))

    assert agency.told() == []
    agency.subscribe("eve")
    assert agency.bodies() == ["away"]
