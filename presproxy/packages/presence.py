"""
The event package ``presence`` (RFC 3856): PIDF documents, composed into one.

What watchers of different makes can read decides the shape of a composed document: the
tuple that decides the state comes first, there are few tuples and one person, and a
contact is the presentity's own address.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast
from zlib import crc32

import attrs
from zope.interface import implementer

from presproxy.documents import pidf
from presproxy.documents.datamodel import Person, merged
from presproxy.documents.fragments import escaped_attribute
from presproxy.documents.xml import Limits
from presproxy.errors import MalformedField
from presproxy.extend.maker import option
from presproxy.interfaces import Bounds, Feed, IEventPackage, Material
from presproxy.model.decision import FULL, View
from presproxy.model.notice import Body
from presproxy.model.publication import Publication
from presproxy.sip.uri import AddressOfRecord, address_of_record

#: Open tuples come first, those that say nothing of it before closed ones.
_RANK = {pidf.OPEN: 0, None: 1, pidf.CLOSED: 2}

_NOBODY = pidf.Tuple(
    b"nobody", pidf.CLOSED, content=b"<status><basic>closed</basic></status>"
)


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
class PresencePackage:
    """Presence as PIDF (RFC 3856, RFC 3863)."""

    shortest: int = option("The shortest interval granted, in seconds.", default=60)
    default: int = option("The interval granted to who names none.", default=3600)
    longest: int = option("The longest interval granted, in seconds.", default=86400)
    pause: float = option(
        "The least seconds between two notifications to one watcher.", default=0.0
    )
    largest: int = option("The most octets of a published document.", default=65536)
    #: pjsip reads no more than eight.
    tuples: int = option("The most tuples in a composed document.", default=8)
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

    name = "presence"
    produces = (pidf.CONTENT_TYPE,)
    accepts = frozenset({pidf.CONTENT_TYPE})
    feeds = Feed.PUBLICATIONS

    @property
    def bounds(self) -> Bounds:
        """The intervals granted to subscriptions and publications."""
        return Bounds(self.shortest, self.default, self.longest)

    def parse(self, content_type: str, data: bytes) -> pidf.PresenceDocument:
        """Read a published PIDF document; raises `MalformedDocument`."""
        document = pidf.read(data, Limits(octets=self.largest))
        if self.busy:
            persons = tuple(person.saying_busy() for person in document.persons)
            document = attrs.evolve(document, persons=persons)
        return document

    def supersedes(
        self, document: pidf.PresenceDocument, earlier: pidf.PresenceDocument
    ) -> bool:
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
        documents = [(p.key, _document(p)) for p in material.publications]
        presentity = material.presentity
        tuples = [(key, service) for key, d in documents for service in d.tuples]
        if not tuples:
            tuples.append(("", _NOBODY))
        tuples.sort(key=_rank)
        del tuples[self.tuples :]
        persons = self._persons(documents)
        devices = [(key, device) for key, d in documents for device in d.devices]
        ids = iter(
            _unique(
                [(key, service.id) for key, service in tuples]
                + [(key, person.id or b"person") for key, person in persons]
                + [(key, device.id or b"device") for key, device in devices]
            )
        )
        address = _written(presentity)
        return PresenceState(
            presentity,
            tuple([t.write(next(ids), self._contact(t, address)) for _, t in tuples]),
            _without_repeats([note for _, d in documents for note in d.notes]),
            tuple([person.write(next(ids)) for _, person in persons]),
            tuple([device.write(next(ids)) for _, device in devices]),
            _without_repeats([other for _, d in documents for other in d.others]),
        )

    def narrow(self, state: PresenceState, view: View) -> PresenceState:
        """Show all in the full view, and nobody at home in every other."""
        return state if view == FULL else self.neutral(state.presentity)

    def neutral(self, presentity: AddressOfRecord) -> PresenceState:
        """Show what there is without any publication: one closed tuple."""
        contact = self._contact(_NOBODY, _written(presentity))
        return PresenceState(presentity, (_NOBODY.write(_NOBODY.id, contact),))

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

    def _contact(self, service: pidf.Tuple, address: bytes) -> bytes | None:
        """
        Give the contact to write.

        Only SIP contacts are touched: a tuple with ``mailto:`` is another service.
        """
        if self.contact == "published" or not service.is_reached_by_sip:
            return service.contact
        return address if self.contact == "address" else None

    def _persons(
        self, documents: Sequence[tuple[str, pidf.PresenceDocument]]
    ) -> list[tuple[str, Person]]:
        persons = [(key, person) for key, d in documents for person in d.persons]
        if len(persons) < 2 or self.persons == "all":
            return persons
        key, latest = persons[0]
        if self.persons == "latest":
            return [(key, latest)]
        return [(key, merged([person for _, person in persons]))]


def means(entity: str, presentity: AddressOfRecord) -> bool:
    """
    Say whether a document's entity is this presentity.

    The scheme may be ``pres:`` or missing, and parameters do not count: some user agents
    put the parameters of their Request-URI there.
    """
    try:
        return address_of_record(entity) == presentity
    except MalformedField:
        return False


def _document(publication: Publication) -> pidf.PresenceDocument:
    return cast(pidf.PresenceDocument, publication.document)


def _subjects(document: pidf.PresenceDocument) -> frozenset[object]:
    if document.tuples:
        return frozenset((service.id, service.contact) for service in document.tuples)
    return frozenset(person.id for person in document.persons)


def _rank(keyed: tuple[str, pidf.Tuple]) -> int:
    return _RANK[keyed[1].basic]


def _written(presentity: AddressOfRecord) -> bytes:
    return escaped_attribute(presentity).encode()


def _without_repeats(fragments: Sequence[bytes]) -> tuple[bytes, ...]:
    """Leave the first of equal fragments: two devices may show the same note."""
    return tuple(dict.fromkeys(fragments))


def _unique(keyed: Sequence[tuple[str, bytes]]) -> list[bytes]:
    """
    Give ids of which no two are the same; they share one space (RFC 4479 §4).

    Where two publications use the same id, the one with the lesser key keeps it and the
    other's gets a mark made from its key: the order of modification does not count, so
    that no id goes from one to the other when the other publishes again.
    """
    ids = [id for _, id in keyed]
    if len(set(ids)) == len(ids):
        return ids
    used: set[bytes] = set()
    for place in sorted(range(len(keyed)), key=lambda place: (keyed[place][0], place)):
        key, id = keyed[place]
        mark = crc32(key.encode())
        while id in used:
            id = b"%b-%08x" % (keyed[place][1], mark)
            mark += 1
        used.add(id)
        ids[place] = id
    return ids
