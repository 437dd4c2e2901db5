"""What becomes of the responses (RFC 3261 §16.7 to §16.10), row by row."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from presproxy.proxying.branches import _TABLE, Do, Happening, State, Target
from presproxy.proxying.context import (
    TIMER_C,
    Cancel,
    Context,
    KeepSilent,
    Open,
    PassBack,
    Respond,
)
from presproxy.proxying.inspect import NotForwarded
from presproxy.sip.message import build_response, parse_message


def targets(*qs):
    return [Target(f"sip:{n}@x", None, q=q) for n, q in enumerate(qs)]


def word(act):
    """Say in a word what is to be done."""
    match act:
        case Open(branch):
            return f"open {branch.target.uri[4]}"
        case Cancel(branch):
            return f"cancel {branch.target.uri[4]}"
        case PassBack(response, _):
            return f"back {response.status}"
        case Respond(status):
            return f"own {status}"
        case KeepSilent():
            return "silence"


class Story:
    """A context and what it wants done, told in words."""

    def __init__(self, response_of, is_invite, *qs, breadth=60):
        self.response_of = response_of
        self.context = Context(is_invite, targets(*qs), breadth)
        self.said = self.words(self.context.begin(0.0))

    def words(self, acts):
        return [word(act) for act in acts]

    def hear(self, number, status, now=1.0):
        branch = self.branch(number)
        tell = self.context.provisional if status < 200 else self.context.final
        self.said += self.words(tell(branch, self.response_of(status), now))

    def fail(self, number, status, now=1.0):
        self.said += self.words(self.context.fail(self.branch(number), status, now))

    def overdue(self, number, now=1.0):
        self.said += self.words(self.context.overdue(self.branch(number), now))

    def cancel(self, now=1.0):
        self.said += self.words(self.context.cancel(now))

    def branch(self, number):
        (found,) = (
            each
            for each in self.context.branches
            if each.target.uri == f"sip:{number}@x"
        )
        return found


@pytest.fixture
def call(response_of):
    return lambda *qs, **more: Story(response_of, True, *qs, **more)


@pytest.fixture
def asking(response_of):
    return lambda *qs, **more: Story(response_of, False, *qs, **more)


# --- Which targets, when


@pytest.mark.parametrize(
    ("qs", "opened"),
    [
        ([1.0], ["open 0"]),
        ([0.5, 0.5, 0.5], ["open 0", "open 1", "open 2"]),
        ([0.2, 0.9, 0.5, 0.9], ["open 1", "open 3"]),
    ],
    ids=["one", "equal ones", "the preferred"],
)
def test_those_of_the_highest_q_begin(call, qs, opened):
    assert call(*qs).said == opened


def test_the_next_begin_when_all_before_have_refused(call):
    story = call(0.9, 0.9, 0.5, 0.1)
    for number, status in ((0, 404), (1, 486), (2, 480)):
        story.hear(number, status)

    assert story.said == ["open 0", "open 1", "open 2", "open 3"]


def test_breadth_is_shared_among_those_at_once(call):
    story = call(1, 1, 1, breadth=8)

    assert [each.breadth for each in story.context.branches] == [3, 3, 2]


@pytest.mark.parametrize(
    ("qs", "breadth", "goes"),
    [([1, 1], 2, True), ([1, 1], 1, False), ([0.9, 0.1], 1, True), ([1], 0, False)],
)
def test_no_more_at_once_than_its_breadth(call, qs, breadth, goes):
    if goes:
        call(*qs, breadth=breadth)
        return
    with pytest.raises(NotForwarded) as caught:
        call(*qs, breadth=breadth)
    assert caught.value.status == 440


# --- Which response


@pytest.mark.parametrize(
    ("statuses", "given"),
    [
        ([404], "back 404"),
        ([486, 404], "back 486"),
        ([500, 486], "back 486"),
        ([486, 302], "back 302"),
        ([302, 603], "back 603"),
        ([404, 401], "back 401"),
        ([404, 407], "back 407"),
        ([404, 415], "back 415"),
        ([404, 420], "back 420"),
        ([404, 484], "back 484"),
        ([420, 401], "back 420"),
        ([503], "own 500"),
        ([503, 500], "own 500"),
        ([500, 503], "back 500"),
        ([503, 404], "back 404"),
    ],
    ids=repr,
)
def test_the_best_of_all_is_given_when_all_are_there(call, statuses, given):
    story = call(*[1.0] * len(statuses))
    before = len(story.said)
    for number, status in enumerate(statuses):
        story.hear(number, status)

    assert story.said[before:] == [given]
    assert story.context.is_over


@pytest.mark.parametrize(
    ("is_invite", "failures", "given"),
    [
        (True, [408], "own 408"),
        (True, [503], "own 500"),
        (True, [480], "own 480"),
        (True, [408, 503], "own 408"),
        (True, [502], "own 502"),
        (False, [408], "silence"),
        (False, [480], "own 480"),
        (False, [503], "own 500"),
    ],
    ids=repr,
)
def test_no_response_at_all(response_of, is_invite, failures, given):
    story = Story(response_of, is_invite, *[1.0] * len(failures))
    for number, status in enumerate(failures):
        story.fail(number, status)

    assert story.said[-1] == given
    assert story.context.is_over


def test_what_somebody_said_goes_before_that_nobody_did(call):
    story = call(1, 1)
    story.fail(0, 408)
    story.hear(1, 486)

    assert story.said[-1] == "back 486"


@pytest.mark.parametrize(
    ("status", "said"), [(100, []), (180, ["back 180"]), (199, ["back 199"])]
)
def test_provisional_responses_to_an_invite(call, status, said):
    story = call(1)
    story.hear(0, status)

    assert story.said[1:] == said


@pytest.mark.parametrize("status", [100, 180])
def test_provisional_responses_to_anything_else(asking, status):
    story = asking(1)
    story.hear(0, status)

    assert story.said[1:] == []


# --- What ends the others


def test_a_2xx_goes_back_at_once_and_cancels_the_others(call):
    story = call(0.9, 0.9, 0.9, 0.1)
    story.hear(0, 180)
    story.hear(1, 200)
    story.hear(2, 180)
    story.hear(0, 487)
    story.hear(2, 487)

    assert story.said[3:] == ["back 180", "back 200", "cancel 0", "cancel 2"]
    assert story.context.is_over


def test_a_6xx_cancels_the_others_and_goes_back_when_they_are_done(call):
    story = call(0.9, 0.9, 0.1)
    story.hear(0, 180)
    story.hear(1, 603)
    before = list(story.said)
    story.hear(0, 487)

    assert before[3:] == ["cancel 0"]
    assert story.said[4:] == ["back 603"]


def test_a_2xx_after_a_6xx_goes_back_all_the_same(call):
    story = call(1, 1)
    story.hear(0, 180)
    story.hear(1, 603)
    story.hear(0, 200)

    assert story.said[2:] == ["back 180", "cancel 0", "back 200"]


def test_each_2xx_to_an_invite_goes_back(call):
    story = call(1, 1)
    for number in (0, 0, 1):
        story.hear(number, 200)

    assert story.said[2:] == ["back 200", "back 200", "back 200"]


def test_of_anything_else_the_first_2xx_goes_back_and_nothing_is_cancelled(asking):
    story = asking(1, 1)
    story.hear(0, 200)
    story.hear(1, 202)

    assert story.said[2:] == ["back 200"]


def test_a_cancel_reaches_those_that_were_heard_of(call):
    story = call(0.9, 0.9, 0.1)
    story.hear(0, 180)
    story.cancel()
    before = list(story.said)
    story.hear(1, 100)
    story.hear(0, 487)
    story.hear(1, 487)

    assert before[3:] == ["cancel 0"]
    assert story.said[4:] == ["cancel 1", "back 487"]


def test_a_second_cancel_changes_nothing(call):
    story = call(1)
    story.hear(0, 180)
    story.cancel()
    story.cancel()

    assert story.said[2:] == ["cancel 0"]


@pytest.mark.parametrize("heard", [False, True])
def test_who_is_silent_to_a_cancel_is_taken_for_487(call, heard):
    story = call(1)
    if heard:
        story.hear(0, 180)
    story.cancel()
    if heard:
        story.overdue(0)
    else:
        story.fail(0, 408)

    assert story.said[-1] == "own 487"


# --- Time


def test_timer_c_cancels_what_rings_and_then_gives_up(call):
    story = call(1)
    story.hear(0, 180, now=10.0)
    until = story.branch(0).until
    story.overdue(0, now=until)
    cancelled_until = story.branch(0).until
    story.overdue(0, now=cancelled_until)

    assert TIMER_C > 180
    assert until == 10.0 + TIMER_C
    assert cancelled_until == until + 32.0
    assert story.said[2:] == ["cancel 0", "own 408"]


def test_timer_c_without_a_word_is_408(call):
    story = call(1)
    story.overdue(0)

    assert story.said[1:] == ["own 408"]


def test_100_is_no_sign_that_it_rings(call):
    story = call(1)
    story.hear(0, 100, now=50.0)

    assert story.branch(0).until == TIMER_C


# --- The table


def test_nothing_leads_out_of_done():
    assert {key for key in _TABLE if key[0] is State.DONE} == {
        (State.DONE, Happening.FINAL)
    }


def test_cancel_is_sent_once_and_only_after_something_was_heard():
    sends = {key for key, (_, do) in _TABLE.items() if do is Do.CANCEL}

    assert sends == {
        (State.PROCEEDING, Happening.UNWANTED),
        (State.PROCEEDING, Happening.OVERDUE),
        (State.DOOMED, Happening.PROVISIONAL),
    }


# --- Whatever comes in whatever order


REQUEST = parse_message(
    b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a@b>\r\n"
    b"To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"
)


class Contexts(RuleBasedStateMachine):
    """One final response of ours at the most, but for 2xx; and an end in any case."""

    @initialize(
        is_invite=st.booleans(),
        qs=st.lists(st.sampled_from([1.0, 0.5, 0.1]), min_size=1, max_size=5),
    )
    def begin(self, is_invite, qs):
        self.is_invite = is_invite
        self.context = Context(is_invite, targets(*qs), 60)
        self.finals = []
        self.cancelled = []
        self.opened = 0
        self.take(self.context.begin(0.0))

    def take(self, acts):
        for act in acts:
            match act:
                case Open():
                    assert not self.finals
                    self.opened += 1
                case PassBack(response, _) if response.status >= 200:
                    self.finals.append(response.status)
                case Respond(status):
                    self.finals.append(status)
                case KeepSilent():
                    self.finals.append(0)
                case Cancel(branch):
                    assert self.is_invite
                    assert branch not in self.cancelled
                    self.cancelled.append(branch)

    @rule(
        data=st.data(),
        status=st.sampled_from([100, 180, 200, 302, 404, 401, 487, 500, 503, 603]),
    )
    def hear(self, data, status):
        branch = data.draw(st.sampled_from(self.context.branches))
        response = parse_message(build_response(REQUEST, status))
        tell = self.context.provisional if status < 200 else self.context.final
        self.take(tell(branch, response, 1.0))

    @rule(data=st.data(), status=st.sampled_from([408, 480, 503]))
    def fail(self, data, status):
        branch = data.draw(st.sampled_from(self.context.branches))
        self.take(self.context.fail(branch, status, 1.0))

    @rule(data=st.data())
    def overdue(self, data):
        branch = data.draw(st.sampled_from(self.context.branches))
        self.take(self.context.overdue(branch, 1.0))

    @precondition(lambda self: self.is_invite)
    @rule()
    def cancel(self):
        self.take(self.context.cancel(1.0))

    @invariant()
    def one_final_response(self):
        refusals = [each for each in self.finals if not 200 <= each < 300]
        assert len(refusals) <= 1
        assert self.context.is_answered is bool(self.finals)
        if not self.is_invite:
            assert len(self.finals) <= 1

    def teardown(self):
        if not hasattr(self, "context"):
            return
        while any(each.is_open for each in self.context.branches):
            for branch in tuple(self.context.branches):
                self.take(self.context.overdue(branch, 1.0))

        assert self.finals
        assert self.context.is_over


TestContexts = Contexts.TestCase
TestContexts.settings = settings(max_examples=100, stateful_step_count=12)
