"""
What of a trace is wanted, in words: ``user:alice method:NOTIFY -transport:udp``.

A figure is shown whole if one of its messages fits all the words, so that what is found
keeps what belongs to it.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from presproxy.errors import MalformedField
from presproxy.tracing.figures import Figure
from presproxy.tracing.message import Traced

#: The longest filter, in characters, and the most words of one.  Chosen: far more than
#: anybody types.
LONGEST, MOST_WORDS = 500, 20

_Fits = Callable[[Figure, Traced, str], bool]


def _user(figure: Figure, traced: Traced, value: str) -> bool:
    return any(
        _is_user(address, value)
        for address in (traced.sender, traced.receiver, figure.about)
    )


def _is_user(address: str, value: str) -> bool:
    address = address.partition(":")[2].lower()
    return address == value or address.partition("@")[0] == value


def _status(figure: Figure, traced: Traced, value: str) -> bool:
    if traced.status is None:
        return False
    status = str(traced.status)
    return status == value or (value[1:] == "xx" and status[0] == value[0])


def _figure(figure: Figure, traced: Traced, value: str) -> bool:
    return value in (figure.id, figure.kind.value)


_WORDS: dict[str, _Fits] = {
    "user": _user,
    "call-id": lambda figure, traced, value: traced.call_id.lower() == value,
    "method": lambda figure, traced, value: traced.method.lower() == value,
    "status": _status,
    "transport": lambda figure, traced, value: traced.transport.lower() == value,
    "package": lambda figure, traced, value: traced.package == value,
    "figure": _figure,
    "node": lambda figure, traced, value: True,
}

#: The words there are, for whoever explains them.
NAMES = tuple(_WORDS)


@attrs.frozen
class _Word:
    fits: _Fits
    value: str

    def is_in(self, figure: Figure, traced: Traced) -> bool:
        return self.fits(figure, traced, self.value)


@attrs.frozen
class Filter:
    """
    What a figure must have: a message that fits all words, and none that fits an unwanted.

    With ``errors`` only those are wanted in which something went wrong.
    """

    words: tuple[_Word, ...] = ()
    unwanted: tuple[_Word, ...] = ()
    errors: bool = False

    def lets(self, figure: Figure) -> bool:
        """Whether a figure is to be shown."""
        if self.errors and not figure.has_error:
            return False
        messages, words = figure.messages, self.words
        if words and not any(
            all(word.is_in(figure, traced) for word in words) for traced in messages
        ):
            return False
        return not any(
            word.is_in(figure, traced) for word in self.unwanted for traced in messages
        )


def parse_filter(text: str, *, errors: bool = False, node: str = "") -> Filter:
    """
    Read a filter; ``node`` is the name of this one.

    A word without a colon is looked for in the start-line.  What begins with ``-`` is
    unwanted.  Raises `MalformedField` for a name that means nothing here.
    """
    if len(text) > LONGEST:
        raise MalformedField("q", f"a filter has at most {LONGEST} characters")
    written = text.split()
    if len(written) > MOST_WORDS:
        raise MalformedField("q", f"a filter has at most {MOST_WORDS} words")
    return Filter(
        tuple(_word(each, node) for each in written if not _is_unwanted(each)),
        tuple(_word(each[1:], node) for each in written if _is_unwanted(each)),
        errors,
    )


def _is_unwanted(text: str) -> bool:
    return text.startswith("-") and len(text) > 1


def _word(text: str, node: str) -> _Word:
    name, colon, value = text.partition(":")
    name = name.lower()
    if not colon or name in ("sip", "sips", "tel"):
        return _Word(_says, text.lower())
    fits = _WORDS.get(name)
    if fits is None:
        known = ", ".join(f"{each}:" for each in NAMES)
        raise MalformedField("q", f"there is no {name}: but {known}")
    if not value:
        raise MalformedField("q", f"{name}: names nothing")
    if name == "node":
        is_here = value == node
        return _Word(lambda figure, traced, value: is_here, value)
    return _Word(fits, value.lower())


def _says(figure: Figure, traced: Traced, value: str) -> bool:
    return value in traced.start.lower()
