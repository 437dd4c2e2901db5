"""Lists that Lync clients keep here: what was answered is there after a kill."""

from __future__ import annotations

import pytest

from presproxy.documents.lync import containers, soap
from presproxy.documents.lync.contacts import (
    CONTENT_TYPE,
    Contact,
    ContactDelta,
    Group,
    read_contact_delta,
    read_contact_list,
)
from presproxy.documents.lync.containers import (
    BLOCKED,
    ContainerChange,
    Member,
    MemberType,
)
from presproxy.documents.lync.soapwriting import write_soap
from presproxy.testing.wire import pidf

ALICE, BOB, EVE = "sip:alice@contoso.com", "sip:bob@contoso.com", "sip:eve@fabrikam.com"


@pytest.fixture
def server(servers):
    """A server of this test only, which may be killed."""
    return servers()


@pytest.fixture
def client(server, peers):
    """Makes connections of Alice's."""
    return lambda: peers(server, "alice@contoso.com", "tcp")


def serve(client, content_type, body):
    fields = {"Content-Type": content_type}
    return client.ask("SERVICE", ALICE, fields, body.decode())


def call(client, asked):
    return serve(client, soap.CONTENT_TYPE, write_soap(asked))


def change(client, *changes):
    body = containers.write_container_members(changes)
    return serve(client, containers.CONTENT_TYPE, body)


def test_groups_contacts_and_containers_are_there_after_a_kill(server, client, peers):
    alice = client()
    answers = [
        call(alice, soap.AddGroup("Work", delta=1)),
        call(alice, soap.SetContact(BOB, "Bob", (2,), delta=2)),
        call(alice, soap.SetContact(EVE, "", (), delta=3)),
        change(alice, ContainerChange(BLOCKED, 0, [Member(MemberType.USER, BOB[4:])])),
    ]
    server.kill()
    server.start()

    alice, bob = client(), peers(server, "bob@contoso.com")
    alice.publish(pidf(ALICE, "secret"))
    kept = read_contact_list(alice.fetch(ALICE, "vnd-microsoft-roaming-contacts").body)
    watching = bob.subscribe(ALICE)

    assert [each.status for each in answers] == [200] * 4
    assert kept.groups[1:] == (Group(2, "Work"),)
    assert set(kept.contacts) == {Contact(BOB, "Bob", (2,)), Contact(EVE)}
    assert "secret" not in watching.notified().text
    said = server.show(f"explain?watcher={BOB}&presentity={ALICE}")
    assert (said["decision"]["plugin"], said["decision"]["handling"]) == (
        "containers",
        "polite-block",
    )


def test_a_list_is_one_whoever_writes_to_it(server, client):
    alice = client()
    watching = alice.subscribe(ALICE, event="vnd-microsoft-roaming-contacts")
    first = watching.notified()

    server.handle(ALICE, EVE, "allow")
    added = watching.notified()
    answer = call(alice, soap.DeleteContact(EVE, delta=2))
    deleted = watching.notified()

    assert (first.get("content-type"), answer.status) == (CONTENT_TYPE, 200)
    assert read_contact_delta(added.body) == ContactDelta(2, 1, added=(Contact(EVE),))
    assert read_contact_delta(deleted.body) == ContactDelta(3, 2, deleted=(EVE,))
    assert server.show(f"contacts/{ALICE}")["contacts"] == []
