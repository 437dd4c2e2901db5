from __future__ import annotations

import pytest

from presproxy.documents.lync.categories import (
    Category,
    CategoryName,
    ExpireType,
    read_categories,
)
from presproxy.documents.lync.notes import write_note
from presproxy.documents.lync.state import (
    Activity,
    StateInput,
    StateKind,
    read_state,
    write_state,
)
from presproxy.interfaces import Material
from presproxy.packages.presence import PresencePackage
from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent import STATES, Presence, presence_in
from presproxy.useragent.lync.said import nothing_of, pieces_of, presence_of

BOB = AddressOfRecord("sip:bob@example.test")
PACKAGE = PresencePackage()
CATEGORIES = "application/msrtc-event-categories+xml"


def kept(presence: Presence) -> list[Category]:
    """What a server keeps of what is said."""
    return [
        Category(each.name, 1, each.expire_type, each.body, 1.0)
        for each in pieces_of(presence, 0x30000001)
        if each.body
    ]


@pytest.mark.parametrize("state", STATES)
def test_what_is_said_in_lync_is_seen_in_documents(state):
    said = Presence(state, None if state == "offline" else "back at 3")

    composed = PACKAGE.compose(Material(BOB, categories=kept(said)))
    seen = presence_in(PACKAGE.render(composed, "application/pidf+xml").data)

    assert seen == said


@pytest.mark.parametrize("state", STATES)
def test_what_is_said_in_lync_is_seen_in_lync(state):
    said = Presence(state, "back at 3")
    composed = PACKAGE.compose(Material(BOB, categories=kept(said)))
    document = read_categories(PACKAGE.render(composed, CATEGORIES).data)

    assert presence_of(document.categories) == said


def test_a_machine_stays_no_longer_than_its_endpoint():
    pieces = pieces_of(Presence("busy", "x"), 0x30000001)

    assert {(each.name, each.expire_type) for each in pieces} == {
        (CategoryName("state", 0x30000001, 2), ExpireType.ENDPOINT),
        (CategoryName("state", 0x30000001, 3), ExpireType.ENDPOINT),
        (CategoryName("state", 0x20000000, 2), ExpireType.STATIC),
        (CategoryName("state", 0x20000000, 3), ExpireType.STATIC),
        (CategoryName("note", 0, 200), ExpireType.STATIC),
        (CategoryName("note", 0, 300), ExpireType.STATIC),
        (CategoryName("note", 0, 400), ExpireType.STATIC),
    }
    kinds = {read_state(each.body).kind for each in pieces if b"<state" in each.body}
    assert kinds == {StateKind.USER, StateKind.MACHINE}


def test_all_of_it_can_be_taken_back():
    said, nothing = pieces_of(Presence("busy", "x"), 7), nothing_of(7)

    assert [each.name for each in nothing] == [each.name for each in said]
    assert [each.body for each in nothing if each.body] == []


def test_without_a_note_there_is_none_any_more():
    notes = [p for p in pieces_of(Presence("busy"), 7) if p.name.category == "note"]

    assert [each.body for each in notes] == [b"", b"", b""]


def state_category(availability: int, token: str = "") -> Category:
    activity = Activity(token) if token else None
    body = write_state(StateInput(StateKind.AGGREGATE, availability, activity))
    return Category(CategoryName("state", 1, 200), 1, ExpireType.USER, body, 1.0)


def note_category(text: str, at: float) -> Category:
    name = CategoryName("note", int(at), 200)
    return Category(name, 1, ExpireType.STATIC, write_note(text), at)


@pytest.mark.parametrize(
    ("availability", "token", "state"),
    [
        (3500, "", "available"),
        (5000, "", "available"),
        (7500, "", "busy"),
        (6500, "on-the-phone", "busy"),
        (15500, "out-of-office", "away"),
        (18500, "", "offline"),
    ],
)
def test_whatever_is_seen_is_one_of_the_states(availability, token, state):
    assert presence_of([state_category(availability, token)]) == Presence(state)


def test_the_latest_note_counts():
    notes = [note_category("new", 2.0), note_category("old", 1.0)]

    assert presence_of([*notes, state_category(3500)]) == Presence("available", "new")


def test_without_a_state_there_is_nothing_to_be_seen():
    assert presence_of([note_category("n", 1.0)]) is None
