"""
What is passed to a server behind, and how it is known again when it comes from there.

All ids of it carry a mark, which servers keep when they compose one document of many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from presproxy.documents.dialoginfo import Dialog, DialogInfo
from presproxy.documents.pidf import PresenceDocument
from presproxy.documents.pieces import Piece


def marked_pieces(pieces: Iterable[Piece], mark: str) -> Sequence[Piece]:
    """Mark the pieces of a presence document; those that are marked already are left out."""
    sign = mark.encode()
    return [
        piece.named(b"%b-%b" % (sign, piece.id)) if piece.has_id else piece
        for piece in pieces
        if not _has(piece, sign)
    ]


def other_pieces(document: PresenceDocument, mark: str) -> PresenceDocument | None:
    """
    Leave out what has the mark; None if nothing is left.

    What has no id is left out with it: nobody knows whose it is.
    """
    sign = mark.encode()
    if not any(_has(piece, sign) for piece in document.pieces):
        return document
    rest = [
        piece for piece in document.pieces if piece.has_id and not _has(piece, sign)
    ]
    return PresenceDocument(tuple(rest)) if rest else None


def marked_dialogs(dialogs: Iterable[Dialog], mark: str) -> tuple[Dialog, ...]:
    """Mark calls; those that are marked already are left out."""
    return tuple(
        attrs.evolve(each, id=f"{mark}-{each.id}")
        for each in dialogs
        if mark not in each.id
    )


def other_dialogs(document: DialogInfo, mark: str) -> DialogInfo | None:
    """Leave out what has the mark; None if nothing is left of what was there."""
    rest = tuple(each for each in document.dialogs if mark not in each.id)
    if document.dialogs and not rest:
        return None
    return attrs.evolve(document, dialogs=rest)


def _has(piece: Piece, sign: bytes) -> bool:
    return piece.has_id and sign in piece.id
