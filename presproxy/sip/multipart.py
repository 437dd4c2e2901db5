"""
Bodies of several parts (RFC 2046 §5.1, RFC 2387).

They are cut and joined as bytes; what a part means is for whoever knows its type.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from presproxy.errors import MalformedDocument, MalformedField
from presproxy.sip import grammar
from presproxy.sip.fields import parse_media_type

#: In one body; chosen: one for each resource of a long list.
MOST_PARTS = 5000
#: Bytes of the header of a part; chosen, as it has three short lines.
_LARGEST_HEAD = 2048
#: Letters of a boundary (RFC 2046 §5.1.1).
_LONGEST_BOUNDARY = 70


@attrs.frozen
class Part:
    """
    One part; ``content_type`` is as written, ``content_id`` without angle brackets.
    """

    content_type: str
    data: bytes
    content_id: str = ""


# --- writing --------------------------------------------------------------------------


def related_type(boundary: str, start: str, type: str) -> str:
    """
    Write the Content-Type of a body whose part ``start``, of this type, is its root.

    Without spaces, and the boundary without quotes: so all clients known read it.
    """
    return f'multipart/related;type="{type}";start={start};boundary={boundary}'


def write_related(parts: Iterable[Part], boundary: str) -> bytes:
    """
    Write a body of these parts, the root first.

    ``boundary`` must be in none of them, so it is a random word.  An empty line ends each
    part, before the line break that belongs to the boundary: the reader in Debian's SIPE
    cuts four bytes off, and with them the end of a document.
    """
    line = f"--{boundary}".encode()
    written: list[bytes] = []
    for part in parts:
        written.append(line)
        written.append(_head(part))
        written.append(part.data)
        written.append(b"")
    written.append(line + b"--\r\n")
    return b"\r\n".join(written)


def _head(part: Part) -> bytes:
    lines = ["Content-Transfer-Encoding: binary"]
    if part.content_id:
        lines.append(f"Content-ID: {part.content_id}")
    lines.append(f"Content-Type: {part.content_type}")
    for line in lines:
        if not line.isprintable():
            raise MalformedField("Content-ID", f"{line[:60]!r} cannot be written")
    return "\r\n".join([*lines, ""]).encode()


# --- reading --------------------------------------------------------------------------


def read_multipart(
    data: bytes, content_type: str, most: int = MOST_PARTS
) -> list[Part]:
    """
    Cut a body into its parts; ``content_type`` is the value of the field.

    The line break before a boundary belongs to the boundary, any other to the part.
    Raises `MalformedDocument`.
    """
    delimiter = b"\r\n--" + _boundary(content_type)
    # One that stands at the very beginning has its line break, too, by this.
    pieces = (b"\r\n" + data).split(delimiter, most + 2)
    if len(pieces) > most + 2:
        raise MalformedDocument(f"over {most} parts")
    parts: list[Part] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return parts
        parts.append(_read_part(piece, len(parts) + 1))
    raise MalformedDocument(f"after part {len(parts)}: no boundary ends the body")


def _boundary(content_type: str) -> bytes:
    try:
        media = parse_media_type(content_type)
    except MalformedField as error:
        raise MalformedDocument(str(error)) from None
    boundary = media.parameter("boundary") or ""
    if not media.type.startswith("multipart/"):
        raise MalformedDocument(f"{media.type[:60]} is not multipart")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise MalformedDocument(
            f"the boundary has {len(boundary)} letters, not 1 to {_LONGEST_BOUNDARY}"
        )
    return boundary.encode("utf-8", "surrogateescape")


def _read_part(piece: bytes, number: int) -> Part:
    """Read what stands between two boundaries, from the end of the first one's line."""
    padding, found, rest = piece.partition(b"\r\n")
    if not found or padding.strip(b" \t"):
        raise MalformedDocument(f"part {number}: its boundary does not end a line")
    if rest.startswith(b"\r\n"):
        head, content = b"", rest[2:]
    else:
        head, found, content = rest[: _LARGEST_HEAD + 4].partition(b"\r\n\r\n")
        if not found:
            raise MalformedDocument(f"part {number}: no empty line ends its header")
        content = rest[len(head) + 4 :]
    fields = _read_head(head, number)
    encoding = fields.get("content-transfer-encoding", "binary").lower()
    if encoding not in ("binary", "8bit", "7bit"):
        raise MalformedDocument(f"part {number}: {encoding[:40]!r} is not decoded here")
    content_id = fields.get("content-id", "").removeprefix("<").removesuffix(">")
    return Part(fields.get("content-type", "text/plain"), content, content_id)


def _read_head(head: bytes, number: int) -> dict[str, str]:
    """Give the fields of a part's header, of each the first."""
    try:
        text = head.decode()
    except UnicodeDecodeError:
        raise MalformedDocument(f"part {number}: its header is not in UTF-8") from None
    fields: dict[str, str] = {}
    for line in text.split("\r\n") if text else ():
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if not colon or not grammar.is_token(name):
            raise MalformedDocument(f"part {number}: {line[:60]!r} is no field")
        fields.setdefault(name.lower(), value.strip(" \t"))
    return fields
