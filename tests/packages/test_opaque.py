from __future__ import annotations

import pytest

from presproxy.interfaces import IEventPackage, Material
from presproxy.model.publication import EntityTag, Publication
from presproxy.packages.opaque import OpaquePackage
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.package import EventPackageContract

ALICE = AddressOfRecord("sip:alice@example.test")
ONE, OTHER = "application/x-one", "text/plain"


class TestOpaquePackage(EventPackageContract):
    bodies = ((ONE, b"\0 as it is"), (OTHER, b"2"))

    def make(self) -> IEventPackage:
        return OpaquePackage(event="x-call.info", types=(ONE, OTHER), nothing="none")


def shown(package, content_type, *documents):
    publications = [
        Publication(str(n), ALICE, "x", EntityTag(""), ONE, b"", each, 9e9, -n)
        for n, each in enumerate(documents)
    ]
    state = package.compose(Material(ALICE, publications))
    body = package.render(state, content_type)
    return body.content_type, body.data


def test_the_last_word_goes_out_as_it_came():
    package = OpaquePackage(event="x", types=(ONE,))

    assert shown(package, ONE, (ONE, b"new"), (ONE, b"old")) == (ONE, b"new")


def test_where_nothing_is_known_there_is_no_body():
    package = OpaquePackage(event="x", types=(ONE, OTHER))

    assert shown(package, ONE) == ("", b"")
    assert shown(package, OTHER, (ONE, b"of another type")) == ("", b"")


@pytest.mark.parametrize("event", ["", "Presence", "a b", "a..b", "a;b"])
def test_a_name_must_be_one(event):
    with pytest.raises(ValueError, match="event"):
        OpaquePackage(event=event, types=(ONE,))
