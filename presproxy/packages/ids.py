"""Ids of which no two are the same, for pieces of several documents in one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast
from zlib import crc32

from presproxy.documents.pidf import PresenceDocument
from presproxy.documents.pieces import Piece
from presproxy.model.publication import Publication


def told_apart(
    pieces: Sequence[Piece], publications: Iterable[Publication]
) -> list[Piece]:
    """Give other ids where one is there twice; what has none is shown once."""
    ids = iter(_unique([piece for piece in pieces if piece.has_id], publications))
    apart = [piece.named(next(ids)) if piece.has_id else piece for piece in pieces]
    return list({piece.key: piece for piece in apart}.values())


def _unique(
    pieces: Sequence[Piece], publications: Iterable[Publication]
) -> list[bytes]:
    """
    Give ids of which no two are the same: XML has one space for all ids of a document.

    Where two publications use the same id, the one with the lesser key keeps it and the
    other's gets a mark made from its key: the order of modification does not count, so
    that no id goes from one to the other when the other publishes again.
    """
    keys: dict[int, str] = {}
    for publication in publications:
        document = cast(PresenceDocument, publication.document)
        for each in document.pieces:
            keys[id(each)] = publication.key
    # A merged person is in nobody's document.
    owners = [keys.get(id(each), "") for each in pieces]
    ids = [each.id for each in pieces]
    used: set[bytes] = set()
    marks: dict[tuple[str, bytes], int] = {}
    for place in sorted(range(len(pieces)), key=lambda place: (owners[place], place)):
        key, published = owners[place], ids[place]
        while ids[place] in used:
            mark = marks.get((key, published), crc32(key.encode()))
            marks[key, published] = mark + 1
            ids[place] = b"%b-%08x" % (published, mark)
        used.add(ids[place])
    return ids
