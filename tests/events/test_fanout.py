from __future__ import annotations

from itertools import pairwise

import pytest

from presproxy.events.fanout import FEWEST, LONGEST, SLICE
from presproxy.extend.guard import Guard
from presproxy.metrics import Metrics
from presproxy.model.decision import Decision, Handling
from presproxy.model.subscription import Happening
from presproxy.testing.agency import (
    ALICE,
    FIRST,
    Agency,
    RecordingNotifier,
    WordPackage,
    watcher,
)

#: Watchers who take three turns to be told.
MANY = 2 * SLICE + 10


def crowd(agency, size=MANY, **options):
    """Let many subscribe, who have all been told; give their subscriptions."""
    subscriptions = [
        agency.subscribe(f"w{number}", **options) for number in range(size)
    ]
    agency.settle()
    forget(agency)
    return subscriptions


def forget(agency):
    for notifier in agency.notifiers.values():
        notifier.notices.clear()
        notifier.told.clear()


def sizes(agency):
    return [len(notice.subscriptions) for notice in agency.notifier.notices]


def shown(agency):
    """What each watcher was told, in order."""
    seen = {}
    for each in agency.notifier.take():
        seen.setdefault(each.watcher, []).append(each.body)
    return seen


def none_twice(seen):
    return all(
        one != other for bodies in seen.values() for one, other in pairwise(bodies)
    )


# --- Groups


def test_whoever_sees_the_same_is_told_by_one_notice(agency):
    crowd(agency, 3)

    agency.publish("away")
    agency.settle()

    assert sizes(agency) == [3]


def test_each_view_content_type_and_notifier_has_a_notice_of_its_own():
    agency = Agency(notifiers={"sip": RecordingNotifier(), "web": RecordingNotifier()})
    for number in range(2):
        agency.subscribe(f"a{number}")
        agency.subscribe(f"b{number}", view=FIRST)
        agency.subscribe(f"c{number}", content_type="text/lines")
        agency.subscribe(f"d{number}", notifier="web")
    agency.settle()
    forget(agency)

    agency.publish("away")
    agency.sleep(1)
    agency.publish("busy")
    agency.settle()

    told = [
        (name, [each.watcher.aor for each in notice.subscriptions], notice.body.data)
        for name, notifier in agency.notifiers.items()
        for notice in notifier.notices[len(notifier.notices) // 2 :]
    ]
    assert told == [
        ("sip", [watcher("a0"), watcher("a1")], b"busy away"),
        ("sip", [watcher("b0"), watcher("b1")], b"busy"),
        ("sip", [watcher("c0"), watcher("c1")], b"busy\naway"),
        ("web", [watcher("d0"), watcher("d1")], b"busy away"),
    ]


def test_a_body_is_rendered_once_for_all_who_see_the_same():
    class CountingPackage(WordPackage):
        rendered = 0

        def render(self, state, content_type):
            self.rendered += 1
            return super().render(state, content_type)

    agency = Agency(CountingPackage())
    crowd(agency)
    before = agency.package.rendered

    agency.publish("away")
    agency.settle()

    assert agency.package.rendered == before + 1


def test_equal_views_are_one_whatever_object_they_are(agency):
    agency.subscribe("a", view=FIRST)
    agency.subscribe("b", view=type(FIRST)("first"))
    agency.settle()
    forget(agency)

    agency.publish("away")
    agency.settle()

    assert sizes(agency) == [2]


# --- Slices


def test_many_are_told_in_slices_between_which_the_reactor_breathes(agency):
    crowd(agency)
    agency.publish("away")

    turns = []
    for _ in range(4):
        forget(agency)
        agency.turn()
        turns.append(sizes(agency))

    assert turns == [[SLICE], [SLICE], [10], []]
    assert len(agency.fanout) == 0


def test_how_many_slices_wait_is_known(agency):
    crowd(agency)
    agency.publish("away")

    agency.turn()

    assert len(agency.fanout) == 2


def test_few_are_told_at_once(agency):
    crowd(agency, SLICE)

    agency.publish("away")
    agency.turn()

    assert sizes(agency) == [SLICE]
    assert agency.is_idle


def test_many_small_changes_take_turns_too():
    agency = Agency(most_in_all=3 * SLICE)
    presentities = [watcher(f"p{number}") for number in range(3 * SLICE)]
    for presentity in presentities:
        agency.subscribe("bob", presentity=presentity)
    forget(agency)
    for presentity in presentities:
        agency.publish("away", presentity)

    agency.turn()
    first = len(agency.notifier.told)
    agency.settle()

    assert first == SLICE
    assert len(agency.notifier.told) == 3 * SLICE


def test_of_many_that_changed_some_are_composed_in_one_turn():
    class Counting(WordPackage):
        composed = 0

        def compose(self, material):
            Counting.composed += 1
            return super().compose(material)

    agency = Agency(Counting(), most_in_all=2 * SLICE + 1)
    for number in range(2 * SLICE + 1):
        agency.subscribe("bob", presentity=watcher(f"p{number}"))
        agency.publish("away", watcher(f"p{number}"))
    Counting.composed = 0

    counts = []
    for _ in range(3):
        agency.turn()
        counts.append(Counting.composed)

    assert counts == [SLICE, 2 * SLICE, 2 * SLICE + 1]


def test_a_small_change_need_not_wait_for_the_end_of_a_large_one(agency):
    crowd(agency, 6 * SLICE)
    agency.subscribe("bob", presentity=watcher("carol"))
    forget(agency)
    agency.publish("away")
    agency.turn()

    agency.publish("busy", watcher("carol"))
    for _ in range(3):
        agency.turn()

    assert watcher("bob") in shown(agency)
    assert len(agency.fanout) > 0


def test_the_moment_of_a_change_is_told_to_the_last(agency):
    crowd(agency)
    agency.clock.advance(1)

    agency.publish("away")
    agency.settle()

    assert {notice.changed_at for notice in agency.notifier.notices} == {2.0}


def test_fewer_are_told_in_a_turn_where_that_takes_long():
    class Slow(RecordingNotifier):
        each = 0.0

        def notify(self, notice):
            super().notify(notice)
            agency.clock.rightNow += len(notice.subscriptions) * self.each

    agency = Agency(notifiers={"sip": Slow()})
    crowd(agency, 4 * SLICE)
    agency.notifier.each = LONGEST / 100
    agency.publish("away")
    turns = []
    while not turns or turns[-1]:
        forget(agency)
        agency.turn()
        turns.append(sum(sizes(agency)))
        if len(turns) == 4:
            agency.notifier.each = 0.0

    assert sum(turns) == 4 * SLICE
    about = [round(each, -1) for each in turns[:7]]
    assert about == [SLICE, 100, 100, 100, 100, 200, 400]


def test_some_are_told_however_long_that_takes():
    class Slow(RecordingNotifier):
        def notify(self, notice):
            super().notify(notice)
            agency.clock.rightNow += 60.0

    agency = Agency(notifiers={"sip": Slow()})
    agency.publish("away")
    crowd(agency, 2 * SLICE)
    agency.publish("busy")
    agency.turn()
    forget(agency)

    agency.turn()

    assert sizes(agency) == [FEWEST]


# --- Changes while a change is being told


@pytest.mark.parametrize("turns", range(5))
def test_everybody_is_told_the_last_state_and_nothing_twice(agency, turns):
    crowd(agency)
    publication = agency.publish("away")
    for _ in range(turns):
        agency.turn()

    agency.publish_again(publication, "busy")
    agency.settle()

    seen = shown(agency)
    assert len(seen) == MANY
    assert {bodies[-1] for bodies in seen.values()} == {"busy"}
    assert none_twice(seen)


@pytest.mark.parametrize("turns", range(5))
def test_whoever_comes_while_others_are_told_is_told_what_changes_then(agency, turns):
    crowd(agency)
    publication = agency.publish("away")
    for _ in range(turns):
        agency.turn()

    agency.subscribe("late")
    pending = agency.subscribe("later", Handling.CONFIRM)
    agency.publish_again(publication, "busy")
    agency.turn()
    agency.agent.decided(pending, Decision(Handling.ALLOW, "a friend"))
    agency.settle()

    seen = shown(agency)
    assert seen[watcher("late")] == ["away", "busy"]
    assert seen[watcher("later")] == ["nobody", "busy"]
    assert {bodies[-1] for bodies in seen.values()} == {"busy"}
    assert none_twice(seen)


def test_many_changes_leave_nobody_out_and_cost_no_more_than_one_round_each(agency):
    crowd(agency)
    publication = agency.publish("away")
    agency.turn()

    for number in range(40):
        publication = agency.publish_again(publication, f"w{chr(97 + number % 26)}x")
        agency.turn()
        assert len(agency.fanout) <= 3
    everybody = shown(agency)
    agency.settle()

    assert len(everybody) == MANY
    last = shown(agency)
    assert {bodies[-1] for bodies in last.values()} == {publication.document}


def test_whoever_leaves_while_others_are_told_is_told_no_more(agency):
    subscriptions = crowd(agency)
    agency.publish("away")
    agency.turn()

    agency.agent.end(subscriptions[-1], Happening.UNREACHABLE)
    agency.settle()

    assert subscriptions[-1].watcher.aor not in shown(agency)


def test_everybody_may_leave_while_they_are_told(agency):
    subscriptions = crowd(agency)
    agency.publish("away")
    agency.turn()
    forget(agency)

    for each in subscriptions:
        agency.agent.end(each, Happening.UNREACHABLE)
    agency.settle()

    assert agency.notifier.take() == []
    assert len(agency.fanout) == 0


# --- Decisions while a change is being told


@pytest.mark.parametrize(
    "handling", [Handling.BLOCK, Handling.POLITE_BLOCK, Handling.CONFIRM]
)
@pytest.mark.parametrize("turns", range(4))
def test_who_may_see_no_more_while_others_are_told_sees_nothing(
    agency, handling, turns
):
    subscriptions = crowd(agency)
    publication = agency.publish("away")
    for _ in range(turns):
        agency.turn()
    shown(agency)

    agency.publish_again(publication, "busy")
    for each in subscriptions:
        agency.agent.decided(each, Decision(handling, "enough"))
    agency.settle()

    seen = shown(agency)
    assert set(map(tuple, seen.values())) == {("nobody",)}
    assert len(seen) == MANY


def test_who_sees_less_while_others_are_told_sees_no_more_than_that(agency):
    agency.publish("away")
    agency.sleep(1)
    subscriptions = crowd(agency)
    agency.publish("busy")
    agency.turn()
    shown(agency)

    agency.agent.decided(
        subscriptions[-1], Decision(Handling.ALLOW, "a colleague", FIRST)
    )
    agency.settle()

    assert shown(agency)[subscriptions[-1].watcher.aor] == ["busy"]


# --- What fails


def test_a_notifier_that_fails_is_counted_and_the_others_are_told():
    agency = Agency(notifiers={"sip": RecordingNotifier(), "web": RecordingNotifier()})
    agency.subscribe("bob", notifier="web")
    agency.subscribe("carol")
    forget(agency)

    agency.notifiers["web"].is_failing = True
    publication = agency.publish("away")
    agency.settle()

    assert agency.failures.value == 1
    assert shown(agency) == {watcher("carol"): ["away"]}
    agency.notifiers["web"].is_failing = False
    agency.publish_again(publication, "busy")
    agency.settle()
    assert [each.body for each in agency.notifiers["web"].told] == ["busy"]


def test_a_notifier_that_is_not_there_is_counted(agency):
    agency.subscribe("bob", notifier="gone")

    assert agency.failures.value == 1


def test_a_package_that_fails_for_one_view_tells_the_others(agency):
    class HalfPackage(WordPackage):
        def narrow(self, state, view):
            if view == FIRST and "busy" in state:
                raise RuntimeError("no first")
            return super().narrow(state, view)

    agency = Agency(HalfPackage())
    agency.subscribe("bob", view=FIRST)
    agency.subscribe("carol")
    publication = agency.publish("away")
    agency.settle()
    shown(agency)

    publication = agency.publish_again(publication, "busy")
    agency.settle()
    first = shown(agency)
    agency.publish_again(publication, "calm")
    agency.settle()

    assert first == {watcher("carol"): ["busy"]}
    assert shown(agency) == {watcher("bob"): ["calm"], watcher("carol"): ["calm"]}


def test_a_defect_in_a_turn_does_not_stop_the_next(agency):
    class BrokenGuard(Guard):
        is_broken = False

        def tell(self, method, *args, **kwargs):
            if self.is_broken:
                raise ZeroDivisionError
            return super().tell(method, *args, **kwargs)

    package = WordPackage("broken")
    guard = BrokenGuard("package", "broken", package, Metrics(), agency.clock)
    agency.resources._packages["broken"] = guard
    for number in range(MANY):
        agency.subscribe(f"w{number}", package="broken", presentity=ALICE)
    agency.settle()
    crowd(agency)
    agency.agent.changed(ALICE, "broken", 1.0)
    agency.publish("away")
    resource = agency.resources.find(ALICE, "broken")
    agency.turn()
    resource.outdate()
    guard.is_broken = True

    for _ in range(10):
        try:
            agency.turn()
        except ZeroDivisionError:
            continue

    seen = shown(agency)
    assert {bodies[-1] for bodies in seen.values()} >= {"away"}
    assert len(agency.fanout) == 0
