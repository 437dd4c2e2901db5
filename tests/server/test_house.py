"""The little of the server that a plugin may see."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from presproxy.config import Limits
from presproxy.errors import AccessDenied, IntervalTooBrief, LimitReached
from presproxy.interfaces import IHouse
from presproxy.model.decision import FULL, NEUTRAL, Decision, Handling
from presproxy.model.identity import Identity
from presproxy.model.subscription import Reason, State
from presproxy.server.room import NoRoom
from presproxy.testing.desk import Desk
from presproxy.testing.wire import pidf

ALLOW = Decision(Handling.ALLOW, "allowed", FULL)
BLOCK = Decision(Handling.BLOCK, "blocked", NEUTRAL)

BOB = "sip:bob@example.test"
WALLBOARD = Identity("sip:wallboard@example.test", "plugin")


class Notes:
    """A notifier of another kind, which keeps what it was told."""

    def __init__(self):
        self.told = []

    def notify(self, notice):
        self.told += [
            (each.watcher.aor, each.state, each.reason) for each in notice.subscriptions
        ]


@pytest.fixture
def notes(desk):
    notes = Notes()
    desk.server.agent.fanout.notifiers["notes"] = notes
    return notes


def watch(desk, package="presence", expires=600):
    """Watch as a plugin does; give what comes of it: a subscription or an error."""
    found = []
    watching = desk.server.house.watch(
        WALLBOARD, BOB, package, "notes", object(), expires
    )
    Deferred.fromCoroutine(watching).addCallbacks(
        found.append, lambda failure: found.append(failure.value)
    )
    return found


def test_it_is_what_plugins_are_promised(desk):
    assert verifyObject(IHouse, desk.server.house)


def test_a_plugin_may_watch(desk, notes):
    (subscription,) = watch(desk)
    desk.publish(pidf(BOB, "here"))
    desk.clock.advance(0)

    assert (subscription.state, subscription.rule) == (State.ACTIVE, "allowed")
    assert notes.told == [(WALLBOARD.aor, State.ACTIVE, None)] * 2
    # Its route means something to its notifier only, and is not kept.
    assert desk.kept("subscription") == []


@pytest.mark.parametrize(
    ("decision", "outcome"), [(BLOCK, AccessDenied), (None, State.PENDING)]
)
def test_a_plugin_passes_the_same_acls(desk, notes, decision, outcome):
    desk.acl.decision = decision

    (found,) = watch(desk)

    assert desk.acl.asked == [(WALLBOARD.aor, BOB, "presence")]
    assert getattr(found, "state", type(found)) is outcome


def test_a_plugin_is_blocked_by_a_newer_rule_as_well(desk, notes):
    desk.acl.hold()
    found = watch(desk)

    desk.server.house.decide_again(BOB)
    desk.acl.answer(ALLOW)
    desk.acl.answer(BLOCK)

    assert isinstance(found[0], AccessDenied)
    assert desk.subscriptions == ()


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"package": "weather"}, LookupError),
        ({"expires": 5}, IntervalTooBrief),
    ],
)
def test_what_cannot_be_watched_is_told(desk, notes, asked, error):
    (found,) = watch(desk, **asked)

    assert isinstance(found, error)


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (Limits(subscriptions_of_one=1), LimitReached),
        (Limits(subscriptions=1), NoRoom),
    ],
)
def test_there_is_room_for_so_many(acl, limits, error):
    desk = Desk(acl, limits=limits)
    desk.server.agent.fanout.notifiers["notes"] = Notes()

    outcomes = [*watch(desk), *watch(desk)]

    assert type(outcomes[1]) is error


def test_a_watcher_who_is_gone_is_told_no_more(desk, notes):
    (subscription,) = watch(desk)

    desk.server.house.ended(subscription, Reason.NORESOURCE)
    desk.server.house.ended(subscription, Reason.TIMEOUT)

    assert subscription.reason is Reason.NORESOURCE
    assert desk.subscriptions == ()
    assert len(notes.told) == 1


def test_a_route_may_be_kept_anew(desk):
    desk.subscribe()
    (subscription,) = desk.subscriptions

    Deferred.fromCoroutine(desk.server.house.keep(subscription))

    assert subscription.version == 2
