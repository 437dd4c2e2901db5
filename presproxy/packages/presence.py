"""
The event package ``presence`` (RFC 3856): PIDF documents, composed into one.

What watchers of different makes can read decides the shape of a composed document: the
tuple that decides the state comes first, there are few tuples and one person, and a
contact is the presentity's own address.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Literal, cast
from zlib import crc32

import attrs
from attrs.validators import ge
from zope.interface import implementer

from presproxy.documents import pidf
from presproxy.documents.datamodel import Person, merged
from presproxy.documents.fragments import escaped_attribute
from presproxy.documents.pidf import PresenceDocument
from presproxy.documents.pieces import ADDRESS, LAST_TUPLE, Piece, Place
from presproxy.documents.templates import Templates
from presproxy.documents.xml import Limits, plain
from presproxy.extend.maker import option
from presproxy.interfaces import Feed, IEventPackage, Material
from presproxy.model.decision import FULL, View
from presproxy.model.notice import Body
from presproxy.model.publication import Publication
from presproxy.packages.intervals import Intervals
from presproxy.sip.uri import AddressOfRecord

_CLOSED = b'<tuple id="nobody"><status><basic>closed</basic></status>%b</tuple>'
#: What is shown where no tuple is published, with and without a contact.
_NOBODY = Piece(Place.CLOSED, _CLOSED % (b"<contact>%b</contact>" % ADDRESS))
_NOBODY_NOWHERE = Piece(Place.CLOSED, _CLOSED % b"")

_place = attrgetter("place")


@attrs.define(unsafe_hash=True)
class PresenceState:
    """
    The presence of one presentity: all that stands in its document, in order.

    Equal ones give the same bytes.
    """

    presentity: AddressOfRecord
    pieces: Sequence[Piece]


@implementer(IEventPackage)
@attrs.frozen
class PresencePackage(Intervals):
    """Presence as PIDF (RFC 3856, RFC 3863)."""

    largest: int = option(
        "The most octets of a published document.", default=65536, validator=ge(1)
    )
    #: pjsip reads no more than eight.
    tuples: int = option(
        "The most tuples in a composed document.", default=8, validator=ge(1)
    )
    #: Jitsi passes over a tuple with another contact, and takes the buddy for offline;
    #: Asterisk publishes its subscriber's address there.
    contact: Literal["address", "published", "none"] = option(
        "What a tuple's SIP contact becomes: the presentity's own address, what was "
        "published, or none.",
        default="address",
    )
    persons: Literal["merged", "latest", "all"] = option(
        "What becomes of several publications' persons: one merged, the latest, or all.",
        default="merged",
    )
    busy: bool = option(
        "Say busy beside on-the-phone, for watchers that know only busy and away.",
        default=False,
    )
    limits: Limits = attrs.field(init=False, eq=False, repr=False)
    _documents: Templates[PresenceDocument] = attrs.field(
        init=False, eq=False, repr=False
    )

    name = "presence"
    produces = (pidf.CONTENT_TYPE,)
    accepts = frozenset({pidf.CONTENT_TYPE})
    feeds = Feed.PUBLICATIONS

    @limits.default
    def _limits(self) -> Limits:
        return Limits(octets=self.largest)

    @_documents.default
    def _templates(self) -> Templates[PresenceDocument]:
        return Templates(self._read)

    def parse(self, content_type: str, data: bytes) -> PresenceDocument:
        """Read a published PIDF document; raises `MalformedDocument`."""
        return self._documents.read(plain(data, self.limits))

    def supersedes(self, document: PresenceDocument, earlier: PresenceDocument) -> bool:
        """
        Say whether both tell of the same tuples, or, without any, of the same persons.

        libpurple never names an entity-tag, and gives its one tuple the same id always.
        """
        return _subjects(document) == _subjects(earlier)

    def compose(self, material: Material) -> PresenceState:
        """
        Join all publications: open tuples first, then the latest modified first.

        A document always has a tuple: where none is published, nobody is at home.
        """
        publications = material.publications
        if len(publications) == 1:
            document = cast(PresenceDocument, publications[0].document)
            if document.is_plain and self._is_enough(document.pieces):
                return PresenceState(material.presentity, document.pieces)
        pieces = self._sorted(publications)
        self._make_one_of_persons(pieces)
        if len({piece.key for piece in pieces}) < len(pieces):
            pieces = _told_apart(pieces, publications)
        return PresenceState(material.presentity, tuple(pieces))

    def narrow(self, state: PresenceState, view: View) -> PresenceState:
        """Show all in the full view, and nobody at home in every other."""
        return state if view == FULL else self.neutral(state.presentity)

    def neutral(self, presentity: AddressOfRecord) -> PresenceState:
        """Show what there is without any publication: one closed tuple."""
        return PresenceState(presentity, (self._nobody,))

    def render(self, state: PresenceState, content_type: str) -> Body:
        """Write the PIDF document, in the order of its schema."""
        address = escaped_attribute(state.presentity).encode()
        return Body(pidf.CONTENT_TYPE, pidf.write(address, state.pieces))

    @property
    def _nobody(self) -> Piece:
        return _NOBODY if self.contact == "address" else _NOBODY_NOWHERE

    def _read(self, data: bytes) -> PresenceDocument:
        document = pidf.read_plain(data, self.limits, self.contact)
        return _saying_busy(document) if self.busy else document

    def _is_enough(self, pieces: Sequence[Piece]) -> bool:
        """Say whether there are tuples, but not too many."""
        if not pieces or pieces[0].place > LAST_TUPLE:
            return False
        most = self.tuples
        return len(pieces) <= most or pieces[most].place > LAST_TUPLE

    def _sorted(self, publications: Iterable[Publication]) -> list[Piece]:
        """Give the pieces of all, with a tuple at least and as many as wanted."""
        pieces: list[Piece] = []
        for publication in publications:
            pieces += cast(PresenceDocument, publication.document).pieces
        pieces.sort(key=_place)
        tuples = bisect_right(pieces, LAST_TUPLE, key=_place)
        if not tuples:
            pieces.insert(0, self._nobody)
        elif tuples > self.tuples:
            del pieces[self.tuples : tuples]
        return pieces

    def _make_one_of_persons(self, pieces: list[Piece]) -> None:
        """Make of several publications' persons what the options want."""
        persons = [piece for piece in pieces if isinstance(piece, Person)]
        if len(persons) > 1 and self.persons != "all":
            begin = bisect_left(pieces, Place.PERSON, key=_place)
            one = merged(persons) if self.persons == "merged" else persons[0]
            pieces[begin : begin + len(persons)] = [one]


def _saying_busy(document: PresenceDocument) -> PresenceDocument:
    return PresenceDocument(
        tuple(
            piece.saying_busy() if isinstance(piece, Person) else piece
            for piece in document.pieces
        )
    )


def _subjects(document: PresenceDocument) -> set[bytes]:
    tuples = {piece.id for piece in document.pieces if piece.place <= LAST_TUPLE}
    return tuples or {each.id for each in document.pieces if isinstance(each, Person)}


def _told_apart(
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
