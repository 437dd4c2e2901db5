from __future__ import annotations

import pytest

from presproxy.sip.remembered import remembered


@pytest.fixture
def asked():
    return []


@pytest.fixture
def read(asked):
    @remembered(2)
    def shout(text: str) -> str:
        """Say it loudly."""
        asked.append(text)
        if not text:
            raise ValueError
        return text.upper()

    return shout


def test_an_answer_is_remembered(read, asked):
    assert (read("a"), read("a")) == ("A", "A")
    assert asked == ["a"]


def test_only_so_many_are_remembered(read, asked):
    for text in "abca":
        read(text)

    assert asked == ["a", "b", "c", "a"]


def test_nothing_long_is_remembered(read, asked):
    assert read("a" * 129) == read("a" * 129) == "A" * 129
    assert len(asked) == 2


def test_what_fails_is_not_remembered(read, asked):
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^$"):
            read("")

    assert asked == ["", ""]


def test_it_is_described_as_it_was(read):
    assert read.__doc__ == "Say it loudly."
