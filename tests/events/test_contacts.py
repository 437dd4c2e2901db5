from __future__ import annotations

import attrs
import pytest

from presproxy.documents.lync.contacts import DEFAULT_GROUP, Contact, ContactList, Group
from presproxy.errors import LimitReached
from presproxy.events.contact_edits import (
    MOST_GROUPS,
    FixedGroup,
    UnknownGroup,
    add_group,
    delete_contact,
    delete_group,
    group_named,
    modify_group,
    set_contact,
)
from presproxy.events.contact_records import CONTACT, GROUPS
from presproxy.events.contacts import ContactLists, StagedContacts, everybody_of
from presproxy.model.decision import Handling
from presproxy.model.record import NEVER, Delete, Put, Record
from presproxy.sip.uri import AddressOfRecord

ALICE = AddressOfRecord("sip:alice@example.test")
BOB = AddressOfRecord("sip:bob@example.test")
EVE = AddressOfRecord("sip:eve@elsewhere.test")
WORK = Group(2, "Work")


@attrs.define(eq=False)
class Told:
    """Whom is decided about again, and whose list looks otherwise, in that order."""

    lists: ContactLists = attrs.field(init=False)
    heard: list[tuple[str, AddressOfRecord]] = attrs.field(factory=list)

    def __attrs_post_init__(self):
        self.lists = ContactLists(
            lambda user: self.heard.append(("decide", user)),
            lambda user: self.heard.append(("changed", user)),
            limit=5,
        )


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def lists(told):
    return told.lists


def do(staged: StagedContacts) -> None:
    staged.live()


def records(staged: StagedContacts) -> list[Record]:
    """What a storage holds when a change was committed."""
    return [
        Record(
            change.kind,
            change.key,
            change.owner,
            change.staged_on + 1,
            change.expires_at if isinstance(change, Put) else 0,
            change.payload if isinstance(change, Put) else b"",
        )
        for change in staged.changes
    ]


def test_everybody_begins_with_one_group_and_nobody_in_it(lists):
    assert lists.shown(ALICE) == ContactList(1, (DEFAULT_GROUP,), ())


# --- What an operator writes, as the user's clients see it


@pytest.mark.parametrize(
    ("watcher", "handling", "contacts"),
    [
        (EVE, Handling.ALLOW, (Contact(EVE),)),
        (EVE, Handling.BLOCK, ()),
        (EVE, Handling.POLITE_BLOCK, ()),
        (EVE, Handling.CONFIRM, ()),
        (everybody_of("elsewhere.test"), Handling.ALLOW, ()),
        (AddressOfRecord("tel:+4930123"), Handling.ALLOW, ()),
    ],
    ids=["allowed", "blocked", "politely", "to be asked", "a domain", "a number"],
)
def test_whoever_is_allowed_by_name_is_a_contact(lists, watcher, handling, contacts):
    do(lists.stage(ALICE, watcher, handling))

    assert lists.shown(ALICE).contacts == contacts


def test_every_change_counts_whatever_clients_see_of_it(lists, told):
    do(lists.stage(ALICE, EVE, Handling.BLOCK))
    do(lists.stage(ALICE, EVE, Handling.BLOCK))

    assert lists.shown(ALICE).delta == 2
    assert told.heard == [("decide", ALICE), ("changed", ALICE)]


def test_whom_an_operator_blocks_stays_a_contact_as_he_is_kept(lists):
    contact = Contact(EVE, "Eve")
    do(set_contact(lists, ALICE, contact))

    do(lists.stage(ALICE, EVE, Handling.BLOCK))

    assert lists.shown(ALICE).contacts == (contact,)
    assert lists.of(ALICE) == {EVE: Handling.BLOCK}


def test_whom_an_operator_forgets_is_no_contact_any_more(lists):
    do(set_contact(lists, ALICE, Contact(EVE, "Eve")))

    do(lists.stage(ALICE, EVE, None))

    assert lists.shown(ALICE) == ContactList(3)
    assert lists.of(ALICE) == {}


# --- What clients write


def test_a_contact_of_whom_nothing_was_said_is_allowed(lists, told):
    contact = Contact(EVE, "Eve")

    do(set_contact(lists, ALICE, contact))

    assert lists.find(ALICE, EVE) == (EVE, Handling.ALLOW)
    assert lists.shown(ALICE) == ContactList(2, (DEFAULT_GROUP,), (contact,))
    assert told.heard == [("decide", ALICE), ("changed", ALICE)]


@pytest.mark.parametrize(
    "handling", [Handling.BLOCK, Handling.POLITE_BLOCK, Handling.CONFIRM]
)
def test_what_was_said_of_somebody_stays_when_he_becomes_a_contact(
    lists, told, handling
):
    do(lists.stage(ALICE, EVE, handling))
    told.heard.clear()

    do(set_contact(lists, ALICE, Contact(EVE)))

    assert lists.of(ALICE) == {EVE: handling}
    assert told.heard == [("changed", ALICE)]


def test_a_deleted_contact_is_a_stranger_again(lists):
    do(set_contact(lists, ALICE, Contact(EVE)))

    staged = delete_contact(lists, ALICE, EVE)
    changes = list(staged.changes)
    do(staged)

    assert changes == [Delete(CONTACT, f"{ALICE} {EVE}", ALICE, 1)]
    assert lists.find(ALICE, EVE) is None
    assert lists.shown(ALICE) == ContactList(3)


def test_whom_an_operator_allowed_can_be_deleted_by_a_client(lists):
    do(lists.stage(ALICE, EVE, Handling.ALLOW))

    do(delete_contact(lists, ALICE, EVE))

    assert (lists.shown(ALICE).contacts, lists.of(ALICE)) == ((), {})


def test_to_delete_a_contact_lets_nobody_in(lists):
    do(lists.stage(ALICE, EVE, Handling.BLOCK))
    do(set_contact(lists, ALICE, Contact(EVE)))

    do(delete_contact(lists, ALICE, EVE))

    assert lists.of(ALICE) == {EVE: Handling.BLOCK}
    assert lists.shown(ALICE).contacts == ()


@pytest.mark.parametrize(
    "edit",
    [
        lambda lists: set_contact(lists, ALICE, Contact(BOB, "Bob")),
        lambda lists: delete_contact(lists, ALICE, EVE),
        lambda lists: add_group(lists, ALICE, "Work", ""),
        lambda lists: add_group(lists, ALICE, "~", ""),
        lambda lists: modify_group(lists, ALICE, WORK),
    ],
    ids=["the same contact", "nobody", "the same group", "the first one", "its name"],
)
def test_a_change_that_changes_nothing_counts_and_writes_nothing(lists, edit):
    do(set_contact(lists, ALICE, Contact(BOB, "Bob")))
    do(add_group(lists, ALICE, "Work", ""))
    before = lists.shown(ALICE)

    staged = edit(lists)
    changes = list(staged.changes)
    do(staged)

    assert changes == []
    assert lists.shown(ALICE) == attrs.evolve(before, delta=before.delta + 1)


def test_groups_are_numbered_and_no_number_comes_again(lists):
    do(add_group(lists, ALICE, "Work", ""))
    do(add_group(lists, ALICE, "Friends", "sip:friends"))
    do(delete_group(lists, ALICE, 3))
    do(add_group(lists, ALICE, "Family", ""))

    assert lists.shown(ALICE).groups == (DEFAULT_GROUP, WORK, Group(4, "Family"))
    assert group_named(lists, ALICE, "Family") == Group(4, "Family")


def test_a_group_gets_another_name(lists):
    do(add_group(lists, ALICE, "Work", ""))

    do(modify_group(lists, ALICE, Group(2, "Office")))

    assert lists.shown(ALICE).groups == (DEFAULT_GROUP, Group(2, "Office"))


def test_whose_group_is_deleted_is_in_the_first_one(lists):
    do(add_group(lists, ALICE, "Work", ""))
    do(add_group(lists, ALICE, "Friends", ""))
    do(set_contact(lists, ALICE, Contact(BOB, groups=(2,))))
    do(set_contact(lists, ALICE, Contact(EVE, groups=(2, 3))))

    do(delete_group(lists, ALICE, 2))

    assert [each.groups for each in lists.shown(ALICE).contacts] == [(1,), (3,)]


def test_a_contact_is_in_groups_that_are_there_only(lists):
    do(set_contact(lists, ALICE, Contact(BOB, groups=(9, 1))))
    do(set_contact(lists, ALICE, Contact(EVE, groups=(9,))))

    assert [each.groups for each in lists.shown(ALICE).contacts] == [(1,), (1,)]


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (lambda lists: modify_group(lists, ALICE, Group(7, "x")), UnknownGroup),
        (lambda lists: delete_group(lists, ALICE, 7), UnknownGroup),
        (lambda lists: modify_group(lists, ALICE, Group(1, "x")), FixedGroup),
        (lambda lists: delete_group(lists, ALICE, 1), FixedGroup),
    ],
    ids=["rename none", "delete none", "rename the first", "delete the first"],
)
def test_a_group_that_is_not_there_or_must_stay(lists, edit, error):
    with pytest.raises(error):
        edit(lists)


def test_a_list_is_bounded(lists):
    for number in range(5):
        do(set_contact(lists, ALICE, Contact(f"sip:c{number}@example.test")))
    for number in range(MOST_GROUPS - 1):
        do(add_group(lists, ALICE, f"group {number}", ""))

    with pytest.raises(LimitReached):
        set_contact(lists, ALICE, Contact(BOB))
    with pytest.raises(LimitReached):
        add_group(lists, ALICE, "one more", "")


@pytest.mark.parametrize(
    "edit",
    [
        lambda lists: set_contact(lists, ALICE, Contact(BOB, "x" * 257)),
        lambda lists: add_group(lists, ALICE, "x" * 257, ""),
        lambda lists: modify_group(lists, ALICE, Group(2, "x" * 257)),
    ],
    ids=["of a contact", "of a group", "of a renamed group"],
)
def test_a_name_is_bounded(lists, edit):
    do(add_group(lists, ALICE, "Work", ""))

    with pytest.raises(LimitReached, match="256 letters in a name"):
        edit(lists)


def test_only_so_many_have_a_list(lists):
    lists.users = 2
    do(set_contact(lists, ALICE, Contact(EVE)))
    do(add_group(lists, ALICE, "Work", ""))
    do(set_contact(lists, BOB, Contact(EVE)))

    with pytest.raises(LimitReached):
        lists.stage(EVE, BOB, Handling.BLOCK)
    with pytest.raises(LimitReached):
        add_group(lists, EVE, "Work", "")
    do(lists.stage(BOB, ALICE, Handling.BLOCK))


# --- Records


def test_a_list_is_the_same_after_a_start(lists):
    again = Told().lists
    for edit in (
        lambda: add_group(lists, ALICE, "Work", ""),
        lambda: set_contact(lists, ALICE, Contact(BOB, "Bob ☺", (2,), False, "x")),
        lambda: lists.stage(ALICE, EVE, Handling.ALLOW),
    ):
        staged = edit()
        for record in records(staged):
            again.take(record)
        do(staged)

    shown = again.shown(ALICE)
    assert (shown.groups, shown.contacts) == (
        (DEFAULT_GROUP, WORK),
        (Contact(BOB, "Bob ☺", (2,), False, "x"), Contact(EVE)),
    )
    assert again.of(ALICE) == {BOB: Handling.ALLOW, EVE: Handling.ALLOW}


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (CONTACT, b"contact/2\nallow\n"),
        (CONTACT, b"contact/2\nallow\n{}"),
        (CONTACT, b"contact/2\nallow\n[1]"),
        (CONTACT, b"contact/2\nallow\n" + b"[" * 100000),
        (GROUPS, b"contact-groups/2\n{}"),
        (GROUPS, b"contact-groups/1\n{}x"),
        (GROUPS, b'contact-groups/1\n{"groups": [1]}'),
    ],
    ids=["none", "no address", "a list", "deep", "another form", "no JSON", "no group"],
)
def test_a_record_that_cannot_be_read_says_which(lists, kind, payload):
    key = f"{ALICE} {BOB}" if kind == CONTACT else ALICE

    with pytest.raises(ValueError, match=kind):
        lists.take(Record(kind, key, ALICE, 1, NEVER, payload))
