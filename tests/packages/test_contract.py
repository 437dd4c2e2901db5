"""The contract of event packages finds what is wrong with one."""

from __future__ import annotations

import itertools
from typing import Any

import attrs
import pytest

from presproxy.documents.pieces import Piece, Place
from presproxy.interfaces import IEventPackage, Material
from presproxy.model.decision import View
from presproxy.model.notice import Body
from presproxy.packages.presence import PresencePackage
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.package import EventPackageContract

BODY = (
    b'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@example.test">'
    b'<tuple id="t"><status><basic>open</basic></status></tuple></presence>'
)


class Contract(EventPackageContract):
    bodies = (("application/pidf+xml", BODY),)

    def __init__(self, package: type[PresencePackage]) -> None:
        self._package = package

    def make(self) -> IEventPackage:
        return self._package()


class Unguarded(PresencePackage):
    def parse(self, content_type: str, data: bytes) -> Any:
        data.decode()
        return super().parse(content_type, data)


class Counting(PresencePackage):
    counter = itertools.count()

    def compose(self, material: Material) -> Any:
        state = super().compose(material)
        note = Piece(Place.NOTE, b"<note>%d</note>" % next(self.counter))
        return attrs.evolve(state, pieces=(*state.pieces, note))


class Telling(PresencePackage):
    def neutral(self, presentity: AddressOfRecord) -> Any:
        state = super().neutral(presentity)
        note = Piece(Place.NOTE, b"<note>No</note>")
        return attrs.evolve(state, pieces=(*state.pieces, note))


class Leaking(PresencePackage):
    def narrow(self, state: Any, view: View) -> Any:
        return state


class Typeless(PresencePackage):
    def render(self, state: Any, content_type: str) -> Body:
        return Body("text/xml", super().render(state, content_type).data)


@pytest.mark.parametrize(
    ("package", "test"),
    [
        (Unguarded, "test_no_body_fails_in_another_way_than_malformed"),
        (Counting, "test_the_same_material_makes_equal_states"),
        (Counting, "test_the_order_of_composing_does_not_matter"),
        (Counting, "test_equal_states_are_written_alike"),
        (Telling, "test_who_is_blocked_politely_sees_nobody_at_home"),
        (Leaking, "test_the_neutral_view_leaves_nobody_at_home"),
        (Typeless, "test_every_type_it_produces_is_written"),
    ],
)
def test_a_package_that_breaks_a_promise_is_found(package, test):
    contract = Contract(package)

    with pytest.raises((AssertionError, UnicodeDecodeError)):
        getattr(contract, test)(contract.make())
