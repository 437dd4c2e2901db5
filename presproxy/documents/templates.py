"""
Reading documents that are like one read before, but for their words.

A user agent writes the same document each time; what differs are ids, notes and moments.
So a document is taken apart into words and the skeleton they stand in.  A skeleton that
comes again is read once, with marks where the words were, and becomes a template that has
only to be filled with the words of each document that has it.  What is the same in all of
them is in memory once.

A word is whatever any other could stand for, as far as a reader can tell: the whole text
between two tags, or an ``id``, without references and without white space at its ends.
``open``, ``closed`` and ``?`` are none, as they mean something in ``basic``, nor is the
scheme of a SIP contact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import count
from operator import itemgetter
from typing import Any, Generic, TypeVar

import attrs

from presproxy.errors import MalformedDocument

_T = TypeVar("_T")

#: Makes a value of words.
_Fill = Callable[[Sequence[bytes]], Any]

#: A longer one is read each time.  With as many skeletons as are kept, these are 1 MB.
_LONGEST = 4096
#: Chosen: some versions of some dozens of user agents, in their states.
_MOST = 256

# Each begins with a literal, as the search for one is fast; then comes the word.
_TEXT = re.compile(
    rb"(>(?![\x00-\x20<])(?:sips?:|pres:)?)(?!(?i:sips?:|pres:|(?:open|closed|\?)<))"
    rb"([^\x00-\x1f<>&]++)(?=<)(?<! )"
)
_ID = re.compile(
    rb'(="(?:(?<= id=")|(?<= entity="))(?! ))([^\x00-\x1f<>&"]++)(?=")(?<! )'
)
#: What stands for them in a skeleton; no XML can hold it.
_TEXT_GAP, _ID_GAP = b"\0", b"\1"
_QUOTED_GAP = re.compile(b"'[^'<\1]*+\1[^'<]*+'")

#: Stands around the number of a word while a skeleton is read.  It is for private use,
#: and nothing that a reader would alter.
_PRIVATE = "\uf8ff"
_MARK = re.compile(f"{_PRIVATE}([0-9]+){_PRIVATE}".encode())


@attrs.define(eq=False)
class _Template:
    """
    What is known of a skeleton.

    ``fill`` is None at the first meeting, as many come only once and making one takes as
    long as reading two documents; and later where words cannot be exchanged.
    """

    meetings: int = 0
    fill: _Fill | None = None


class Templates(Generic[_T]):
    """
    A reader which gives what ``read`` gives, and takes less time for it.

    ``read`` takes UTF-8 and makes of it values of attrs, tuples and bytes.
    """

    def __init__(self, read: Callable[[bytes], _T]) -> None:
        self._read = read
        self._template = lru_cache(_MOST)(lambda skeleton: _Template())

    def read(self, data: bytes) -> _T:
        """Read one document; raises what ``read`` raises."""
        if len(data) > _LONGEST or not _is_plain(data):
            return self._read(data)
        texts, rest = _words(_TEXT, _TEXT_GAP, data)
        ids, skeleton = _words(_ID, _ID_GAP, rest)
        template = self._template(skeleton)
        if template.meetings < 2:
            self._meet(template, skeleton)
        if template.fill is None:
            return self._read(data)
        value: _T = template.fill(texts + ids)
        return value

    def _meet(self, template: _Template, skeleton: bytes) -> None:
        template.meetings += 1
        if template.meetings == 2 and _is_exchangeable(skeleton):
            with suppress(MalformedDocument):
                template.fill = self._make_fill(skeleton)

    def _make_fill(self, skeleton: bytes) -> _Fill:
        numbers = count()
        for gap in (_TEXT_GAP, _ID_GAP):
            skeleton = re.sub(gap, lambda _: _mark(next(numbers)), skeleton)
        value = self._read(skeleton)
        return _filling(value) or (lambda words: value)


def _is_plain(data: bytes) -> bool:
    """Say whether octets tell words from all else, and all words are characters."""
    if b"\0" in data or b"\1" in data or b"]]>" in data:
        return False
    if data.isascii():
        return True
    try:
        text = data.decode()
    except UnicodeError:
        return False
    return not any(other in text for other in (_PRIVATE, "\ufffe", "\uffff"))


def _words(
    kind: re.Pattern[bytes], gap: bytes, data: bytes
) -> tuple[list[bytes], bytes]:
    """Give the words of one kind, and the rest with gaps in their places."""
    parts = kind.split(data)
    words = parts[2::3]
    parts[2::3] = [gap] * len(words)
    return words, b"".join(parts)


def _is_exchangeable(skeleton: bytes) -> bool:
    """
    Say whether each gap is where it seems to be.

    In a comment it could hold what ends the comment; between single quotes an id may be
    part of another attribute, such as a namespace; and references can spell marks.
    """
    return not (
        b"<!" in skeleton
        or b"<?" in skeleton[1:]
        or b"&#" in skeleton
        or _QUOTED_GAP.search(skeleton)
    )


def _mark(number: int) -> bytes:
    return f"{_PRIVATE}{number}{_PRIVATE}".encode()


def _filling(value: Any) -> _Fill | None:
    """Give what makes a value like this one of words, None if there is no mark in it."""
    if isinstance(value, bytes):
        return _filling_of_bytes(value)
    if isinstance(value, tuple):
        return _filling_of_parts(getattr(value, "_make", tuple), value)
    if attrs.has(type(value)):
        names = [field.name for field in attrs.fields(type(value)) if field.init]
        parts = [getattr(value, name) for name in names]
        return _filling_of_parts(lambda parts: type(value)(*parts), parts)
    return None


def _filling_of_bytes(value: bytes) -> _Fill | None:
    between = _MARK.split(value)
    if len(between) == 1:
        return None
    form = b"%b".join([each.replace(b"%", b"%%") for each in between[::2]])
    choose = itemgetter(*map(int, between[1::2]))
    return lambda words: form % choose(words)


def _filling_of_parts(
    make: Callable[[Sequence[Any]], Any], parts: Sequence[Any]
) -> _Fill | None:
    fills = [(place, _filling(part)) for place, part in enumerate(parts)]
    changing = [(place, fill) for place, fill in fills if fill is not None]
    if not changing:
        return None

    def fill(words: Sequence[bytes]) -> Any:
        filled = list(parts)
        for place, fill_part in changing:
            filled[place] = fill_part(words)
        return make(filled)

    return fill
