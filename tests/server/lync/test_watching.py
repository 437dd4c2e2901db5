"""What clients see of each other, with the packages there are: one publishes, one watches."""

from __future__ import annotations

import pytest

from presproxy.documents.lync import batch as batches
from presproxy.documents.lync.batch import Batch, BatchAction, BatchResource
from presproxy.packages.presence import PresencePackage
from presproxy.packages.provisioning import ProvisioningV2Package
from presproxy.packages.roaming_self import RoamingSelfPackage
from presproxy.packages.winfo import WinfoPackage
from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.lync import LyncClient, note, state
from presproxy.testing.wire import Message, pidf

ALICE = "sip:alice@example.test"
BOB = "sip:bob@example.test"
RIDING = ["ms-benotify", "ms-piggyback-first-notify", "eventlist"]
SELF = "vnd-microsoft-roaming-self"
ROAMING = "http://schemas.microsoft.com/2006/09/sip/roaming-self"
GROUPS = "http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist"
KIND = "application/msrtc-event-categories+xml"


@pytest.fixture
def desk(acl):
    packages = (
        PresencePackage(),
        WinfoPackage(),
        RoamingSelfPackage(),
        ProvisioningV2Package(),
    )
    return Desk(acl, packages=packages)


@pytest.fixture
def alice(desk):
    client = LyncClient(desk)
    client.register()
    return client


@pytest.fixture
def bob(desk):
    flow = RecordingStream(("192.0.2.2", 40001))
    client = LyncClient(desk, "bob", "e2", flow=flow)
    client.register()
    return client


def watch(client, *uris, fields=None, is_new=False):
    resources = [BatchResource(uri, is_new) for uri in uris]
    actions = [BatchAction(True, "1", resources, ("state", "note"))]
    body = batches.write_batch(Batch(client.uri, actions)).decode()
    return client.ask(
        "SUBSCRIBE",
        {
            "Event": "presence",
            "Supported": RIDING,
            "Require": "adhoclist, categoryList",
            "Accept": f"application/rlmi+xml, multipart/related, {KIND}",
            "Content-Type": batches.CONTENT_TYPE,
            **(fields or {}),
        },
        body,
    )


def watch_self(client, body=""):
    kind = "application/vnd-microsoft-roaming-self+xml" if body else None
    fields = {"Event": SELF, "Supported": RIDING, "Content-Type": kind}
    return client.ask("SUBSCRIBE", fields, body)


def told(desk, client):
    """The BENOTIFYs that a client was sent."""
    desk.clock.advance(0)
    desk.clock.advance(0)
    sent = [Message.read(data) for _, data in client.flow.sent]
    return [each for each in sent if each.method == "BENOTIFY"]


def test_what_one_publishes_another_sees(desk, alice, bob):
    first = watch(alice, BOB)

    bob.publish(state(6500), note("busy bee"))

    (change,) = told(desk, alice)
    assert "<availability>18500</availability>" in first.text
    assert change.get("content-type") == KIND
    assert "<availability>6500</availability>" in change.text
    assert "busy bee" in change.text


def test_who_signs_off_is_offline_and_watches_nobody(desk, alice, bob):
    watch(alice, BOB)
    watch(bob, ALICE)
    watch_self(bob)
    bob.publish(state(6500))
    told(desk, alice)

    bob.register({"Expires": "0"})

    assert "<availability>18500</availability>" in told(desk, alice)[-1].text
    assert [each.watcher.aor for each in desk.subscriptions] == [ALICE]
    assert desk.defects == 0


def test_a_client_that_moved_takes_nothing_with_it(desk, alice, bob):
    watch(bob, ALICE)
    old = bob.flow
    bob.flow = RecordingStream(("192.0.2.2", 40002))

    bob.register()
    before = desk.subscriptions
    watch(bob, ALICE)
    old.close()

    assert before == ()
    assert [each.presentity for each in desk.subscriptions] == [ALICE]


def test_one_who_publishes_presence_documents_is_seen_too(desk, alice):
    watch(alice, BOB)

    desk.publish(pidf(BOB, "here"))

    (change,) = told(desk, alice)
    assert "<availability>3500</availability>" in change.text
    assert "here" in change.text


def test_only_what_was_asked_for_is_told_of_oneself(alice):
    body = f'<roamingList xmlns="{ROAMING}"><roaming type="categories"/></roamingList>'

    some, everything = watch_self(alice, body), watch_self(alice)

    assert "<categories" in some.text
    assert "<containers" not in some.text
    assert "<containers" in everything.text


def test_what_one_publishes_his_own_endpoints_are_told(desk, alice):
    watch_self(alice)

    alice.publish(state())

    (change,) = told(desk, alice)
    assert change.cseq == 2
    assert 'name="state"' in change.text
    assert "<containers" not in change.text


def test_settings_are_asked_for_once_by_name(desk, alice):
    body = (
        f'<provisioningGroupList xmlns="{GROUPS}">'
        '<provisioningGroup name="ServerConfiguration"/></provisioningGroupList>'
    )

    answer = alice.ask(
        "SUBSCRIBE",
        {
            "Event": "vnd-microsoft-provisioning-v2",
            "Supported": RIDING,
            "Expires": "0",
            "Content-Type": "application/vnd-microsoft-roaming-provisioning-v2+xml",
        },
        body,
    )

    assert (answer.status, answer.get("expires")) == (200, "0")
    assert answer.get("subscription-state") == "terminated;expires=0"
    assert answer.text.count("<provisionGroup ") == 1
    assert desk.subscriptions == ()


@pytest.mark.parametrize(
    ("body", "status"), [("<roamingList", 400), ("x" * 70_000, 413)]
)
def test_what_cannot_be_read_is_refused(desk, alice, body, status):
    assert watch_self(alice, body).status == status
    assert (desk.subscriptions, desk.defects) == ((), 0)


def test_a_presence_subscription_of_its_own_is_told_in_categories(desk, alice):
    answer = alice.ask(
        "SUBSCRIBE",
        {
            "Event": "presence",
            "Supported": RIDING,
            "Accept": f"application/pidf+xml, {KIND}",
        },
        uri=BOB,
    )

    assert answer.get("content-type") == KIND
    assert "<availability>18500</availability>" in answer.text


def test_whoever_is_added_learns_of_it_once(desk, alice, bob):
    first = watch_self(bob)
    watch(alice, BOB)
    before = told(desk, bob)
    watch(alice, BOB, is_new=True)
    watch(alice, BOB, is_new=True)

    (change,) = told(desk, bob)
    assert before == []
    assert "<subscriber " not in first.text
    assert change.text.count("<subscriber ") == 1
    assert 'user="alice@example.test"' in change.text
    assert 'acknowledged="false"' in change.text
