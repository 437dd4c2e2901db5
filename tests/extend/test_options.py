"""The options of a plugin, read from its fields."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NewType

import attrs
import pytest

from presproxy.extend.maker import option
from presproxy.extend.options import (
    options_of,
    read_value,
    type_in_words,
    value_in_words,
)

Realm = NewType("Realm", str)


class Algorithm(enum.Enum):
    MD5 = "MD5"
    SHA_256 = "SHA-256"


class Word(enum.StrEnum):
    ONE = "one"


class Number(enum.IntEnum):
    ONE = 1


Strangers = Literal["allow", "block"]


@attrs.define
class Plugin:
    users: Path = option("The file of users.")  # noqa: RUF009  # it is a field
    _secret: str = option("What to sign with.", default="x")
    nonces: int = option("How many.", default=3)
    cache: dict = attrs.field(factory=dict)


def test_the_options_are_the_fields_declared_as_such_in_their_order():
    options = options_of(Plugin)

    assert [each.name for each in options] == ["users", "secret", "nonces"]
    assert [each.type for each in options] == [Path, str, int]
    assert [each.is_required for each in options] == [True, False, False]
    assert options[2].default == 3
    assert options[0].help == "The file of users."


def test_a_class_without_fields_has_no_options():
    assert options_of(object) == ()


@pytest.mark.parametrize(
    ("value", "wanted", "made"),
    [
        ("x", str, "x"),
        ("5", int, 5),
        (5, int, 5),
        ("2.5", float, 2.5),
        (2, float, 2.0),
        ("yes", bool, True),
        ("OFF", bool, False),
        (True, bool, True),
        ("/a/b", Path, Path("/a/b")),
        ("a, b", Sequence[str], ("a", "b")),
        ("", Sequence[str], ()),
        (["a", "b"], Sequence[str], ("a", "b")),
        ("1,2", tuple[int, ...], (1, 2)),
        ("a,b", frozenset[str], {"a", "b"}),
        ("MD5,SHA-256", Sequence[Algorithm], (Algorithm.MD5, Algorithm.SHA_256)),
        ("sha-256", Algorithm, Algorithm.SHA_256),
        ("One", Word, Word.ONE),
        ("1", Number, Number.ONE),
        ("block", Strangers, "block"),
        ("x", str | None, "x"),
        ("5", int | None, 5),
        ("a,b", Sequence[str] | None, ("a", "b")),
        ("x", Realm, "x"),
        ({"a": 1}, dict[str, int], {"a": 1}),
    ],
)
def test_a_value_becomes_what_the_annotation_says(value, wanted, made):
    read = read_value(value, wanted)

    assert (tuple(read) if isinstance(read, list) else read) == made


@pytest.mark.parametrize(
    ("value", "wanted", "why"),
    [
        ("x", int, "'x' is not a whole number"),
        (2.5, int, "2.5 is not a whole number"),
        (True, int, "True is not a whole number"),
        ("x", float, "'x' is not a number"),
        ("nan", float, "'nan' is not a number"),
        ("1e999", float, "'1e999' is not a number"),
        (True, float, "True is not a number"),
        ("maybe", bool, "'maybe' is neither yes nor no"),
        (1, bool, "1 is neither yes nor no"),
        (5, str, "5 is not text"),
        (5, Path, "5 is not a path"),
        ("", Path, "'' is not a path"),
        ("SHA-1", Algorithm, "'SHA-1' is none of MD5, SHA-256"),
        ("two", Word, "'two' is none of one"),
        ("maybe", Strangers, "'maybe' is none of allow, block"),
        ("1,x", Sequence[int], "'x' is not a whole number"),
        (5, Sequence[int], "5 is not list of whole number, separated by commas"),
    ],
)
def test_another_value_is_refused_in_words(value, wanted, why):
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        read_value(value, wanted)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (str, "text"),
        (int | None, "whole number"),
        (Sequence[str], "list of text, separated by commas"),
        (Algorithm, "MD5 | SHA-256"),
        (Strangers, "allow | block"),
        (Realm, "text"),
        (bool, "yes or no"),
    ],
)
def test_a_type_is_told_in_words(wanted, words):
    assert type_in_words(wanted) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "none"),
        (True, "yes"),
        (Algorithm.SHA_256, "SHA-256"),
        ((Algorithm.MD5, Algorithm.SHA_256), "MD5,SHA-256"),
        (2.0, "2.0"),
        (Path("x"), "x"),
    ],
)
def test_a_default_is_written_as_a_user_would(value, words):
    assert value_in_words(value) == words


def test_a_fields_own_validator_judges_what_was_read():
    @attrs.define
    class Bounded:
        size: int = option("How large.", validator=attrs.validators.ge(1))

    with pytest.raises(ValueError, match="must be >= 1"):
        options_of(Bounded)[0].read("0")


def test_a_validator_that_names_choices_is_told_as_such():
    @attrs.define
    class Chosen:
        strangers: str = option(
            "What they get.", validator=attrs.validators.in_(("allow", "block"))
        )

    [strangers] = options_of(Chosen)

    assert strangers.type_in_words == "allow | block"
    with pytest.raises(ValueError, match=r"^'strangers' must be in .* \(got 'x'\)$"):
        strangers.read("x")


def test_a_validator_that_wants_the_plugin_waits_until_there_is_one():
    def validate(plugin, field, value):
        if value > plugin.most:
            raise ValueError("too much")

    @attrs.define
    class Dependent:
        size: int = option("How large.", validator=validate)
        most: int = option("How large at most.", default=3)

    assert options_of(Dependent)[0].read("5") == 5
