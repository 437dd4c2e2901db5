"""Changes that come soon after another (RFC 3856 §6.10)."""

from __future__ import annotations

from presproxy.model.subscription import Happening
from presproxy.testing.agency import watcher


def test_changes_within_a_pause_are_told_when_it_is_over(agency):
    agency.package.pause = 5.0
    agency.subscribe("bob")
    publication = agency.publish("away")
    first = agency.bodies()

    agency.sleep(1)
    publication = agency.publish_again(publication, "busy")
    agency.sleep(1)
    agency.publish_again(publication, "calm")
    agency.sleep(2)
    within = agency.bodies()
    agency.sleep(1)

    assert (first, within, agency.bodies()) == (["nobody", "away"], [], ["calm"])


def test_a_pause_costs_one_timer_however_much_changes(agency):
    agency.package.pause = 5.0
    agency.subscribe("bob")
    publication = agency.publish("away")
    agency.settle()

    for word in ("busy", "calm", "dull", "eager"):
        publication = agency.publish_again(publication, word)
        agency.settle()

    assert len(agency.clock.getDelayedCalls()) == 1


def test_a_change_that_is_undone_within_a_pause_is_not_told(agency):
    agency.package.pause = 5.0
    agency.subscribe("bob")
    publication = agency.publish("away")
    agency.told()

    agency.publish_again(agency.publish_again(publication, "busy"), "away")
    agency.sleep(10)

    assert agency.told() == []


def test_a_pause_makes_nobody_wait_who_asks(agency):
    agency.package.pause = 5.0
    agency.subscribe("bob")
    publication = agency.publish("away")
    agency.told()
    agency.publish_again(publication, "busy")
    agency.settle()

    agency.subscribe("carol")
    at_once = agency.bodies()
    agency.sleep(6)

    assert at_once == ["busy"]
    assert [(each.watcher, each.body) for each in agency.notifier.take()] == [
        (watcher("bob"), "busy")
    ]


def test_a_pause_of_somebody_who_left_tells_nobody(agency):
    agency.package.pause = 5.0
    subscription = agency.subscribe("bob")
    publication = agency.publish("away")
    agency.settle()
    agency.publish_again(publication, "busy")
    agency.agent.end(subscription, Happening.UNSUBSCRIBED)
    agency.told()

    agency.sleep(6)

    assert agency.told() == []
    assert agency.is_idle


def test_the_moment_of_a_change_is_told_after_its_pause(agency):
    agency.package.pause = 5.0
    agency.subscribe("bob")
    publication = agency.publish("away")
    agency.settle()
    agency.notifier.take()

    agency.sleep(1)
    publication = agency.publish_again(publication, "busy")
    agency.sleep(1)
    agency.publish_again(publication, "calm")
    agency.sleep(5)

    assert [each.changed_at for each in agency.notifier.take()] == [2.0]
