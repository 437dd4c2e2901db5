"""
Running a command: the reactor, the streams, and what a failure looks like.

A command is a coroutine.  When somebody presses Ctrl-C it is cancelled where it waits,
and may still wait in its ``finally`` for what it has to put in order.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TextIO, TypeVar

import attrs
import click
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    globalLogBeginner,
)
from zope.interface import implementer

from presproxy.errors import PresproxyError
from presproxy.useragent import Refused

T = TypeVar("T")

Command = Callable[[Any], Coroutine[Any, Any, T]]
"""Takes the reactor."""


class Runner(Protocol):
    """Runs a command to its end."""

    def __call__(self, command: Command[T]) -> T:
        """Give what the command gives, or raise what it raises."""


@attrs.frozen
class Surroundings:
    """What a command runs in."""

    run: Runner = attrs.field(default=lambda command: run_in_reactor(command))


def surrounded(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its `Surroundings`, by name."""

    @functools.wraps(command)
    def with_surroundings(*arguments: Any, **options: Any) -> None:
        found = click.get_current_context().find_object(Surroundings)
        command(*arguments, surroundings=found or Surroundings(), **options)

    return with_surroundings


class Interrupted(PresproxyError):
    """Somebody pressed Ctrl-C before the command was done."""

    def __str__(self) -> str:
        return "interrupted"


def run_in_reactor(command: Command[T]) -> T:
    """Start the reactor for one command, and stop it when the command is done."""
    # Importing it installs it, which is not to happen before it is needed.
    from twisted.internet import reactor

    begin_logging(sys.stderr)
    running = _Running(command, reactor)
    reactor.callWhenRunning(running.start)
    reactor.run()
    return running.outcome()


@attrs.define(eq=False)
class _Running(Generic[T]):
    """One command within the reactor."""

    command: Command[T]
    reactor: Any
    _results: list[T] = attrs.field(factory=list)
    _errors: list[BaseException] = attrs.field(factory=list)

    def start(self) -> None:
        done = Deferred.fromCoroutine(self.command(self.reactor))
        finished: Deferred[None] = Deferred()

        def end() -> Deferred[None]:
            done.cancel()
            return finished

        def ended(_: object) -> None:
            finished.callback(None)
            self.reactor.callLater(0, self._stop)

        self.reactor.addSystemEventTrigger("before", "shutdown", end)
        done.addCallbacks(self._results.append, lambda f: self._errors.append(f.value))
        done.addBoth(ended)

    def outcome(self) -> T:
        """Give what the command gave, or raise what it raised."""
        for error in self._errors:
            raise Interrupted() if isinstance(error, CancelledError) else error
        return self._results[0]

    def _stop(self) -> None:
        # Whoever pressed Ctrl-C has stopped it already.
        with contextlib.suppress(ReactorNotRunning):
            self.reactor.stop()


@implementer(ILogObserver)
@attrs.define(eq=False)
class _Lines:
    """Writes each event as one line."""

    stream: TextIO

    def __call__(self, event: LogEvent) -> None:
        failure = event.get("log_failure")
        text = formatEvent(event)
        if failure is not None:
            text = f"{text}: {failure.getErrorMessage()}"
        print(f"presproxy: {text}", file=self.stream, flush=True)


def begin_logging(stream: TextIO) -> None:
    """Write what somebody may have to act on to ``stream``; drop the rest."""
    worth_a_line = LogLevelFilterPredicate(LogLevel.warn)
    observer = FilteringLogObserver(_Lines(stream), [worth_a_line])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)


class Failure(click.ClickException):
    """A failure in one line, after which the exit status is 1."""

    def show(self, file: Any = None) -> None:
        """Write the line."""
        text = "; ".join(self.message.splitlines())
        click.echo(f"presproxy: {text}", file=file, err=True)


class CommandGroup(click.Group):
    """Commands whose failures are one line on stderr."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what it raises on purpose into what click shows."""
        try:
            return super().invoke(ctx)
        except PresproxyError as error:
            raise Failure(explained(error)) from error


def explained(error: PresproxyError) -> str:
    """Say what went wrong, and what may help."""
    if isinstance(error, Refused) and error.status in (401, 407):
        return f"{error}: see --user and --password-file"
    return str(error)
