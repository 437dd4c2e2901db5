"""
The event package ``presence`` (RFC 3856): PIDF documents, composed into one.

What watchers of different makes can read decides the shape of a composed document: the
tuple that decides the state comes first, there are few tuples and one person, and a
contact is the presentity's own address.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, cast
from zlib import crc32

import attrs
from attrs.validators import ge
from zope.interface import implementer

from presproxy.documents import pidf
from presproxy.documents.datamodel import Device, Person, merged
from presproxy.documents.fragments import escaped_attribute
from presproxy.documents.pidf import PresenceDocument
from presproxy.documents.xml import Limits
from presproxy.extend.maker import option
from presproxy.interfaces import Feed, IEventPackage, Material
from presproxy.model.decision import FULL, View
from presproxy.model.notice import Body
from presproxy.model.publication import Publication
from presproxy.packages.intervals import Intervals
from presproxy.sip.uri import AddressOfRecord

#: Open tuples come first, those that say nothing of it before closed ones.
_RANK = {pidf.OPEN: 0, None: 1, pidf.CLOSED: 2}

_CLOSED = b'<tuple id="nobody"><status><basic>closed</basic></status>'
#: What is shown where no tuple is published, with and without a contact.
_NOBODY = pidf.Tuple(
    b"nobody", pidf.CLOSED, _CLOSED + b"<contact>", b"</contact></tuple>"
)
_NOBODY_NOWHERE = pidf.Tuple(b"nobody", pidf.CLOSED, _CLOSED + b"</tuple>")

_Piece = pidf.Tuple | Person | Device


@attrs.frozen
class PresenceState:
    """
    The presence of one presentity: what stands in its document, written already.

    Equal ones give the same bytes.
    """

    presentity: AddressOfRecord
    tuples: Sequence[bytes]
    notes: Sequence[bytes] = ()
    persons: Sequence[bytes] = ()
    devices: Sequence[bytes] = ()
    others: Sequence[bytes] = ()


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

    name = "presence"
    produces = (pidf.CONTENT_TYPE,)
    accepts = frozenset({pidf.CONTENT_TYPE})
    feeds = Feed.PUBLICATIONS

    @limits.default
    def _limits(self) -> Limits:
        return Limits(octets=self.largest)

    def parse(self, content_type: str, data: bytes) -> PresenceDocument:
        """Read a published PIDF document; raises `MalformedDocument`."""
        document = pidf.read(data, self.limits, self.contact)
        if self.busy:
            persons = tuple(person.saying_busy() for person in document.persons)
            document = attrs.evolve(document, persons=persons)
        return document

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
        services: list[pidf.Tuple] = []
        persons: list[Person] = []
        devices: list[Device] = []
        notes: list[bytes] = []
        others: list[bytes] = []
        for publication in material.publications:
            document = cast(PresenceDocument, publication.document)
            services += document.tuples
            persons += document.persons
            devices += document.devices
            notes += document.notes
            others += document.others
        if not services:
            services.append(_NOBODY if self.contact == "address" else _NOBODY_NOWHERE)
        elif len(services) > 1:
            services.sort(key=_rank)
            del services[self.tuples :]
        if len(persons) > 1:
            persons = self._chosen(persons)
        pieces: list[_Piece] = [*services, *persons, *devices]
        if len({each.id for each in pieces}) < len(pieces):
            names = iter(_unique(pieces, material.publications))
            services = [each.named(next(names)) for each in services]
            persons = [each.named(next(names)) for each in persons]
            devices = [each.named(next(names)) for each in devices]
        address = _written(material.presentity)
        return PresenceState(
            material.presentity,
            tuple([each.write(address) for each in services]),
            tuple(dict.fromkeys(notes)),
            tuple([each.data for each in persons]),
            tuple([each.data for each in devices]),
            tuple(dict.fromkeys(others)),
        )

    def narrow(self, state: PresenceState, view: View) -> PresenceState:
        """Show all in the full view, and nobody at home in every other."""
        return state if view == FULL else self.neutral(state.presentity)

    def neutral(self, presentity: AddressOfRecord) -> PresenceState:
        """Show what there is without any publication: one closed tuple."""
        return self.compose(Material(presentity))

    def render(self, state: PresenceState, content_type: str) -> Body:
        """Write the PIDF document, in the order of its schema."""
        fragments = [
            *state.tuples,
            *state.notes,
            *state.persons,
            *state.devices,
            *state.others,
        ]
        data = pidf.write(_written(state.presentity), fragments)
        return Body(pidf.CONTENT_TYPE, data)

    def _chosen(self, persons: list[Person]) -> list[Person]:
        """Make of several publications' persons what the options want."""
        if self.persons == "all":
            return persons
        return [merged(persons) if self.persons == "merged" else persons[0]]


def _subjects(document: PresenceDocument) -> frozenset[bytes]:
    return frozenset(each.id for each in document.tuples or document.persons)


def _rank(service: pidf.Tuple) -> int:
    return _RANK[service.basic]


def _written(presentity: AddressOfRecord) -> bytes:
    return escaped_attribute(presentity).encode()


def _unique(
    pieces: Sequence[_Piece], publications: Iterable[Publication]
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
        for each in (*document.tuples, *document.persons, *document.devices):
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
