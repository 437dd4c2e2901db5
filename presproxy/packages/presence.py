"""
The event package ``presence`` (RFC 3856): PIDF documents, composed into one.

What watchers of different makes can read decides the shape of a composed document: the
tuple that decides the state comes first, there are few tuples and one person, and a
contact is the presentity's own address.

Whoever reads Lync's categories is shown these, of the same state; and where Lync's
endpoints publish, what they say is in the document ([MS-PRES] 1.3.1).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Literal, cast

import attrs
from attrs.validators import ge
from zope.interface import implementer

from presproxy.documents import pidf
from presproxy.documents.datamodel import Person, merged
from presproxy.documents.fragments import escaped_attribute
from presproxy.documents.lync import categories, older
from presproxy.documents.lync.aggregation import aggregate
from presproxy.documents.lync.categories import Category
from presproxy.documents.lync.containers import COLLEAGUES, DEFAULT, EXTERNAL
from presproxy.documents.lync.mapping import read_said
from presproxy.documents.pidf import PresenceDocument
from presproxy.documents.pieces import ADDRESS, LAST_TUPLE, Piece, Place
from presproxy.documents.templates import Templates
from presproxy.documents.xml import Limits, plain
from presproxy.extend.maker import option
from presproxy.interfaces import (
    Feed,
    IAggregating,
    IEventPackage,
    IPassedPackage,
    Material,
)
from presproxy.model.decision import FULL, View, container_of
from presproxy.model.notice import Body
from presproxy.model.publication import Publication
from presproxy.packages.ids import told_apart
from presproxy.packages.intervals import Intervals
from presproxy.packages.passing import marked_pieces, other_pieces
from presproxy.packages.seen import (
    Aggregate,
    MixedState,
    Seen,
    aggregate_categories,
    has_watchers,
    inputs_of,
    is_offline,
    mixed,
    number_of,
    seen_of,
    write_older,
    write_seen,
)
from presproxy.packages.shown import pieces_of
from presproxy.sip.uri import AddressOfRecord

_CLOSED = b'<tuple id="nobody"><status><basic>closed</basic></status>%b</tuple>'
#: What is shown where no tuple is published, with and without a contact.
_CONTACT = b"<contact>%b</contact>" % ADDRESS
_NOBODY = Piece(Place.CLOSED, _CLOSED % _CONTACT)
_NOBODY_NOWHERE = Piece(Place.CLOSED, _CLOSED % b"")

_place = attrgetter("place")


@attrs.define(unsafe_hash=True)
class PresenceState:
    """
    The presence of one presentity: all that stands in its document, in order.

    Equal ones give the same bytes.  ``published_at`` is when the latest publication came.
    """

    presentity: AddressOfRecord
    pieces: Sequence[Piece]
    published_at: float = attrs.field(default=0.0, eq=False)


#: What may be rendered; the first where nobody publishes categories.
State = PresenceState | MixedState | Seen


@implementer(IEventPackage, IAggregating, IPassedPackage)
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
    aggregate: Aggregate = attrs.field(default=aggregate, eq=False, repr=False)
    _documents: Templates[PresenceDocument] = attrs.field(
        init=False, eq=False, repr=False
    )

    name = "presence"
    produces = (pidf.CONTENT_TYPE, categories.CONTENT_TYPE, older.PRESENCE_TYPE)
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

    def compose(self, material: Material) -> PresenceState | MixedState:
        """
        Join all publications: open tuples first, then the latest modified first.

        A document always has a tuple: where none is published, nobody is at home.
        """
        if material.categories:
            return self._mixed(material)
        return self._composed(material.presentity, material.publications)

    def narrow(self, state: PresenceState | MixedState, view: View) -> State:
        """
        Show all in the full view, in that of a container what is seen there.

        In every other there is nobody at home.
        """
        if view == FULL:
            return state
        container = container_of(view)
        if container is None or not has_watchers(container):
            return self.neutral(state.presentity)
        if isinstance(state, MixedState):
            return state.seen_in(container)
        return self._alone_in(container, state)

    def neutral(self, presentity: AddressOfRecord) -> PresenceState:
        """Show what there is without any publication: one closed tuple."""
        return PresenceState(presentity, (self._nobody,))

    def render(self, state: State, content_type: str) -> Body:
        """
        Write the PIDF document, in the order of its schema, or what Lync's clients read.

        Categories may be chosen: ``;categories=note,state`` behind their type.
        """
        if content_type == pidf.CONTENT_TYPE and isinstance(state, PresenceState):
            address = escaped_attribute(state.presentity).encode()
            return Body(pidf.CONTENT_TYPE, pidf.write(address, state.pieces))
        kind, _, chosen = content_type.partition(";")
        if kind == categories.CONTENT_TYPE:
            wanted = chosen.removeprefix("categories=").split(",") if chosen else ()
            return Body(kind, write_seen(self._seen(state), wanted))
        if kind == older.PRESENCE_TYPE:
            return Body(kind, write_older(self._seen(state)))
        pieces = state.pieces
        if not isinstance(state, PresenceState):
            pieces = pieces_of(self._seen(state), self._contact, self.tuples)
        address = escaped_attribute(state.presentity).encode()
        return Body(pidf.CONTENT_TYPE, pidf.write(address, pieces))

    def aggregated_by(self, aggregate: Aggregate) -> PresencePackage:
        """Give a package like this one with other rules for one state of many."""
        return attrs.evolve(self, aggregate=aggregate)

    def aggregates(self, material: Material) -> Sequence[Category]:
        """Give the states that are made of all, as their owner is shown them."""
        said = at = None
        if material.publications:
            own = self._composed(material.presentity, material.publications)
            said, at = read_said(own.pieces), own.published_at
        inputs = inputs_of(material.categories, said, at)
        return aggregate_categories(inputs, self.aggregate)

    def passed(self, state: PresenceState | MixedState, mark: str) -> Body | None:
        """
        Write the PIDF document for a server behind.

        Of somebody whom Lync's endpoints have left what stays is nobody there.
        """
        pieces = state.pieces
        if isinstance(state, MixedState):
            seen = self._seen(state)
            if is_offline(seen.state) and not pieces:
                return None
            pieces = pieces_of(seen, self._contact, self.tuples)
        marked = marked_pieces(pieces, mark)
        if pieces and not any(piece.has_id for piece in marked):
            return None
        address = escaped_attribute(state.presentity).encode()
        return Body(pidf.CONTENT_TYPE, pidf.write(address, marked))

    def others(self, document: PresenceDocument, mark: str) -> PresenceDocument | None:
        """Leave out what was passed to where it comes from."""
        return other_pieces(document, mark)

    def _composed(
        self, presentity: AddressOfRecord, publications: Sequence[Publication]
    ) -> PresenceState:
        at = publications[0].modified_at if publications else 0.0
        if len(publications) == 1:
            document = cast(PresenceDocument, publications[0].document)
            if document.is_plain and self._is_enough(document.pieces):
                return PresenceState(presentity, document.pieces, at)
        pieces = self._sorted(publications)
        self._make_one_of_persons(pieces)
        if len({piece.key for piece in pieces}) < len(pieces):
            pieces = told_apart(pieces, publications)
        return PresenceState(presentity, tuple(pieces), at)

    def _mixed(self, material: Material) -> MixedState:
        """Compose what Lync's endpoints publish with the documents of others."""
        own = self._composed(material.presentity, material.publications)
        return mixed(
            material.presentity,
            own.pieces,
            own.published_at if material.publications else None,
            material.categories,
            self.aggregate,
        )

    def _alone_in(self, container: int, state: PresenceState) -> PresenceState | Seen:
        """Give what is seen in a container of somebody without categories."""
        if container == DEFAULT:
            return self.neutral(state.presentity)
        if container == EXTERNAL:
            seen = self._seen(state)
            return Seen(state.presentity, number_of(seen.state))
        return state

    def _seen(self, state: State) -> Seen:
        """Give what is to be seen in Lync's terms: in the full view what colleagues see."""
        if isinstance(state, Seen):
            return state
        if isinstance(state, MixedState):
            return state.seen_in(COLLEAGUES)
        return seen_of(
            state.presentity, state.pieces, state.published_at, self.aggregate
        )

    @property
    def _contact(self) -> bytes:
        return _CONTACT if self.contact == "address" else b""

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
