"""Tests and fixtures which wait for what the reactor brings, with types."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import pytest_twisted  # type: ignore[import-untyped]  # it has no types

_Test = TypeVar("_Test", bound=Callable[..., Coroutine[Any, Any, None]])
_Fixture = TypeVar("_Fixture", bound=Callable[..., AsyncIterator[Any]])


def waiting_test(test: _Test) -> _Test:
    """Run a test to its end in the reactor.  Stands below ``given``, if both do."""
    marked: _Test = pytest_twisted.ensureDeferred(test)
    return marked


def waiting_fixture(fixture: _Fixture) -> _Fixture:
    """Make a fixture of an asynchronous generator."""
    made: _Fixture = pytest_twisted.async_yield_fixture(fixture)
    return made
