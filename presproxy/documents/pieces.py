"""
What presence documents are composed of: elements, written already.

Each knows its place, so that composing is sorting and joining.
"""

from __future__ import annotations

from enum import IntEnum

import attrs

from presproxy.documents.fragments import with_id

#: Stands in a piece where the presentity's address is to be; no XML can hold it.
ADDRESS = b"\0"


class Place(IntEnum):
    """
    Where an element stands in a document, and among tuples which decides the state.

    That is the schema's order; an open tuple comes first, and one that says nothing of
    it before a closed one.
    """

    OPEN = 0
    UNKNOWN = 1
    CLOSED = 2
    NOTE = 3
    PERSON = 4
    DEVICE = 5
    OTHER = 6


#: The last place of a tuple.
LAST_TUPLE = Place.CLOSED
_WITHOUT_ID = (Place.NOTE, Place.OTHER)


# Not frozen, as some are made for every document: that takes three times as long.
@attrs.define(unsafe_hash=True)
class Piece:
    """One element; the first attribute of a tuple, a person or a device is its id."""

    place: Place
    data: bytes

    @property
    def has_id(self) -> bool:
        """Whether it has an id, which must be its own in a document."""
        return self.place not in _WITHOUT_ID

    @property
    def id(self) -> bytes:
        """Its id, as it is written."""
        return self.data.split(b'"', 2)[1]

    @property
    def key(self) -> bytes:
        """What no two pieces of a document share: the id, or all of it."""
        if self.place in _WITHOUT_ID:
            return self.data
        return self.data.split(b'"', 2)[1]

    def named(self, id: bytes) -> Piece:
        """Give it another id."""
        return attrs.evolve(self, data=with_id(self.data, self.id, id))
