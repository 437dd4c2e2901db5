"""Asking a plugin: time limit, failures counted and named."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from presproxy.errors import CredentialsRejected
from presproxy.extend.guard import Guard, PluginFailed
from presproxy.metrics import Metrics


@attrs.define(eq=False)
class Plugin:
    """One that does what the test says, in each way a plugin may wait."""

    gate: Deferred = attrs.field(factory=Deferred)
    cleaned_up: int = 0

    async def at_once(self, word):
        return word

    async def waiting(self):
        try:
            return await self.gate
        finally:
            self.cleaned_up += 1

    async def waiting_twice(self):
        first = await self.gate
        return first, await succeed("second")

    async def stubborn(self):
        try:
            await self.gate
        except CancelledError:
            await Deferred()

    async def raising(self, error):
        raise error

    async def raising_late(self, error):
        await self.gate
        raise error

    def deferred(self):
        return self.gate

    def result(self, result):
        return result

    def raising_at_once(self, error):
        raise error


@attrs.frozen
class Setting:
    plugin: Plugin
    clock: Clock
    metrics: Metrics
    guard: Guard

    def counted(self):
        return {
            sample.name: getattr(sample.source, "value", None)
            or sum(getattr(sample.source, "counts", [0]))
            for sample in self.metrics
        }


@pytest.fixture
def setting():
    plugin, clock, metrics = Plugin(), Clock(), Metrics()
    guard = Guard("auth", "acme", plugin, metrics, clock, limit=5.0)
    return Setting(plugin, clock, metrics, guard)


def asking(setting, method, *args):
    return Deferred.fromCoroutine(setting.guard.ask(method, *args))


def outcome(deferred):
    """What a Deferred fired with: a value or an exception; None while it has not."""
    seen = []
    deferred.addBoth(lambda result: seen.append(getattr(result, "value", result)))
    return seen[0] if seen else None


def test_what_does_not_wait_is_answered_without_a_timer(setting):
    answer = outcome(asking(setting, setting.plugin.at_once, "here"))

    assert answer == "here"
    assert setting.clock.getDelayedCalls() == []


def test_a_deferred_that_has_fired_starts_no_timer(setting):
    answer = outcome(asking(setting, setting.plugin.result, succeed("here")))

    assert answer == "here"
    assert setting.clock.getDelayedCalls() == []


@pytest.mark.parametrize("way", ["waiting", "deferred"])
def test_what_waits_is_answered_later(setting, way):
    answer = asking(setting, getattr(setting.plugin, way))
    assert not answer.called

    setting.plugin.gate.callback("late")

    assert outcome(answer) == "late"
    assert setting.clock.getDelayedCalls() == []


def test_a_coroutine_may_wait_more_than_once(setting):
    answer = asking(setting, setting.plugin.waiting_twice)

    setting.plugin.gate.callback("first")

    assert outcome(answer) == ("first", "second")


def test_a_failure_of_what_was_waited_for_reaches_the_plugin(setting):
    answer = asking(setting, setting.plugin.waiting)

    setting.plugin.gate.errback(CredentialsRejected("no such user"))

    assert isinstance(outcome(answer), CredentialsRejected)
    assert setting.plugin.cleaned_up == 1


def test_any_other_awaitable_will_do(setting):
    class Awaitable:
        def __await__(self):
            yield from setting.plugin.gate
            return "own kind"

    answer = asking(setting, setting.plugin.result, Awaitable())
    setting.plugin.gate.callback(None)

    assert outcome(answer) == "own kind"


@pytest.mark.parametrize("way", ["waiting", "deferred"])
def test_too_long_a_wait_is_a_failure_and_cancelled(setting, way):
    answer = asking(setting, getattr(setting.plugin, way))

    with capturedLogs():
        setting.clock.advance(5.0)

    failure = outcome(answer)
    assert isinstance(failure, PluginFailed)
    assert "no answer within 5 seconds" in str(failure)
    assert isinstance(outcome(setting.plugin.gate), CancelledError | None)
    assert setting.plugin.gate.called
    assert setting.counted()["plugin_failures"] == 1


def test_a_plugin_that_does_not_let_itself_be_cancelled_is_late_all_the_same(setting):
    answer = asking(setting, setting.plugin.stubborn)

    with capturedLogs():
        setting.clock.advance(5.0)

    assert isinstance(outcome(answer), PluginFailed)


def test_whoever_asked_can_give_up(setting):
    answer = asking(setting, setting.plugin.waiting)

    answer.cancel()

    assert isinstance(outcome(answer), CancelledError)
    assert setting.plugin.cleaned_up == 1
    assert setting.clock.getDelayedCalls() == []
    assert setting.counted()["plugin_failures"] == 0


def test_a_cancellation_of_the_plugins_own_is_a_failure(setting):
    answer = asking(setting, setting.plugin.waiting)

    with capturedLogs():
        setting.plugin.gate.cancel()

    assert isinstance(outcome(answer), PluginFailed)


@pytest.mark.parametrize("way", ["raising", "raising_late", "raising_at_once"])
def test_declared_errors_pass_through_and_are_no_failure(setting, way):
    error = CredentialsRejected("wrong password")
    answer = asking(setting, getattr(setting.plugin, way), error)
    setting.plugin.gate.callback(None)

    assert outcome(answer) is error
    assert setting.counted()["plugin_failures"] == 0
    assert setting.counted()["plugin_calls"] == 1


@pytest.mark.parametrize("way", ["raising", "raising_late", "raising_at_once"])
def test_all_other_errors_are_logged_with_the_plugins_name(setting, way):
    with capturedLogs() as events:
        answer = asking(setting, getattr(setting.plugin, way), KeyError("oops"))
        setting.plugin.gate.callback(None)

    assert str(outcome(answer)) == "auth acme failed: KeyError: 'oops'"
    [event] = events
    assert (event["kind"], event["plugin"], event["method"]) == ("auth", "acme", way)
    assert event["log_level"] is LogLevel.error
    assert event["log_failure"].check(KeyError)


def test_a_method_that_forgot_to_wait_is_a_failure(setting):
    with capturedLogs():
        answer = asking(setting, setting.plugin.result, 7)

    assert isinstance(outcome(answer), PluginFailed)


def test_a_stop_iteration_is_no_answer(setting):
    with capturedLogs():
        answer = asking(setting, setting.plugin.raising_at_once, StopIteration("x"))

    assert isinstance(outcome(answer), PluginFailed)


def test_one_traceback_a_minute_and_the_others_are_counted(setting):
    def fail_once():
        asking(setting, setting.plugin.raising, KeyError()).addErrback(lambda _: None)

    with capturedLogs() as events:
        for _ in range(100):
            fail_once()
        setting.clock.advance(60.0)
        fail_once()

    assert [event["held_back"] for event in events] == [0, 99]
    assert setting.counted()["plugin_failures"] == 101


def test_failures_in_a_row_end_with_a_success(setting):
    guard = setting.guard
    with capturedLogs():
        for _ in range(3):
            with pytest.raises(PluginFailed):
                guard.tell(setting.plugin.raising_at_once, KeyError())
    in_a_row = guard.failures_in_a_row

    guard.tell(setting.plugin.result, None)

    assert (in_a_row, guard.failures_in_a_row) == (3, 0)


def test_telling_gives_the_answer_at_once(setting):
    assert setting.guard.tell(setting.plugin.result, 3) == 3


def test_telling_raises_what_is_declared(setting):
    with pytest.raises(CredentialsRejected):
        setting.guard.tell(setting.plugin.raising_at_once, CredentialsRejected("no"))


def test_telling_makes_a_failure_of_the_rest(setting):
    with capturedLogs(), pytest.raises(PluginFailed):
        setting.guard.tell(setting.plugin.raising_at_once, KeyError())


def test_seconds_are_measured_on_the_clock_handed_in(setting):
    answer = asking(setting, setting.plugin.waiting)
    setting.clock.advance(0.2)
    setting.plugin.gate.callback(None)

    [took] = [s.source for s in setting.metrics if s.name == "plugin_seconds"]
    assert outcome(answer) is None
    assert took.total == pytest.approx(0.2)


def test_an_answer_that_comes_too_late_troubles_nobody(setting):
    late = Deferred()
    answer = asking(setting, setting.plugin.result, late)
    with capturedLogs() as events:
        setting.clock.advance(5.0)
        late.errback(KeyError())

    assert isinstance(outcome(answer), PluginFailed)
    assert len(events) == 1


def test_other_errors_may_be_declared(setting):
    guard = Guard(
        "acl", "x", setting.plugin, Metrics(), setting.clock, declared=(KeyError,)
    )

    with pytest.raises(KeyError):
        guard.tell(setting.plugin.raising_at_once, KeyError())


def test_a_failed_deferred_is_a_failure_at_once(setting):
    with capturedLogs():
        answer = asking(setting, setting.plugin.result, fail(KeyError()))

    assert isinstance(outcome(answer), PluginFailed)
    assert setting.clock.getDelayedCalls() == []
