"""What is seen in Lync's terms, shown as pieces of a presence document."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from presproxy.documents.datamodel import Person
from presproxy.documents.lync.mapping import write_person, write_tuple
from presproxy.documents.pieces import LAST_TUPLE, Piece
from presproxy.packages.seen import Seen, is_offline

_TUPLE, _PERSON = b"aggregate", b"person"
#: As where nothing is published at all: nobody can tell one from the other.
_NOBODY = b"nobody"


def pieces_of(seen: Seen, contact: bytes, tuples: int) -> Sequence[Piece]:
    """
    Give the pieces of the document that shows what is seen.

    The first tuple and the only person are the aggregate's.  What was published as a
    document comes after it, at most ``tuples`` in all, while somebody is there: who hides
    on one endpoint is seen on none.
    """
    if is_offline(seen.state):
        return (write_tuple(seen.state, seen.note, _NOBODY, contact),)
    shown = write_tuple(seen.state, seen.note, _free(_TUPLE, seen.pieces), contact)
    own = [each for each in seen.pieces if not isinstance(each, Person)]
    services = [each for each in own if each.place <= LAST_TUPLE]
    persons = [each for each in seen.pieces if isinstance(each, Person)]
    person = write_person(
        seen.state,
        seen.note,
        _free(_PERSON, own),
        [other for each in persons[:1] for other in each.traits.characteristics],
    )
    pieces = [shown, *services[: tuples - 1], *own[len(services) :]]
    pieces += [person] if person is not None else []
    return sorted(pieces, key=lambda each: each.place)


def _free(id: bytes, pieces: Collection[Piece]) -> bytes:
    """Give an id that no piece has."""
    used = {each.id for each in pieces if each.has_id}
    while id in used:
        id += b"-"
    return id
