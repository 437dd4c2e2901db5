"""What Hypothesis would try, for tests which wait and are inherited."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import Phase, given, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


def examples(strategy: SearchStrategy[T], number: int = 100) -> list[T]:
    """
    Give examples of a strategy, the same ones each time.

    ``given`` itself cannot be used in a contract: pytest-twisted wraps the one function
    that all subclasses inherit once for each of them, in one another.
    """
    found: list[T] = []

    @settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        derandomize=True,
    )
    @given(strategy)
    def collect(example: T) -> None:
        found.append(example)

    collect()
    return found
