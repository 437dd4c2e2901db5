"""Moments as XML documents have them (RFC 3339): UTC with a Z when we write."""

from __future__ import annotations

from datetime import UTC, datetime

#: The moments that four digits of a year can tell.
_FIRST, _LAST = -62135596800.0, 253402300799.0


def write_moment(seconds: float) -> str:
    """Write a moment on the wall clock, down to the second."""
    seconds = min(max(seconds, _FIRST), _LAST)
    at = datetime.fromtimestamp(int(seconds), UTC)
    return at.isoformat().replace("+00:00", "Z")


def read_moment(text: str) -> float:
    """
    Read a moment; one without an offset is taken for UTC.

    Raises ValueError.
    """
    at = datetime.fromisoformat(text.strip())
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
