from __future__ import annotations

import pytest
import pytest_twisted

from presproxy.documents.lync import soap
from presproxy.documents.lync.contacts import (
    DEFAULT_GROUP,
    Contact,
    ContactDelta,
    ContactList,
    Group,
    read_contact_delta,
    read_contact_list,
)
from presproxy.documents.lync.older import read_acl
from presproxy.documents.lync.soapwriting import write_soap
from presproxy.errors import StorageUnavailable
from presproxy.model.decision import Handling

ALICE, BOB, EVE = (
    "sip:alice@example.test",
    "sip:bob@example.test",
    "sip:eve@elsewhere.test",
)
SOAP = "application/SOAP+xml"
CONTACTS = "vnd-microsoft-roaming-contacts"


def shown(desk):
    return desk.server.lync.lists.contacts.shown(ALICE)


@pytest.fixture
def call(serve):
    """Ask for something about Alice's contacts."""

    def called(call, **options):
        return serve(SOAP, write_soap(call), **options)

    return called


def test_a_contact_is_added_changed_and_deleted(lync_desk, call):
    answers = [
        call(soap.SetContact("sip:Eve@ELSEWHERE.test:5060", "Eve", (1,), delta=1)),
        call(soap.SetContact("sip:Eve@elsewhere.test", "E.", (), False, "x", delta=2)),
    ]
    there = shown(lync_desk)
    answers.append(call(soap.DeleteContact("sip:Eve@elsewhere.test", delta=3)))

    assert [each.status for each in answers] == [200, 200, 200]
    assert [each.text for each in answers] == ["", "", ""]
    assert there.contacts == (
        Contact("sip:Eve@elsewhere.test", "E.", (1,), False, "x"),
    )
    assert shown(lync_desk) == ContactList(4)


def test_an_address_of_ours_has_no_port_in_the_list(lync_desk, call):
    call(soap.SetContact("sip:bob@example.test:5070", "", ()))

    assert [each.uri for each in shown(lync_desk).contacts] == [BOB]


def test_a_group_is_added_named_anew_and_deleted(lync_desk, call):
    added = call(soap.AddGroup("Work", delta=1))
    renamed = call(soap.ModifyGroup(2, "Office", delta=2))
    there = shown(lync_desk).groups
    deleted = call(soap.DeleteGroup(2, delta=3))

    assert (added.status, renamed.status, deleted.status) == (200, 200, 200)
    assert added.get("content-type") == SOAP
    assert "<m:groupID>2</m:groupID>" in added.text
    assert there == (DEFAULT_GROUP, Group(2, "Office"))
    assert shown(lync_desk).groups == (DEFAULT_GROUP,)


def test_the_first_group_is_there_already(lync_desk, call):
    added = call(soap.AddGroup("~", delta=1))

    assert "<m:groupID>1</m:groupID>" in added.text


def test_all_clients_of_the_user_are_told_after_the_answer(lync_desk, call):
    for _ in range(2):
        lync_desk.subscribe({"Event": CONTACTS}, uri=ALICE)
    first = lync_desk.notified()

    answer = call(soap.SetContact(EVE, "Eve", ()))
    sent_first = lync_desk.messages[-1]
    told = [read_contact_delta(each.body) for each in lync_desk.notified()]

    assert sent_first.status == answer.status == 200
    assert [read_contact_list(each.body) for each in first] == [ContactList(1)] * 2
    assert told == [ContactDelta(2, 1, added=(Contact(EVE, "Eve"),))] * 2


def test_calls_on_an_old_number_are_done_all_the_same(lync_desk, call):
    statuses = [
        call(soap.AddGroup(name, delta=1)).status for name in ("Work", "Friends")
    ]

    assert statuses == [200, 200]
    assert shown(lync_desk).delta == 3


@pytest.mark.parametrize(
    ("asked", "status", "why"),
    [
        (soap.ModifyGroup(7, "x"), 404, "no group has the number 7"),
        (soap.DeleteGroup(7), 404, "no group has the number 7"),
        (soap.DeleteGroup(1), 403, "the first group stays as it is"),
        (soap.ModifyGroup(1, "x"), 403, "the first group stays as it is"),
        (soap.SetContact("sip:", "", ()), 400, "uri"),
        (soap.SetContact("mailto:eve@elsewhere.test", "", ()), 400, "uri"),
        (soap.GetPresence(BOB), 501, "This call is not served"),
        (soap.SetAce("ALL", "", "DD"), 403, "said by the house"),
        (soap.SetAce("DOMAIN", "a b", "DD"), 400, "uri"),
        (soap.SetAce("USER", "sip:", "DD"), 400, "uri"),
    ],
    ids=[
        "rename no group",
        "delete no group",
        "delete the first",
        "rename the first",
        "no address",
        "no SIP address",
        "another call",
        "rights of all",
        "rights of no domain",
        "rights of nobody",
    ],
)
def test_what_cannot_be_done_is_said_in_an_envelope(
    lync_desk, call, asked, status, why
):
    answer = call(asked)

    assert answer.status == status
    assert answer.get("content-type") == SOAP
    assert why in answer.text.lower() or why in answer.text
    assert shown(lync_desk) == ContactList(1)
    assert lync_desk.defects == 0


def test_a_full_list_says_so(lync_desk, call):
    lync_desk.server.lync.lists.contacts.lists.limit = 1
    call(soap.SetContact(BOB, "", ()))

    answer = call(soap.SetContact(EVE, "", ()))

    assert answer.status == 403
    assert "at most 1 contacts" in answer.text


@pytest.mark.parametrize(
    "body",
    ["", "<a", "<s:Envelope xmlns:s='x'/>", "<Envelope><Body><m/></Body></Envelope>"],
    ids=["empty", "not well-formed", "no body", "no call"],
)
def test_what_is_no_call_is_a_bad_request(lync_desk, serve, body):
    answer = serve(SOAP, body)

    assert answer.status == 400
    assert answer.get("content-type").lower() == SOAP.lower()
    assert "Fault" in answer.text
    assert shown(lync_desk) == ContactList(1)


@pytest.mark.parametrize(
    ("user", "uri", "status"),
    [
        ("bob", ALICE, 403),
        ("alice", BOB, 403),
        ("alice", "sip:alice@elsewhere.test", 404),
    ],
    ids=["somebody's list", "another's list", "not ours"],
)
def test_only_the_owner_changes_a_list(lync_desk, call, user, uri, status):
    answer = call(soap.SetContact(EVE, "Eve", ()), user=user, uri=uri)

    assert answer.status == status
    assert shown(lync_desk) == ContactList(1)


def test_what_could_not_be_kept_changes_nothing(lync_desk, call):
    lync_desk.storage.failure = StorageUnavailable("the disk is full")

    answer = call(soap.SetContact(EVE, "Eve", ()))

    assert answer.status == 503
    assert shown(lync_desk) == ContactList(1)


def test_nobody_is_found_in_a_directory_that_is_not_there(lync_desk, call):
    answer = call(soap.DirectorySearch((("givenName", "Bob"),)), uri="sip:example.test")

    assert answer.status == 200
    assert "directorySearch" in answer.text


@pytest.mark.parametrize(
    ("rights", "handling"),
    [
        ("AA", Handling.ALLOW),
        ("PA", Handling.CONFIRM),
        ("BA", Handling.POLITE_BLOCK),
        ("DD", Handling.BLOCK),
    ],
)
def test_rights_of_2005_are_what_the_list_says(lync_desk, call, rights, handling):
    user = call(soap.SetAce("USER", EVE, rights))
    domain = call(soap.SetAce("DOMAIN", "Example.ORG", rights))

    assert (user.status, domain.status) == (200, 200)
    assert lync_desk.server.lync.lists.contacts.of(ALICE) == {
        EVE: handling,
        "sip:*@example.org": handling,
    }


@pytest_twisted.ensureDeferred
async def test_clients_of_2005_are_told_of_rights(lync_desk):
    lync_desk.subscribe({"Event": "vnd-microsoft-roaming-ACL"}, uri=ALICE)
    (first,) = lync_desk.notified()

    await lync_desk.server.lync.lists.contacts.handle(ALICE, EVE, Handling.BLOCK)
    (second,) = lync_desk.notified()

    assert read_acl(first.body) == (1, ())
    delta, (entry,) = read_acl(second.body)
    assert (delta, entry.type, entry.mask, entry.rights) == (2, "USER", EVE, "DA")
