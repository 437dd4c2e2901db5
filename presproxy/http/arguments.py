"""What stands behind the question mark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.web.iweb import IRequest

from presproxy.http.answers import Wrong

#: The most digits of a number.
_DIGITS = 10


def text(request: Any, name: str) -> str | None:
    """Give the first value of an argument, if it is there."""
    values: Sequence[bytes] = request.args.get(name.encode(), ())
    return values[0].decode("utf-8", "replace") if values else None


def number(request: IRequest, name: str, default: int, least: int, most: int) -> int:
    """
    Give a number; one above ``most`` is ``most``.

    Raises `Wrong` for what is none, or below ``least``.
    """
    found = text(request, name)
    if found is None:
        return default
    is_number = found.isascii() and found.isdigit() and len(found) <= _DIGITS
    if is_number and least <= int(found):
        return min(int(found), most)
    raise Wrong(400, name, f"{name} is a number from {least} to {most}")


def flag(request: IRequest, name: str) -> bool:
    """Say whether an argument is 1; raises `Wrong` for what is neither 0 nor 1."""
    found = text(request, name)
    if found in (None, "0", "1"):
        return found == "1"
    raise Wrong(400, name, f"{name} is 0 or 1")
