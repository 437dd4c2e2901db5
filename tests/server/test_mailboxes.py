"""Mailboxes: what users may watch, and what PBXs publish or tell unasked."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from presproxy.documents.messagesummary import CONTENT_TYPE
from presproxy.model.decision import NEUTRAL, Decision, Handling
from presproxy.packages.dialog import DialogPackage
from presproxy.packages.messages import MessagesPackage
from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingFlow
from presproxy.testing.scripted import ScriptedAuthenticator

EMPTY = "Messages-Waiting: no\r\n"
FULL = "Messages-Waiting: yes\r\nVoice-Message: 2/5 (0/0)\r\n"
OWN = {"Event": "message-summary"}
TOLD = {**OWN, "Content-Type": CONTENT_TYPE, "Subscription-State": "active"}
PBXS = (ip_network("198.51.100.0/24"), ip_network("2001:db8::/64"))


@pytest.fixture
def desk():
    return Desk(packages=(DialogPackage(), MessagesPackage()), pbx=PBXS)


@pytest.fixture
def pbx(desk):
    return desk.flow.towards(("198.51.100.7", 5060))


def own(desk: Desk, **fields: str):
    return desk.subscribe({**OWN, **fields}, uri="sip:alice@example.test")


def tell(
    desk: Desk, flow: RecordingFlow, body: str = FULL, uri: str = "", **fields: str
):
    """Let a NOTIFY come outside any dialog."""
    uri = uri or "sip:alice@example.test"
    return desk.ask("NOTIFY", {**TOLD, **fields}, body, uri=uri, user="pbx", flow=flow)


def told(desk: Desk) -> list[str]:
    return [notify.text for notify in desk.notified()]


def test_a_mailbox_of_which_nothing_is_known_is_empty(desk):
    data = desk.write(
        "SUBSCRIBE",
        {
            **OWN,
            "From": '"Alice" <sip:alice@example.test>;tag=spa1',
            "To": "<sip:example.test>",
            "Expires": "4294967296",
        },
        uri="sip:example.test",
    )

    desk.send(data)

    (notify,) = desk.notified()
    assert notify.text == EMPTY
    assert notify.need("subscription-state").startswith("active;expires=86400")


def test_a_user_alone_learns_what_is_in_his_mailbox():
    private = Desk(packages=(MessagesPackage(),))
    shared = Desk(packages=(MessagesPackage(shared=True),))

    assert private.subscribe(OWN).status == 403
    assert shared.subscribe(OWN).status == 200


def test_who_waits_for_leave_is_told_of_an_empty_mailbox(acl):
    """Some phones fail on a NOTIFY without a body."""
    acl.decision = Decision(Handling.CONFIRM, "asked", NEUTRAL)
    desk = Desk(acl, packages=(MessagesPackage(shared=True),))

    desk.subscribe(OWN)

    (notify,) = desk.notified()
    assert notify.need("subscription-state").startswith("pending")
    assert notify.text == EMPTY


def test_what_a_pbx_tells_lights_the_lamp(desk, pbx):
    own(desk)
    desk.notified()

    answer = tell(desk, pbx)

    assert answer.status == 200
    assert told(desk) == [FULL]
    assert len(desk.kept("publication")) == 1


def test_its_next_word_takes_the_place_of_its_last(desk, pbx):
    tell(desk, pbx)
    tell(desk, pbx, EMPTY)
    own(desk)

    assert told(desk) == [EMPTY]
    assert len(desk.kept("publication")) == 1


@pytest.mark.parametrize(
    ("uri", "to"),
    [
        ("sip:alice@example.test:5060", "<sip:x@example.test>"),
        ("sip:alice@192.0.2.77:5062;transport=tcp", "<sip:alice@example.test>"),
        ("sip:alice@pbx.example.net", "<sip:alice@pbx.example.net>"),
        ("sip:192.0.2.77", "<sip:alice@pbx.example.net>"),
    ],
    ids=["ours", "by To", "by its user", "by the user of To"],
)
def test_a_mailbox_is_found_by_what_pbxs_call_it(desk, pbx, uri, to):
    own(desk)
    desk.notified()

    assert tell(desk, pbx, uri=uri, To=to).status == 200
    assert told(desk) == [FULL]


@pytest.mark.parametrize(
    ("fields", "body", "status"),
    [
        ({}, "nonsense", 400),
        ({}, "", 400),
        ({"Content-Type": "text/plain"}, FULL, 415),
        ({"To": "<sip:alice@example.test>;tag=1"}, FULL, 481),
        ({"Event": "dialog"}, FULL, 481),
        ({"Via": "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKa,SIP/2.0/UDP h"}, FULL, 481),
    ],
    ids=["nonsense", "nothing", "type", "dialog", "event", "passed on"],
)
def test_what_cannot_be_kept_is_refused(desk, pbx, fields, body, status):
    assert tell(desk, pbx, body, **fields).status == status
    assert desk.kept("publication") == []


def test_a_stranger_is_not_believed(desk):
    assert tell(desk, desk.flow).status == 481
    assert desk.kept("publication") == []


def test_a_request_uri_without_any_user_is_refused(desk, pbx):
    answer = tell(desk, pbx, uri="sip:192.0.2.77", To="<sip:192.0.2.77>")

    assert answer.status == 400


# --- PUBLISH


@pytest.fixture
def guarded():
    return Desk(auth=[ScriptedAuthenticator()], packages=(MessagesPackage(),), pbx=PBXS)


def publish(desk: Desk, flow: RecordingFlow, **fields: str):
    return desk.ask(
        "PUBLISH",
        {**OWN, "Content-Type": CONTENT_TYPE, **fields},
        FULL,
        uri="sip:alice@example.test",
        user="pbx",
        flow=flow,
    )


@pytest.mark.parametrize("host", ["198.51.100.9", "::ffff:198.51.100.9", "2001:db8::9"])
def test_a_pbx_publishes_for_all_and_is_asked_for_no_password(guarded, host):
    pbx = guarded.flow.towards((host, 5060))

    assert publish(guarded, pbx).status == 200
    assert len(guarded.kept("publication")) == 1


def test_whoever_is_no_pbx_does_not(guarded, desk):
    assert publish(guarded, guarded.flow).status == 401
    assert publish(desk, desk.flow).status == 403


def test_what_a_pbx_passes_on_is_asked_who_it_is_of(guarded):
    pbx = guarded.flow.towards(("198.51.100.9", 5060))
    two = (
        "SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKx,SIP/2.0/UDP 192.0.2.3;branch=z9hG4bKy"
    )

    assert publish(guarded, pbx, Via=two).status == 401
