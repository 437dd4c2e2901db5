"""The interpreter's switch interval is lowered and put back."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from presproxy.storage.haste import Haste

USUAL = 0.004


@pytest.fixture(autouse=True)
def _usual_interval() -> Iterator[None]:
    found = sys.getswitchinterval()
    sys.setswitchinterval(USUAL)
    yield
    sys.setswitchinterval(found)


def interval() -> float:
    return round(sys.getswitchinterval(), 6)


def test_it_is_lowered_and_put_back():
    haste = Haste(0.001)

    haste.begin()
    lowered = interval()
    haste.end()

    assert (lowered, interval()) == (0.001, USUAL)


def test_beginning_twice_is_beginning_once():
    haste = Haste(0.001)

    haste.begin()
    haste.begin()
    haste.end()

    assert interval() == USUAL


def test_a_shorter_one_is_left_alone():
    sys.setswitchinterval(0.0005)
    haste = Haste(0.001)

    haste.begin()
    haste.end()

    assert interval() == 0.0005


@pytest.mark.parametrize("order", ["first", "last"])
def test_of_two_the_one_that_lowered_it_puts_it_back(order: str):
    one, other = Haste(0.001), Haste(0.001)

    one.begin()
    other.begin()
    for haste in (one, other) if order == "first" else (other, one):
        haste.end()

    assert interval() == USUAL


def test_ending_what_was_not_begun_changes_nothing():
    Haste(0.001).end()

    assert interval() == USUAL
