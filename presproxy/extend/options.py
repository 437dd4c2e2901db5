"""
The options of a plugin: the fields of its class that were declared by `option`.

A value comes as text from the command line or typed from TOML, and is made into what the
field's annotation says: str, int, float, bool, Path, an enum or Literal, a sequence of
these, or any of them or None.
"""

from __future__ import annotations

import enum
import math
import types
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

import attrs
from cattrs import BaseConverter, Converter
from cattrs.errors import StructureHandlerNotFoundError

from presproxy.extend.maker import HELP

_TRUE = frozenset({"yes", "true", "on", "1"})
_FALSE = frozenset({"no", "false", "off", "0"})

_WORDS: Mapping[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "yes or no",
    Path: "path",
}


@attrs.frozen
class Option:
    """
    One option.  ``type`` is the field's annotation; ``default`` is `attrs.NOTHING` where
    the option must be given.
    """

    name: str
    type: Any
    default: Any
    help: str
    field: attrs.Attribute[Any]

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is attrs.NOTHING

    @property
    def type_in_words(self) -> str:
        """What a value looks like, or which there are."""
        choices = getattr(self.field.validator, "options", None)
        if isinstance(choices, Collection) and choices:
            return " | ".join(map(value_in_words, choices))
        return type_in_words(self.type)

    def read(self, value: Any) -> Any:
        """
        Make a value of the option's type, and let its field judge it.

        Raises ValueError saying in words what is wrong with the value.
        """
        made = read_value(value, self.type)
        self._judge(made)
        return made

    def _judge(self, value: Any) -> None:
        # Before the plugin is made, so that all its mistakes are told at once.  A
        # converter or validator which wants the plugin itself has its turn later.
        converter, validator = self.field.converter, self.field.validator
        if isinstance(converter, attrs.Converter):
            return
        if converter is not None:
            value = converter(value)
        if validator is None:
            return
        try:
            validator(None, self.field, value)
        except AttributeError:
            return
        except ValueError as error:
            # Those of attrs carry the field and more behind the words.
            raise ValueError(*error.args[:1]) from error


def options_of(plugin: type) -> tuple[Option, ...]:
    """
    Give the options of a plugin's class, in the order of its fields.

    Raises NameError when an annotation names what is not there.
    """
    if not attrs.has(plugin):
        return ()
    hints = get_type_hints(plugin)
    return tuple(
        Option(
            name=field.alias or field.name,
            type=hints.get(field.name, Any),
            default=field.default,
            help=field.metadata[HELP],
            field=field,
        )
        for field in attrs.fields(plugin)
        if HELP in field.metadata
    )


def read_value(value: Any, wanted: Any) -> Any:
    """
    Make what ``wanted`` says of a value from the command line or from TOML.

    Raises ValueError saying in words what is wrong with it.
    """
    if isinstance(value, str) and _is_collection(_without_none(wanted)):
        value = [word.strip() for word in value.split(",") if word.strip()]
    try:
        return _converter().structure(value, wanted)
    except StructureHandlerNotFoundError:
        raise ValueError(f"cannot be given as {type_in_words(wanted)}") from None
    except (TypeError, KeyError) as error:
        raise ValueError(f"{value!r} is not {type_in_words(wanted)}") from error


def type_in_words(wanted: Any) -> str:
    """Say what a value of this type looks like."""
    wanted = _without_none(wanted)
    if isinstance(wanted, NewType):
        return type_in_words(wanted.__supertype__)
    if _is_literal(wanted):
        return " | ".join(str(each) for each in get_args(wanted))
    if _is_enum(wanted):
        return " | ".join(str(each.value) for each in wanted)
    if _is_collection(wanted):
        each = type_in_words((*get_args(wanted), str)[0])
        return f"list of {each}, separated by commas"
    return _WORDS.get(wanted, getattr(wanted, "__name__", str(wanted)))


def value_in_words(value: Any) -> str:
    """Write a value as a user would give it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, Collection) and not isinstance(value, str | Mapping):
        return ",".join(map(value_in_words, value))
    return str(value)


@cache
def _converter() -> BaseConverter:
    converter = Converter(detailed_validation=False, forbid_extra_keys=True)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _whole_number)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(bool, _yes_or_no)
    converter.register_structure_hook(Path, _path)
    converter.register_structure_hook_func(_is_literal, _one_of_literal)
    converter.register_structure_hook_func(_is_enum, _one_of_enum)
    return converter


# A hook holds for the types derived from its own, and an enumeration may be of words or
# of numbers.


def _text(value: Any, wanted: Any) -> str:
    if _is_enum(wanted):
        chosen: str = _one_of_enum(value, wanted)
        return chosen
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


def _whole_number(value: Any, wanted: Any) -> int:
    if _is_enum(wanted):
        number: int = _one_of_enum(value, wanted)
        return number
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    raise ValueError(f"{value!r} is not a whole number")


def _number(value: Any, _: Any) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise ValueError(f"{value!r} is not a number")


def _yes_or_no(value: Any, _: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else None
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"{value!r} is neither yes nor no")


def _path(value: Any, _: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"{value!r} is not a path")
    return Path(value)


def _one_of_literal(value: Any, wanted: Any) -> Any:
    return _one_of(value, {str(each): each for each in get_args(wanted)})


def _one_of_enum(value: Any, wanted: Any) -> Any:
    return _one_of(value, {str(each.value): each for each in wanted})


def _one_of(value: Any, choices: Mapping[str, Any]) -> Any:
    """Choose by what is written, in any case where that leaves no doubt."""
    if str(value) in choices:
        return choices[str(value)]
    close = [name for name in choices if name.lower() == str(value).lower()]
    if len(close) == 1:
        return choices[close[0]]
    raise ValueError(f"{value!r} is none of {', '.join(choices)}")


def _without_none(wanted: Any) -> Any:
    if get_origin(wanted) in (Union, types.UnionType):
        others = [each for each in get_args(wanted) if each is not type(None)]
        if len(others) == 1:
            return others[0]
    return wanted


def _is_literal(wanted: Any) -> bool:
    return get_origin(wanted) is Literal


def _is_enum(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, enum.Enum)


def _is_collection(wanted: Any) -> bool:
    of = get_origin(wanted) or wanted
    return (
        isinstance(of, type)
        and issubclass(of, Collection)
        and not issubclass(of, str | bytes | Mapping | enum.Enum)
    )
