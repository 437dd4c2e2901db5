"""Tests and fixtures which wait for what the reactor brings, with types."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import pytest_twisted  # type: ignore[import-untyped]  # it has no types
from twisted.internet.defer import Deferred

_Test = TypeVar("_Test", bound=Callable[..., Coroutine[Any, Any, None]])
_Fixture = TypeVar("_Fixture", bound=Callable[..., AsyncIterator[Any]])


def waiting_test(test: _Test) -> _Test:
    """Run a test to its end in the reactor.  Stands below ``given``, if both do."""
    marked: _Test = pytest_twisted.ensureDeferred(test)
    return marked


def wait_for(coroutine: Coroutine[Any, Any, Any]) -> None:
    """
    Let the reactor run until something is done.

    For a fixture which must be bound to the same instance as its test: one that waits by
    itself is bound to another.
    """
    pytest_twisted.blockon(Deferred.fromCoroutine(coroutine))


def waiting_fixture(fixture: _Fixture) -> _Fixture:
    """Make a fixture of an asynchronous generator."""
    made: _Fixture = pytest_twisted.async_yield_fixture(fixture)
    return made
