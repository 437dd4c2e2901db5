from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import MalformedDocument
from presproxy.useragent.states import STATES, Presence, content_of, presence_in

ALICE = "sip:alice@example.test"


def document(basic: str, inside: str) -> bytes:
    return (
        '<presence xmlns="urn:ietf:params:xml:ns:pidf"'
        ' xmlns:d="urn:ietf:params:xml:ns:pidf:data-model"'
        ' xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="pres:a@example.test">'
        f'<tuple id="a"><status><basic>{basic}</basic></status></tuple>{inside}'
        "</presence>"
    ).encode()


def person(activities: str) -> str:
    return f'<d:person id="p"><r:activities>{activities}</r:activities></d:person>'


@pytest.mark.parametrize("note", [None, "till five & <later>"])
@pytest.mark.parametrize("state", STATES)
def test_each_state_reads_back(state, note):
    presence = Presence(state, note)

    assert presence_in(content_of(ALICE, presence)) == presence


@pytest.mark.parametrize(
    ("basic", "inside", "state"),
    [
        ("open", "", "available"),
        ("closed", "", "offline"),
        (" OPEN ", "", "available"),
        ("unknown", "", "offline"),
        ("closed", person("<r:busy/>"), "offline"),
        ("open", person("<r:busy/>"), "busy"),
        ("open", person("<r:away/><r:busy/>"), "busy"),
        ("open", person("<r:on-the-phone/>"), "busy"),
        ("open", person("<r:meal/>"), "away"),
        ("open", person("<r:other>do-not-disturb</r:other>"), "dnd"),
        ("open", person("<r:other>at the dentist</r:other>"), "available"),
        ("open", person(""), "available"),
    ],
)
def test_what_others_write_is_read(basic, inside, state):
    assert presence_in(document(basic, inside)) == Presence(state)


def test_one_open_tuple_is_enough():
    closed = '<tuple id="b"><status><basic>closed</basic></status></tuple>'

    assert presence_in(document("open", closed)).state == "available"


@pytest.mark.parametrize(
    "note",
    [
        '<d:person id="p"><d:note>here</d:note></d:person>',
        "<note>here</note>",
        "<note/><note> here </note>",
    ],
)
def test_a_note_is_found_wherever_it_stands(note):
    assert presence_in(document("open", note)).note == "here"


def test_clients_that_match_text_find_what_they_look_for():
    written = content_of(ALICE, Presence("dnd"))

    assert b"<basic>open</basic>" in written
    assert b"<rpid:busy/>" in written


@given(st.binary(max_size=200))
def test_nothing_fails_in_another_way(data):
    with contextlib.suppress(MalformedDocument):
        presence_in(data)


def test_another_state_is_none():
    with pytest.raises(ValueError, match="state"):
        Presence("asleep")
