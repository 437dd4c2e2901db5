from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.contacts import (
    DEFAULT_GROUP,
    Contact,
    ContactDelta,
    ContactList,
    Group,
    read_contact_delta,
    read_contact_list,
    write_contact_delta,
    write_contact_list,
)

WORK = Group(2, "Work")
BOB = Contact("sip:bob@example.test", "Bob", (1, 2))


def test_a_list_is_written_in_full_and_without_schemes():
    contacts = ContactList(
        7,
        [DEFAULT_GROUP, Group(2, "A & B", "u:x")],
        [BOB, Contact("tel:+4930123", "", (1,), False, 'u:"')],
    )

    assert write_contact_list(contacts).decode() == (
        '<contactList deltaNum="7"><group id="1" name="~" externalURI=""/>'
        '<group id="2" name="A &amp; B" externalURI="u:x"/>'
        '<contact uri="bob@example.test" name="Bob" groups="1 2" subscribed="true"'
        ' externalURI=""/>'
        '<contact uri="tel:+4930123" name="" groups="1" subscribed="false"'
        ' externalURI="u:&quot;"/></contactList>'
    )


def test_a_new_list_has_its_one_group():
    assert write_contact_list(ContactList()) == (
        b'<contactList deltaNum="1"><group id="1" name="~" externalURI=""/></contactList>'
    )


def test_a_delta_is_written_in_full_and_with_schemes():
    former = ContactList(
        7,
        [DEFAULT_GROUP, WORK, Group(3, "Old")],
        [BOB, Contact("sip:dave@example.test"), Contact("sip:eve@example.test")],
    )
    now = ContactList(
        9,
        [DEFAULT_GROUP, Group(2, "Office"), Group(4, "New")],
        [
            Contact("sip:bob@example.test", "Bobby", (2,)),
            Contact("sip:eve@example.test"),
            Contact("sip:carol@example.test", "", (4,)),
        ],
    )

    assert write_contact_delta(former, now).decode() == (
        '<contactDelta deltaNum="9" prevDeltaNum="7">'
        '<addedGroup id="4" name="New" externalURI=""/>'
        '<modifiedGroup id="2" name="Office" externalURI=""/>'
        '<addedContact uri="sip:carol@example.test" name="" groups="4"'
        ' subscribed="true" externalURI=""/>'
        '<modifiedContact uri="sip:bob@example.test" name="Bobby" groups="2"'
        ' subscribed="true" externalURI=""/>'
        '<deletedGroup id="3"/><deletedContact uri="sip:dave@example.test"/>'
        "</contactDelta>"
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<x/>", "the root is 'x', not contactList"),
        (b"<contactList/>", "contactList: no deltaNum"),
        (b'<contactList deltaNum="1"><group/></contactList>', "group 1: no id"),
        (b'<contactList deltaNum="1"><contact/></contactList>', "contact 1: no uri"),
        (
            b'<contactList deltaNum="1"><contact uri="a" groups="1 x"/></contactList>',
            "contact 1: groups is 'x', which is no number",
        ),
        (
            b'<contactList deltaNum="1"><contact uri="a" subscribed="y"/></contactList>',
            "contact 1: subscribed is 'y', not true or false",
        ),
    ],
)
def test_what_is_wrong_with_a_list_is_said(why, data, reason):
    assert why(read_contact_list, data).startswith(reason)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<contactList/>", "the root is 'contactList', not contactDelta"),
        (b'<contactDelta deltaNum="1"/>', "contactDelta: no prevDeltaNum"),
        (
            b'<contactDelta deltaNum="1" prevDeltaNum="0"><deletedGroup/></contactDelta>',
            "deletedGroup 1: no id",
        ),
    ],
)
def test_what_is_wrong_with_a_delta_is_said(why, data, reason):
    assert why(read_contact_delta, data).startswith(reason)


NUMBERS = st.integers(0, 2**32 - 1)
NAMES = st.text("ab<&>\"' \u00e4", max_size=5).map(str.strip)
GROUPS = st.builds(Group, st.integers(1, 4), NAMES, NAMES)
CONTACTS = st.builds(
    Contact,
    st.sampled_from(
        [
            "sip:a@example.test",
            "sip:b@example.test",
            "tel:+49",
            "sip:c;d=e@example.test",
        ]
    ),
    NAMES,
    st.lists(st.integers(1, 4), max_size=3, unique=True).map(tuple),
    st.booleans(),
    NAMES,
)
LISTS = st.builds(
    ContactList,
    NUMBERS,
    st.lists(GROUPS, max_size=4, unique_by=lambda each: each.id).map(tuple),
    st.lists(CONTACTS, max_size=4, unique_by=lambda each: each.uri).map(tuple),
)


@given(LISTS)
def test_a_list_is_read_as_it_was_written(contacts):
    assert read_contact_list(write_contact_list(contacts)) == contacts


@given(LISTS, LISTS)
def test_a_delta_makes_the_later_list_of_the_former_one(former, now):
    delta = read_contact_delta(write_contact_delta(former, now))

    applied = delta.applied(former)

    assert applied.delta == now.delta
    assert set(applied.groups) == set(now.groups)
    assert set(applied.contacts) == set(now.contacts)
    assert delta.former == former.delta


@given(LISTS)
def test_nothing_is_told_of_what_did_not_change(contacts):
    delta = ContactDelta.between(contacts, contacts)

    assert delta == ContactDelta(contacts.delta, contacts.delta)
