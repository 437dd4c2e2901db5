"""
Message summaries (RFC 3842 §5): whether messages wait in a mailbox, and how many.

The headers of single messages that may follow a summary are passed over: they tell who
called, and no lamp shows them.
"""

from __future__ import annotations

import re

import attrs

from presproxy.errors import MalformedDocument

CONTENT_TYPE = "application/simple-message-summary"

#: Chosen; what PBXs send is some hundred octets.
_LARGEST = 16384
_MOST_LETTERS = 1024

_WAITING, _ACCOUNT = "messages-waiting", "message-account"

#: The classes of messages there are (RFC 3842 §5.2), by their names in lower case.
_CLASSES = {
    f"{name}-message".lower(): f"{name}-Message"
    for name in ("Voice", "Video", "Fax", "Pager", "Multimedia", "Text", "None")
}
_NUMBERS = re.compile(
    r"(\d{1,10})\s*/\s*(\d{1,10})(?:\s*\(\s*(\d{1,10})\s*/\s*(\d{1,10})\s*\))?",
    re.ASCII,
)


@attrs.frozen
class Count:
    """
    How many messages of a class there are, new and old.

    ``urgent`` is how many of them are, None where nothing is said of that.
    """

    name: str
    new: int
    old: int
    urgent: tuple[int, int] | None = None


@attrs.frozen
class MessageSummary:
    """What a mailbox holds; ``account`` is the URI to fetch it from, or empty."""

    is_waiting: bool = False
    account: str = ""
    counts: tuple[Count, ...] = ()


def write(summary: MessageSummary) -> bytes:
    """Write a summary; readers want to know first whether messages wait."""
    lines = [f"Messages-Waiting: {'yes' if summary.is_waiting else 'no'}"]
    if summary.account:
        lines.append(f"Message-Account: {summary.account}")
    for count in summary.counts:
        urgent = "" if count.urgent is None else " ({}/{})".format(*count.urgent)
        lines.append(f"{count.name}: {count.new}/{count.old}{urgent}")
    return "".join([f"{line}\r\n" for line in lines]).encode()


def read(data: bytes) -> MessageSummary:
    """
    Read a summary; raises `MalformedDocument`.

    Its lines may come in any order, end in a mere LF, and be of any case; those that are
    not known are passed over.
    """
    if len(data) > _LARGEST:
        raise MalformedDocument(f"over {_LARGEST} octets")
    fields = _fields(data)
    waiting = fields.get(_WAITING)
    if waiting is None:
        raise MalformedDocument("no Messages-Waiting")
    if waiting.lower() not in ("yes", "no"):
        raise MalformedDocument(f"Messages-Waiting is {waiting[:40]!r}, not yes or no")
    return MessageSummary(
        waiting.lower() == "yes",
        fields.get(_ACCOUNT, ""),
        tuple(
            _count(name, fields[lower])
            for lower, name in _CLASSES.items()
            if lower in fields
        ),
    )


def _fields(data: bytes) -> dict[str, str]:
    """Give the values of the lines before the first empty one, by lower-case name."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise MalformedDocument("not in UTF-8") from None
    fields: dict[str, str] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if not colon:
            raise MalformedDocument(f"line {number} has no colon")
        if len(value) > _MOST_LETTERS or not value.strip().isprintable():
            raise MalformedDocument(f"line {number} is too long, or no text")
        name = name.strip().lower()
        if name in fields:
            raise MalformedDocument(f"line {number}: {name[:40]} comes twice")
        fields[name] = value.strip()
    return fields


def _count(name: str, value: str) -> Count:
    numbers = _NUMBERS.fullmatch(value)
    if numbers is None:
        raise MalformedDocument(f"{name} is {value[:40]!r}, not new/old (new/old)")
    new, old, *urgent = numbers.groups()
    return Count(
        name,
        int(new),
        int(old),
        None if urgent[0] is None else (int(urgent[0]), int(urgent[1])),
    )
