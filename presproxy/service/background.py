"""Running what nobody waits for, and waiting no longer than is bearable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python import log
from twisted.python.failure import Failure

T = TypeVar("T")

_log = Logger()


def run(coroutine: Any) -> None:
    """Run something that waits for nobody's answer; what goes wrong is logged."""

    def defect(failure: Failure) -> None:
        _log.failure("Something in the background went wrong", failure=failure)

    Deferred.fromCoroutine(coroutine).addErrback(defect)


def quietly(function: Callable[..., T], *arguments: object) -> T:
    """
    Call something without the lines that Twisted logs of each port it opens.

    An event whose format is empty is written by no observer.
    """
    answer: T = log.callWithContext({"log_format": ""}, function, *arguments)
    return answer


def breath(reactor: Any, seconds: float = 0.0) -> Deferred[None]:
    """Wait a little, or only until the reactor has done what else there is to do now."""
    taken: Deferred[None] = Deferred()
    reactor.callLater(seconds, taken.callback, None)
    return taken


async def within(seconds: float, reactor: Any, coroutine: Any, what: str) -> bool:
    """
    Wait for something, but no longer than ``seconds``; say whether it ended well.

    What took too long is cancelled; that, and what went wrong, is logged under the name
    ``what``.
    """
    over: Deferred[bool] = Deferred()
    running = Deferred.fromCoroutine(coroutine)

    def end(_: object) -> None:
        if not over.called:
            over.callback(True)

    def fail(failure: Failure) -> None:
        if not over.called:
            _log.failure("{what} went wrong", failure=failure, what=what)
            over.callback(False)

    def give_up() -> None:
        _log.error("{what} took more than {limit:g} s", what=what, limit=seconds)
        over.callback(False)
        running.cancel()

    running.addCallbacks(end, fail)
    if over.called:
        return await over
    timer = reactor.callLater(seconds, give_up)
    try:
        return await over
    finally:
        if timer.active():
            timer.cancel()
