"""Whatever stands in a body, a reader reads it or refuses it, and says why in a line."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presproxy.documents.lync import soapwriting
from presproxy.documents.lync.batch import (
    Batch,
    BatchAction,
    BatchResource,
    read_batch,
    write_batch,
)
from presproxy.documents.lync.categories import (
    Asked,
    Category,
    CategoryName,
    ExpireType,
    Publish,
    Stale,
    read_categories,
    read_fault,
    read_publish,
    write_categories,
    write_fault,
    write_publish,
)
from presproxy.documents.lync.contacts import (
    DEFAULT_GROUP,
    Contact,
    ContactList,
    read_contact_delta,
    read_contact_list,
    write_contact_delta,
    write_contact_list,
)
from presproxy.documents.lync.containers import (
    Container,
    ContainerChange,
    Member,
    MemberType,
    read_container_members,
    write_container_members,
)
from presproxy.documents.lync.older import (
    AccessEntry,
    DevicePresence,
    OlderPresence,
    read_acl,
    read_older_presence,
    read_pending,
    write_acl,
    write_older_presence,
    write_pending,
)
from presproxy.documents.lync.provisioning import (
    read_provisioning,
    read_provisioning_groups,
    write_provisioning,
    write_provisioning_query,
)
from presproxy.documents.lync.roaming import (
    PARTS,
    read_roaming,
    read_roaming_list,
    write_roaming,
    write_roaming_list,
)
from presproxy.documents.lync.soap import (
    AddGroup,
    DeleteContact,
    DeleteGroup,
    DirectorySearch,
    GetPresence,
    ModifyGroup,
    SetAce,
    SetContact,
    SetPresence,
    read_soap,
)
from presproxy.documents.lync.subscribers import (
    Subscriber,
    read_set_subscribers,
    write_set_subscribers,
)
from presproxy.documents.rlmi import (
    RlmiInstance,
    RlmiResource,
    read_rlmi,
    write_rlmi,
)
from presproxy.errors import MalformedDocument

BOB = "sip:bob@example.test"
STATE = (
    b'<state xmlns="u:s" xmlns:x="http://www.w3.org/2001/XMLSchema-instance"'
    b' x:type="userState"><availability>3500</availability></state>'
)
NAME = CategoryName("state", 1, 2)
CATEGORY = Category(NAME, 3, ExpireType.TIME, STATE, 10.0, 20.0)
MEMBER = Member(MemberType.USER, "bob@example.test")
CONTACTS = ContactList(1, [DEFAULT_GROUP], [Contact(BOB, "Bob")])
CALLS = [
    SetContact(BOB, "Bob", (1, 2), delta=3),
    DeleteContact(BOB),
    AddGroup("g"),
    ModifyGroup(1, "g"),
    DeleteGroup(1),
    DirectorySearch((("givenName", "b"),)),
    SetPresence(BOB, 300, 400, "n", "d"),
    GetPresence(BOB),
    SetAce("USER", BOB, "AA"),
]
ACTION = BatchAction(True, "1", [BatchResource(BOB, True)], ["state"])

#: What each reader can read.
SAMPLES = {
    read_publish: [
        write_publish(Publish(BOB, [Asked(NAME, 1, ExpireType.TIME, 60, STATE)]))
    ],
    read_categories: [write_categories(BOB, [CATEGORY], ["note"])],
    read_fault: [write_fault([Stale(1, 1, 6)])],
    read_roaming_list: [write_roaming_list(PARTS)],
    read_roaming: [
        write_roaming(
            BOB,
            categories=[CATEGORY],
            containers=[Container(200, 1, frozenset({MEMBER}))],
            subscribers=[Subscriber(BOB, MemberType.USER)],
        )
    ],
    read_container_members: [
        write_container_members([ContainerChange(200, 1, [MEMBER], [MEMBER])])
    ],
    read_set_subscribers: [write_set_subscribers([(BOB, True)])],
    read_contact_list: [write_contact_list(CONTACTS)],
    read_contact_delta: [
        write_contact_delta(ContactList(), CONTACTS),
        write_contact_delta(CONTACTS, ContactList(2, ())),
    ],
    read_soap: [soapwriting.write_soap(call) for call in CALLS],
    partial(read_batch, most=10): [write_batch(Batch(BOB, [ACTION]))],
    read_provisioning: [write_provisioning_query(["a"])],
    read_provisioning_groups: [write_provisioning(["a"])],
    read_older_presence: [
        write_older_presence(
            OlderPresence(
                BOB, 1, 2, "n", "d", "e", "p", "f", [DevicePresence("g", 3, 4, 5)]
            )
        )
    ],
    read_acl: [write_acl(1, [AccessEntry("USER", BOB, "AA")])],
    read_pending: [write_pending([(BOB, "Bob")])],
    read_rlmi: [
        write_rlmi(
            BOB, 1, True, [RlmiResource(BOB, [RlmiInstance("0", "active")], "B")]
        )
    ],
}


def name(read: object) -> str:
    return getattr(read, "func", read).__name__


PUT = st.sampled_from(
    [
        *(b"", b'"', b"<", b">", b"/>", b"-1", b"x", b"99999999999", b"&#0;", b" "),
        *(b"<x/>", b' version="\xff"', b"\xc3\xa4", b"&#10;", b' xmlns=""', b"p:"),
    ]
) | st.binary(max_size=4)


READERS = st.sampled_from(list(SAMPLES))


@pytest.mark.parametrize("read", SAMPLES, ids=name)
def test_a_sample_is_read(read):
    for sample in SAMPLES[read]:
        assert read(sample)


@settings(max_examples=1500)
@given(READERS, st.data())
def test_a_document_that_was_damaged_is_read_or_refused(read, data):
    document = data.draw(st.sampled_from(SAMPLES[read]))
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(document)))
        end = data.draw(st.integers(begin, min(len(document), begin + 40)))
        document = document[:begin] + data.draw(PUT) + document[end:]

    assert "\n" not in refusal(read, document)


@settings(max_examples=1500)
@given(READERS, st.data())
def test_a_value_that_is_another_is_read_or_refused(read, data):
    parts = data.draw(st.sampled_from(SAMPLES[read])).split(b'"')
    at = data.draw(st.integers(0, (len(parts) - 3) // 2)) * 2 + 1
    value = data.draw(st.text("019-+. \u0663abc:/@&#;", max_size=12))
    parts[at] = value.replace("&", "&amp;").encode()

    assert "\n" not in refusal(read, b'"'.join(parts))


@pytest.mark.parametrize("read", SAMPLES, ids=name)
def test_a_document_of_another_kind_is_refused(read):
    for other, samples in SAMPLES.items():
        if other is not read:
            assert refusal(read, samples[0]) != ""


def refusal(read: object, document: bytes) -> str:
    """Give why a document was refused, empty if it was not."""
    try:
        read(document)  # type: ignore[operator]
    except MalformedDocument as refused:
        return str(refused)
    return ""
