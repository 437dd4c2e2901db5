"""What a user's own endpoints are told of what he publishes."""

from __future__ import annotations

import pytest

from presproxy.documents.lync.categories import CategoryName
from presproxy.documents.lync.roaming import read_roaming
from presproxy.packages.presence import PresencePackage
from presproxy.packages.roaming_self import RoamingSelfPackage
from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.lync import LyncClient, note, state
from presproxy.testing.wire import Message, pidf

OTHER = "185e0bd8-031c-5a0d-8d9a-f149aae6954a"
ROAMING_LIST = (
    '<roamingList xmlns="http://schemas.microsoft.com/2006/09/sip/roaming-self">'
    '<roaming type="categories"/><roaming type="containers"/>'
    '<roaming type="subscribers"/></roamingList>'
)
MACHINE = CategoryName("state", 988436328, 2)


@pytest.fixture
def desk():
    return Desk(packages=(PresencePackage(), RoamingSelfPackage()))


def subscribe(client):
    return client.ask(
        "SUBSCRIBE",
        {
            "Event": "vnd-microsoft-roaming-self",
            "Accept": "application/vnd-microsoft-roaming-self+xml",
            "Supported": [
                "com.microsoft.autoextend",
                "ms-benotify",
                "ms-piggyback-first-notify",
            ],
            "Proxy-Require": "ms-benotify",
            "Contact": client.contact,
            "Content-Type": "application/vnd-microsoft-roaming-self+xml",
        },
        ROAMING_LIST,
    )


@pytest.fixture
def signed_in(desk):
    """A client that is signed in and watches its user."""

    def made(epid="e1", port=40001, instance=OTHER):
        client = LyncClient(
            desk,
            epid=epid,
            instance=instance,
            flow=RecordingStream(("192.0.2.1", port)),
        )
        assert client.register().status == 200
        return client, read_roaming(subscribe(client).body)

    return made


def told(desk, client):
    """Let the reactor turn; give what a client was told since this was asked last."""
    desk.clock.advance(0)
    messages = [Message.read(data) for _, data in client.flow.sent]
    client.flow.sent.clear()
    return [
        read_roaming(each.body)
        for each in messages
        if each.method == "BENOTIFY" and each.body
    ]


def versions(roaming):
    return {
        each.name: each.version
        for each in roaming.categories or ()
        if each.name.instance != 1
    }


def test_who_signs_in_is_told_all_there_is(signed_in):
    one, first = signed_in()
    one.publish(state(), note("Here"))

    _, second = signed_in("e2", 40002)

    assert [*first.categories] == []
    assert versions(second) == {MACHINE: 1, CategoryName("note", 0, 200): 1}
    assert len([each for each in second.categories if each.name.instance == 1]) == 6


def test_all_endpoints_are_told_what_one_publishes(desk, signed_in):
    one, _ = signed_in()
    two, _ = signed_in("e2", 40002)
    told(desk, two)

    one.publish(state(), note("Here"))
    one.publish(note(version=1))

    (change,) = told(desk, two)
    assert versions(change) == {MACHINE: 1}
    one.publish(note("There"))
    (change,) = told(desk, two)
    assert versions(change) == {CategoryName("note", 0, 200): 1}
    one.publish(note(version=1))
    (change,) = told(desk, two)
    assert ([*change.categories], [*change.cleared]) == ([], ["note"])


def test_the_others_are_told_when_an_endpoint_ends(desk, signed_in):
    one, _ = signed_in()
    two, _ = signed_in("e2", 40002)
    one.publish(state(), state(instance=3, expire_type="user"))
    told(desk, two)

    one.flow.close()

    (change,) = told(desk, two)
    assert versions(change) == {CategoryName("state", 3, 2): 1}


def test_endpoints_are_told_what_a_phone_makes_of_their_user(desk, signed_in):
    one, _ = signed_in()

    desk.publish(pidf("sip:alice@example.test", basic="open"), user="alice")

    (change,) = told(desk, one)
    made = {each.name.container: each.body for each in change.categories}
    assert b"<availability>3500</availability>" in made[2]


def test_who_may_see_anybody_does_not_see_this(desk, signed_in):
    signed_in()
    bob = LyncClient(desk, "bob", flow=RecordingStream(("192.0.2.2", 40002)))

    answer = bob.ask(
        "SUBSCRIBE",
        {"Event": "vnd-microsoft-roaming-self", "Contact": bob.contact},
        uri="sip:alice@example.test",
    )

    assert answer.status == 403
