"""Flows of user agents towards a server behind (RFC 5626 §5)."""

from __future__ import annotations

import pytest

from presproxy.server.front.routes import Registrar
from presproxy.testing.flows import RecordingStream
from presproxy.testing.phones import Phone
from presproxy.testing.wire import pidf
from presproxy.transport.hop import Hop

URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
FIRST = Hop("udp", "192.0.2.10", 5070)
OK = "200 OK"
OUTBOUND = {"Supported": "path, outbound"}
FLOW = f';reg-id=1;+sip.instance="<{URN}>"'


@pytest.fixture
def bob(desk, phone_of):
    """A user agent by a connection of its own."""
    return phone_of(desk, "bob")


def one(messages):
    (message,) = messages
    return message


def statuses(phone):
    return [each.status for each in phone.read()]


def send_register(phone, pbx, more=FLOW, fields=OUTBOUND):
    """Send REGISTER, and give it as it came to the server behind."""
    contact = {"To": f"<{phone.aor}>", "Contact": f"<{phone.contact}>{more}"}
    phone.send("REGISTER", "sip:example.test", {**contact, **fields})
    return one(pbx.read())


def accept(phone, pbx, request, **fields):
    """Let the server behind accept it, and give the answer that the phone gets."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    contact = {"Contact": f"<{phone.contact}>{FLOW};expires=600"}
    pbx.respond(request, OK, {**contact, **named})
    return one(phone.read())


def is_flow(request):
    return ";ob>" in request.need("path")


def test_the_server_is_told_that_the_flow_is_found_again(bob, pbx):
    request = send_register(bob, pbx)

    assert is_flow(request)
    assert request.get("supported") == "path, outbound"


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        (FLOW, {"Supported": "path"}),
        (";reg-id=1", OUTBOUND),
        (f';+sip.instance="<{URN}>"', OUTBOUND),
        (
            FLOW,
            {
                **OUTBOUND,
                "Via": [
                    "SIP/2.0/TCP 192.0.2.50;branch=z9hG4bKp",
                    "SIP/2.0/TCP 10.0.0.7;branch=z9hG4bKu",
                ],
            },
        ),
    ],
    ids=["not asked for", "no instance", "no reg-id", "by another proxy"],
)
def test_else_it_is_not(bob, pbx, more, fields):
    assert not is_flow(send_register(bob, pbx, more, fields))


def test_a_user_agent_is_told_how_often_to_speak(bob, pbx):
    answer = accept(bob, pbx, send_register(bob, pbx), Require="outbound")

    assert answer.get("flow-timer") == "120"
    assert bob.flow.expected == 150


@pytest.mark.parametrize(
    ("fields", "timer"),
    [({}, None), ({"Require": "outbound", "Flow-Timer": "60"}, "60")],
    ids=["not done", "said by the server"],
)
def test_what_the_server_says_of_it_stands(bob, pbx, fields, timer):
    named = {name.replace("-", "_"): value for name, value in fields.items()}
    answer = accept(bob, pbx, send_register(bob, pbx), **named)

    assert answer.get("flow-timer") == timer


def test_by_datagrams_it_takes_stun(desk, phone_of, pbx):
    assert not is_flow(send_register(phone_of(desk, "bob", "datagram"), pbx))


def test_who_is_asked_by_a_flow_that_is_gone_is_said_to_be(bob, pbx):
    path = send_register(bob, pbx).get("path")
    bob.flow.close()
    pbx.send("INVITE", bob.contact, {"Route": path})

    assert 430 in statuses(pbx)


def test_a_flow_token_that_was_changed_is_refused(bob, pbx):
    path = send_register(bob, pbx).need("path")
    changed = path.replace("sip:", "sip:A", 1)
    pbx.send("INVITE", bob.contact, {"Route": changed})

    assert 403 in statuses(pbx)
    assert bob.read() == []


def test_what_the_user_agent_sends_by_its_own_path_goes_on(bob, pbx):
    path = send_register(bob, pbx).need("path")
    bob.send("INVITE", "sip:carol@example.test", {"Route": path})

    request = one(pbx.read())
    assert request.first_line == "INVITE sip:carol@example.test SIP/2.0"
    assert request.get("route") is None


def test_nobody_else_may_send_by_it(bob, alice, pbx):
    path = send_register(bob, pbx).need("path")
    alice.send("INVITE", bob.contact, {"Route": path})

    assert statuses(alice) == [403]
    assert bob.read() == []


@pytest.mark.parametrize("registrar", list(Registrar), ids=lambda each: each.value)
def test_a_watcher_is_found_by_what_he_registered_behind(build, phone_of, registrar):
    desk, behind = build(registrar=registrar)
    pbx, bob = behind.at(FIRST), phone_of(desk, "bob")
    subscribe(bob)
    bob.flow.close()
    desk.publish(pidf("sip:alice@example.test", "away"), user="alice")
    desk.clock.advance(0)

    again = Phone(desk, "bob", RecordingStream(("192.0.2.50", 49999)))
    if registrar is Registrar.LOCAL:
        to = {"To": f"<{again.aor}>", "Contact": f"<{again.contact}>{FLOW}"}
        again.send("REGISTER", "sip:example.test", {**to, **OUTBOUND})
    else:
        contact = {"Contact": f"<{again.contact}>{FLOW};expires=600"}
        pbx.respond(send_register(again, pbx), OK, contact)
    desk.clock.advance(0)

    notify = one([each for each in again.read() if not each.is_response])
    assert notify.method == "NOTIFY"
    assert "away" in notify.text


def subscribe(bob):
    # Where nobody can be reached from outside.
    contact = f'<sip:bob@10.0.0.7>;+sip.instance="<{URN}>"'
    fields = {"Event": "presence", "Contact": contact}
    bob.send("SUBSCRIBE", "sip:alice@example.test", fields)
    bob.desk.clock.advance(0)
    answer, notify = sorted(bob.read(), key=lambda each: not each.is_response)
    assert (answer.status, notify.method) == (200, "NOTIFY")
    bob.respond(notify)
