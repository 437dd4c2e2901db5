r"""
How a plugin is used: ``sqlite:path=x:timeout=2``, or a table of presproxy.toml.

A colon, a backslash and an equals sign of a value are written ``\:``, ``\\`` and ``\=``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from presproxy.errors import ConfigurationMistakes, MalformedField
from presproxy.extend.options import value_in_words

_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_TO_ESCAPE = re.compile(r"[\\:=]")
_NAME_AND_VALUE = re.compile(r"((?:\\.|[^\\=])*)=(.*)", re.DOTALL)


@attrs.frozen
class Use:
    """
    A plugin's name and its options, as text or as TOML had them.

    ``where`` says where it was written, for whoever made a mistake there.
    """

    name: str
    options: Mapping[str, Any] = attrs.field(factory=dict)
    where: str = attrs.field(default="", eq=False)

    def __str__(self) -> str:
        return ":".join(
            [
                _escape(self.name),
                *(
                    f"{_escape(name)}={_escape(value_in_words(value))}"
                    for name, value in self.options.items()
                ),
            ]
        )


def parse_use(text: str, where: str) -> Use:
    """
    Read ``name:option=value:…``.

    Raises `ConfigurationMistakes`, with all of them.
    """
    first, *words = _split(text)
    name = ""
    options: dict[str, str] = {}
    mistakes: list[str] = []
    try:
        name = _unescape(first)
        if not name:
            mistakes.append("names no plugin")
    except MalformedField as error:
        mistakes.append(error.why)
    for word in words:
        try:
            option, value = _read_word(word)
        except MalformedField as error:
            mistakes.append(error.why)
            continue
        if option in options:
            mistakes.append(f"{option!r} is given twice")
        options[option] = value
    if mistakes:
        raise ConfigurationMistakes([f"{where}: {first}: {why}" for why in mistakes])
    return Use(name, options, where)


def use_of(value: Any, where: str) -> Use:
    """
    Read what TOML says: the same text, or a table with ``use`` and the options.

    Raises `ConfigurationMistakes`.
    """
    if isinstance(value, str):
        return parse_use(value, where)
    if not isinstance(value, Mapping):
        raise ConfigurationMistakes([f"{where}: {value!r} is neither table nor text"])
    options = dict(value)
    name = options.pop("use", None)
    if not isinstance(name, str) or not name:
        raise ConfigurationMistakes([f'{where}: no plugin is named by use = "…"'])
    return Use(name, options, where)


def _split(text: str) -> list[str]:
    """Cut at the colons which are not escaped; escapes stay."""
    words = []
    begin = at = 0
    while at < len(text):
        if text[at] == ":":
            words.append(text[begin:at])
            begin = at + 1
        at += 2 if text[at] == "\\" else 1
    return [*words, text[begin:]]


def _read_word(word: str) -> tuple[str, str]:
    match = _NAME_AND_VALUE.fullmatch(word)
    if match is None or not match[1]:
        raise MalformedField("use", f"{word!r} is not option=value")
    return _unescape(match[1]), _unescape(match[2])


def _unescape(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        if not match[1] or match[1] not in r":=\\":
            raise MalformedField("use", rf"a backslash is written \\, not {match[0]}")
        return match[1]

    return _ESCAPED.sub(plain, text)


def _escape(text: str) -> str:
    return _TO_ESCAPE.sub(r"\\\g<0>", text)
