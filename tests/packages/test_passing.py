"""What is passed to a server behind, and known when it comes from there."""

from __future__ import annotations

import pytest

from presproxy.documents.dialoginfo import Dialog, DialogInfo, read
from presproxy.documents.pidf import CONTENT_TYPE
from presproxy.interfaces import Material
from presproxy.model.publication import EntityTag, Publication
from presproxy.packages.dialog import DialogPackage, DialogState
from presproxy.packages.presence import PresencePackage
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.wire import pidf

ALICE = AddressOfRecord("sip:alice@example.test")
MARK = "ppmark"
PERSON = (
    '<dm:person xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" id="p"/>'
    "<note>of the document</note>"
)


def passed(*texts):
    """Compose documents, pass them, and read what was passed."""
    package = PresencePackage()
    publications = [
        Publication(
            f"k{number}",
            ALICE,
            "presence",
            EntityTag("e"),
            CONTENT_TYPE,
            b"",
            package.parse(CONTENT_TYPE, text.encode()),
            9e9,
            1.0,
        )
        for number, text in enumerate(texts)
    ]
    body = package.passed(package.compose(Material(ALICE, publications)), MARK)
    return None if body is None else package.parse(CONTENT_TYPE, body.data)


def ids(document):
    return [piece.id.decode() for piece in document.pieces if piece.has_id]


def test_all_ids_are_marked():
    assert ids(passed(pidf(ALICE, more=PERSON))) == [f"{MARK}-t1", f"{MARK}-p"]


def test_several_devices_are_one_publication():
    document = passed(pidf(ALICE, id="phone"), pidf(ALICE, id="desk"))

    assert sorted(ids(document)) == [f"{MARK}-desk", f"{MARK}-phone"]


def test_what_was_passed_is_nothing_new():
    document = passed(pidf(ALICE, more=PERSON))

    assert PresencePackage().others(document, MARK) is None


def test_of_another_server_all_is_new():
    document = passed(pidf(ALICE, more=PERSON))

    assert PresencePackage().others(document, "ppother") is document


def test_what_has_been_there_is_not_passed_again():
    assert passed(pidf(ALICE, id=f"ppother-{MARK}-t1")) is None
    both = passed(pidf(ALICE, id=f"ppother-{MARK}-t1"), pidf(ALICE, id="own"))
    assert ids(both) == [f"{MARK}-own"]


@pytest.mark.parametrize(
    ("dialogs", "states"),
    [((), ["terminated"]), ((Dialog("d", "early"),), ["early"])],
    ids=["nobody on the phone", "one call"],
)
def test_calls_are_passed_and_known(dialogs, states):
    package = DialogPackage()

    body = package.passed(DialogState(ALICE, dialogs), MARK)

    document = read(body.numbered(0))
    assert [each.state for each in document.dialogs] == states
    assert all(each.id.startswith(MARK) for each in document.dialogs)
    assert package.others(document, MARK) is None


def test_that_there_is_no_call_behind_is_news():
    empty = DialogInfo(ALICE)

    assert DialogPackage().others(empty, MARK) == empty
