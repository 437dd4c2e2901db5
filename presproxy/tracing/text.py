"""A trace as text: each message as it was on the wire, with an arrow above it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import attrs


@attrs.frozen
class Line:
    """
    What stands above a message: when, on the wall clock, between whom, and in what figure.

    ``is_out`` says whether ``ours`` sent it.
    """

    at: float
    ours: str
    theirs: str
    is_out: bool
    transport: str
    figure: str
    data: bytes


def write_text(lines: Iterable[Line]) -> bytes:
    """Write the messages, the titles of figures where one begins."""
    return b"\n".join(_written(each) for each in lines)


def _written(line: Line) -> bytes:
    at = datetime.fromtimestamp(line.at, UTC).isoformat(timespec="microseconds")
    arrow = "->" if line.is_out else "<-"
    head = (
        f"{at.replace('+00:00', 'Z')}  {line.ours} {arrow} {line.theirs}"
        f"  {line.transport}  {line.figure}"
    )
    rule = "-" * min(len(head), 88)
    body = line.data.replace(b"\r\n", b"\n").rstrip(b"\n")
    return b"%b\n%b\n%b\n" % (head.encode(), rule.encode(), body)
