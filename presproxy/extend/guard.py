"""
Asking a plugin: with a time limit, its failures counted and named.

What a plugin raises beyond the errors its interface declares, and a wait that is too
long, is `PluginFailed` for whoever asked, who then gives the safe answer of the kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from types import CoroutineType
from typing import Any, Generic, ParamSpec, TypeVar, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from presproxy.errors import (
    AccessDenied,
    AuthenticationContinues,
    Conflict,
    CredentialsRejected,
    MalformedDocument,
    NodeLost,
    PresproxyError,
    StorageUnavailable,
)
from presproxy.extend.hints import reason
from presproxy.extend.maker import Kind
from presproxy.interfaces import IClock
from presproxy.metrics import Counter, Histogram, Metrics

_log = Logger()

#: The exceptions which are answers, by kind.
DECLARED: Mapping[Kind, tuple[type[Exception], ...]] = {
    "auth": (CredentialsRejected, AuthenticationContinues, AccessDenied),
    "acl": (),
    "storage": (Conflict, NodeLost, StorageUnavailable),
    "notifier": (),
    "package": (MalformedDocument,),
    "aggregator": (),
}

#: Seconds between two tracebacks of one plugin.  Chosen: a plugin that fails on every
#: request must not fill the disk, and once a minute is enough to be noticed.
_QUIET = 60.0

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Plugin = TypeVar("_Plugin")


@attrs.frozen(eq=False)
class PluginFailed(PresproxyError):
    """A plugin raised what it must not, or took too long."""

    kind: Kind
    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} failed: {self.why}"


class _TookTooLong(PresproxyError):
    """The time limit is over."""


@attrs.define(eq=False)
class Guard(Generic[_Plugin]):
    """
    One plugin, and the only way to ask it.

    ``limit`` is how many seconds a call may wait.  ``declared`` are the errors which
    pass through unchanged: by default those of the kind's interface.
    """

    kind: Kind
    name: str
    plugin: _Plugin
    _metrics: Metrics
    _clock: IClock
    limit: float = 5.0
    declared: tuple[type[Exception], ...] = attrs.field()
    #: How many calls failed since the last one that did not.
    failures_in_a_row: int = attrs.field(default=0, init=False)
    _seconds: Callable[[], float] = attrs.field(init=False)
    _calls: Counter = attrs.field(init=False)
    _failures: Counter = attrs.field(init=False)
    _took: Histogram = attrs.field(init=False)
    _log_again_at: float = attrs.field(default=0.0, init=False)
    _held_back: int = attrs.field(default=0, init=False)

    @declared.default
    def _declared_by_the_interface(self) -> tuple[type[Exception], ...]:
        return DECLARED[self.kind]

    def __attrs_post_init__(self) -> None:
        labels = {"kind": self.kind, "plugin": self.name}
        metrics = self._metrics
        self._seconds = self._clock.seconds
        self._calls = metrics.counter("plugin_calls", "Calls of plugins.", **labels)
        self._failures = metrics.counter(
            "plugin_failures", "Calls in which a plugin failed.", **labels
        )
        self._took = metrics.histogram(
            "plugin_seconds", "How long calls of plugins took.", **labels
        )

    async def ask(
        self, method: Callable[_P, Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """
        Ask what may wait.

        Raises the declared errors, or `PluginFailed`.  What is still waiting when the
        limit is over is cancelled, and so it is when this is.
        """
        began = self._seconds()
        try:
            answer = method(*args, **kwargs)
            steps = _steps(answer)
            # Most end without having waited; those need no timer and no Deferred.
            try:
                waited_for = steps.send(None)
            except StopIteration as done:
                self._went_well(began)
                value: _T = done.value
                return value
            if isinstance(answer, Deferred):
                waiting = answer
            else:
                waiting = Deferred.fromCoroutine(resumed(steps, waited_for))
        except self.declared:
            self._went_well(began)
            raise
        except Exception as error:
            raise self._failed(error, method, began) from error
        return await self._wait(waiting, method, began)

    def tell(self, method: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """
        Tell what must not wait, and give what it answers.

        Raises the declared errors, or `PluginFailed`.
        """
        began = self._seconds()
        try:
            answer = method(*args, **kwargs)
        except self.declared:
            self._went_well(began)
            raise
        except Exception as error:
            raise self._failed(error, method, began) from error
        self._went_well(began)
        return answer

    async def _wait(
        self, waiting: Deferred[_T], method: Callable[..., object], began: float
    ) -> _T:
        wait = _Wait(waiting, self.limit, self._clock)
        try:
            value = await wait.answer
        except self.declared:
            self._went_well(began)
            raise
        except Exception as error:
            if wait.is_given_up:
                raise
            raise self._failed(error, method, began) from error
        self._went_well(began)
        return value

    def _went_well(self, began: float) -> None:
        self._calls.value += 1
        self.failures_in_a_row = 0
        self._took.observe(self._seconds() - began)

    def _failed(
        self, error: Exception, method: Callable[..., object], began: float
    ) -> PluginFailed:
        now = self._seconds()
        self._calls.value += 1
        self._failures.value += 1
        self.failures_in_a_row += 1
        self._took.observe(now - began)
        if now < self._log_again_at:
            self._held_back += 1
        else:
            self._log_failure(error, method)
            self._log_again_at = now + _QUIET
            self._held_back = 0
        return PluginFailed(self.kind, self.name, reason(error))

    def _log_failure(self, error: Exception, method: Callable[..., object]) -> None:
        _log.failure(
            "{kind} {plugin} failed in {method}; {held_back} failures before this one "
            "were not logged",
            Failure(error),
            LogLevel.error,
            kind=self.kind,
            plugin=self.name,
            method=getattr(method, "__name__", repr(method)),
            held_back=self._held_back,
        )


@attrs.define(eq=False)
class _Wait(Generic[_T]):
    """
    Waiting for ``asked`` for ``limit`` seconds at the most.

    ``answer`` fires when the limit is over even if what is asked cannot be cancelled.
    """

    asked: Deferred[_T]
    limit: float
    clock: IClock
    answer: Deferred[_T] = attrs.field(init=False)
    #: Whether whoever asked does not want to know any more.
    is_given_up: bool = attrs.field(default=False, init=False)
    _timer: Any = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.answer = Deferred(self._give_up)
        self.asked.addBoth(self._answered)
        if not self.answer.called:
            self._timer = self.clock.callLater(self.limit, self._give_no_more_time)

    def _answered(self, result: Any) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if not self.answer.called:
            self.answer.callback(result)

    def _give_up(self, _: object) -> None:
        self.is_given_up = True
        self.asked.cancel()

    def _give_no_more_time(self) -> None:
        self.answer.errback(_TookTooLong(f"no answer within {self.limit:g} seconds"))
        self.asked.cancel()


def _steps(answer: Awaitable[_T]) -> Coroutine[Any, Any, _T] | Generator[Any, Any, _T]:
    """Give what can be stepped by hand."""
    if type(answer) is CoroutineType:
        return answer
    if isinstance(answer, Deferred):
        return answer.__await__()
    return _awaited(answer)


async def _awaited(answer: Awaitable[_T]) -> _T:
    return await answer


def resumed(
    steps: Coroutine[Any, Any, _T] | Generator[Any, Any, _T], waited_for: Any
) -> Generator[Any, Any, _T]:
    """Go on with what was stepped once, and waits."""
    step: Callable[[Any], Any]
    while True:
        try:
            given = yield waited_for
            step = steps.send
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as error:
            given = error
            step = steps.throw
        try:
            waited_for = step(given)
        except StopIteration as done:
            return cast(_T, done.value)
