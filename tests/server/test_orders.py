"""NOTIFYs that have a phone do something, from PBXs and servers behind to phones."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from presproxy.server.front.options import FrontOptions
from presproxy.server.front.routes import Registrar
from presproxy.server.orders import EVENTS
from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.phones import Phone
from presproxy.testing.scripted import ScriptedAuthenticator

BOB = "sip:bob@example.test"
PBX = ("198.51.100.7", 5060)
ORDER = {"Event": "check-sync;reboot=true"}


def statuses(phone):
    return [each.status for each in phone.read()]


@pytest.fixture
def desk():
    return Desk(pbx=(ip_network("198.51.100.0/24"),))


@pytest.fixture
def pbx(desk):
    return Phone(desk, "pbx", desk.flow.towards(PBX))


@pytest.fixture
def bob(desk):
    phone = Phone(desk, "bob", RecordingStream(("192.0.2.50", 40001)))
    phone.register()
    return phone


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_an_order_of_a_pbx_goes_to_the_phone_and_its_answer_back(bob, pbx, event):
    pbx.send("NOTIFY", BOB, {"Event": event})
    (order,) = bob.read()
    bob.respond(order)

    assert order.first_line == f"NOTIFY {bob.contact} SIP/2.0"
    assert order.get("event") == event
    assert statuses(pbx) == [200]


def test_an_order_is_given_as_it_came(bob, pbx):
    pbx.send("NOTIFY", BOB, {**ORDER, "Content-Type": "text/plain"}, "now")
    (order,) = bob.read()

    assert order.get("event") == "check-sync;reboot=true"
    assert order.text == "now"
    assert order.get("record-route") is None


def test_nobody_else_gives_orders(desk, bob):
    stranger = Phone(desk, "mallory", RecordingStream(("203.0.113.9", 40002)))

    stranger.send("NOTIFY", BOB, ORDER)

    assert statuses(stranger) == [481]
    assert bob.read() == []


@pytest.mark.parametrize(
    ("uri", "fields", "status"),
    [
        (BOB, {"Event": "presence"}, 481),
        (BOB, {**ORDER, "To": f"<{BOB}>;tag=1"}, 481),
        ("sip:carol@example.test", ORDER, 480),
        ("sip:bob@elsewhere.test", ORDER, 404),
        (
            BOB,
            {**ORDER, "Via": ["SIP/2.0/UDP h;branch=z9hG4bKa", "SIP/2.0/UDP i"]},
            481,
        ),
    ],
    ids=["event", "dialog", "not there", "not ours", "passed on"],
)
def test_what_is_no_order_for_a_phone_goes_to_none(bob, pbx, uri, fields, status):
    if isinstance(fields.get("Via"), list):
        first = "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKp"
        fields = {**fields, "Via": [first, *fields["Via"]]}

    pbx.send("NOTIFY", uri, fields)

    assert statuses(pbx) == [status]
    assert bob.read() == []


def test_a_pbx_is_asked_for_no_password():
    desk = Desk(auth=[ScriptedAuthenticator()], pbx=(ip_network("198.51.100.0/24"),))
    pbx = Phone(desk, "pbx", desk.flow.towards(PBX))

    pbx.send("NOTIFY", BOB, ORDER)

    assert statuses(pbx) == [480]


def test_the_server_behind_gives_orders_to_whoever_is_registered_here():
    options = FrontOptions(registrar=Registrar.LOCAL, neighbours=("192.0.2.10",))
    desk = Desk(more={"upstream": "sip:192.0.2.10:5070", "front": options})
    bob = Phone(desk, "bob", RecordingStream(("192.0.2.50", 40001)))
    bob.register()
    behind = Phone(desk, "pbx", desk.flow.towards(("192.0.2.10", 5070)))

    behind.send("NOTIFY", BOB, ORDER)
    (order,) = bob.read()
    bob.respond(order)

    assert statuses(behind) == [200]
