"""
The head of a message: its start-line and the lines of its header.

What is bounded, folded, doubled or not to be told apart is found here, before anybody
asks what a field means.  And the other way: lines become bytes, and nothing which is
written into one line comes out as two.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

import attrs

from presproxy.errors import MalformedField, PresproxyError
from presproxy.sip import grammar
from presproxy.sip.header import (
    COMPACT_FORMS,
    LONG_NAMES,
    SPELLINGS,
    canonical,
    check_line,
)

#: Bytes of start-line and header.  Chosen: four times what the largest request of a
#: phone behind three proxies needs.
LARGEST_HEAD = 16 * 1024
#: Lines of a header, folded ones counted singly.  Chosen as the bytes were.
MOST_LINES = 128

MANDATORY = ("via", "from", "to", "call-id", "cseq")
#: A second line of these makes a message ambiguous (RFC 4475 §3.3.8).
_SINGLE = (
    "from",
    "to",
    "call-id",
    "cseq",
    "max-forwards",
    "content-length",
    "content-type",
)

#: The values of the lines of each field, by its long name in lower case.  What is
#: around a value is not stripped.
Fields = dict[str, list[str]]

_fold = re.compile(r"\r\n[ \t]+")


@attrs.frozen(eq=False)
class MalformedHead(PresproxyError):
    """A head which cannot be read, and the status to answer it with."""

    why: str
    status: int = 400

    def __str__(self) -> str:
        return self.why


def read_head(data: bytes) -> tuple[list[str], Fields, int]:
    """
    Cut the head into lines.

    Answers the lines unfolded, the start-line first; their values by name; and where the
    body begins.  Raises `MalformedHead`.
    """
    end = data.find(b"\r\n\r\n", 0, LARGEST_HEAD + 4)
    if end < 0:
        if len(data) > LARGEST_HEAD:
            raise MalformedHead(f"the head has more than {LARGEST_HEAD} bytes", 513)
        raise MalformedHead("no blank line ends the head")
    text = data[:end].decode("utf-8", "surrogateescape")
    lines = text.split("\r\n")
    if len(lines) > MOST_LINES + 1:
        raise MalformedHead(f"the header has more than {MOST_LINES} lines", 513)
    fields = index(lines)
    if fields is None:
        lines = unfold(text)
        fields = index(lines)
        if fields is None:
            raise MalformedHead("a line of the header has no name")
    _check(lines, fields)
    return lines, fields, end + 4


def unfold(text: str) -> list[str]:
    """Cut text into lines, the folded ones joined (RFC 3261 §7.3.1)."""
    return _fold.sub(" ", text).split("\r\n")


def index(lines: list[str]) -> Fields | None:
    """
    Give the values of all lines but the first by their names.

    None if a line has no name that can be read: it may be the rest of a folded one.
    """
    fields: Fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        try:
            key = SPELLINGS[name]
        except KeyError:
            key = _key(line)
            if not key:
                return None
        if key in fields:
            fields[key].append(value)
        else:
            fields[key] = [value]
    return fields


def _key(line: str) -> str:
    name, colon, _ = line.partition(":")
    name = name.rstrip(" \t")
    if not colon or not grammar.is_token(name):
        return ""
    name = name.lower()
    return COMPACT_FORMS.get(name, name)


def _check(lines: list[str], fields: Fields) -> None:
    joined = "".join(lines)
    if "\r" in joined or "\n" in joined or "\0" in joined:
        raise MalformedHead("a CR, LF or NUL stands alone in the header")
    for name in MANDATORY:
        if name not in fields:
            raise MalformedHead(f"the field {name} is missing")
    if len(fields) != len(lines) - 1:
        for name in _SINGLE:
            if len(fields.get(name, ())) > 1:
                raise MalformedHead(f"the field {name} is there twice")


def copied(lines: list[str], fields: Fields, without: Container[str]) -> list[str]:
    """
    Give the lines of a header as they came, in their order, but those of some fields.

    ``without`` has their names in the form compared.  Compact names are written out, as
    there are user agents (Lync's) which know no others.  A Via is written as it stands in
    ``fields``, where it may have been stamped.
    """
    kept = []
    vias = iter(fields.get("via", ()))
    for line in lines[1:]:
        name = line.partition(":")[0]
        # A compact name is found as well, but is no key of its own.
        key = SPELLINGS.get(name)
        if key is None or len(name) == 1:
            key, line = _written_out(line)
        if key in without:
            continue
        if key == "via":
            line = f"Via: {next(vias).strip()}"
        kept.append(line)
    return kept


def _written_out(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    name = name.rstrip(" \t")
    value = value.strip(" \t")
    return canonical(name), f"{LONG_NAMES.get(name.lower(), name)}: {value}"


def write_message(
    lines: list[str], fields: Iterable[tuple[str, str]], body: bytes
) -> bytes:
    """
    Write a whole message: ``lines``, then ``fields``, then how long the body is.

    Raises `MalformedField` for what cannot be written into one line.
    """
    for name, value in fields:
        lines.append(f"{name}: {value}")
    # One look at all of it costs less than one at each line.
    joined = "".join(lines)
    if "\r" in joined or "\n" in joined or "\0" in joined:
        _refuse(lines)
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    head = "\r\n".join(lines)
    try:
        return head.encode("utf-8", "surrogateescape") + body
    except UnicodeEncodeError as error:
        raise MalformedField("header", "a character cannot be written") from error


def _refuse(lines: list[str]) -> None:
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        check_line(name, value)
    raise MalformedField("start-line", "a line break or NUL cannot be written")
