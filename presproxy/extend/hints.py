"""Words for whoever made a mistake."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from presproxy.errors import PresproxyError


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Give a hint to append to a complaint about ``name``, or nothing."""
    close = get_close_matches(name, tuple(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def reason(error: BaseException) -> str:
    """Say in one line what went wrong; our own errors speak for themselves."""
    text = " ".join(str(error).split())
    if isinstance(error, PresproxyError) and text:
        return text
    name = type(error).__name__
    return f"{name}: {text}" if text else name
