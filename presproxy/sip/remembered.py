"""Answers remembered for texts which come again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

#: Characters; what is longer is read anew each time, so that nobody fills the memory
#: with what he sends.  Chosen: few URIs of people have more.
_LONGEST = 128


def remembered(most: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """
    Let a pure function of a text remember its ``most`` latest answers.

    Texts of more than 128 characters are not remembered, nor is what it raises.
    """

    def decorate(read: Callable[[str], T]) -> Callable[[str], T]:
        known = lru_cache(most)(read)

        def read_once(text: str) -> T:
            return known(text) if len(text) <= _LONGEST else read(text)

        read_once.__doc__ = read.__doc__
        return read_once

    return decorate
