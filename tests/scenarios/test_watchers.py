"""What watchers answer to a NOTIFY, and where they are told."""

from __future__ import annotations

import socket

import pytest

from presproxy.testing.wire import fresh, pidf, respond

# --- What a watcher answers to a NOTIFY


@pytest.mark.parametrize("status", ["481 No Such Dialog", "404 Gone", "489 Bad Event"])
def test_an_answer_that_ends_the_dialog_ends_the_subscription(alice, bob, status):
    watching = alice.subscribe(bob.aor)
    watching.notified()
    alice.answer = lambda request: respond(request, status)
    bob.publish(pidf(bob.aor, "one"))
    watching.notified("one")
    alice.answer = respond

    bob.publish(pidf(bob.aor, "two", id="t2"))

    assert alice.rest() == []
    assert watching.again().status == 481


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        ("500 Server Error", {}),
        ("603 Decline", {}),
        ("404 Not Now", {"Retry-After": "1"}),
        ("202 Accepted", {}),
        ("200 OK, but said at length", {"X-Long": "x" * 2000}),
    ],
)
def test_any_other_answer_does_not(alice, bob, status, fields):
    watching = alice.subscribe(bob.aor)
    watching.notified()
    alice.answer = lambda request: respond(request, status, fields)
    bob.publish(pidf(bob.aor, "one"))
    watching.notified("one")
    alice.answer = respond

    bob.publish(pidf(bob.aor, "two", id="t2"))

    assert watching.notified("two")
    assert watching.again().status == 200


def test_a_first_notify_that_overtook_the_2xx_is_sent_again(server, bob, peers):
    alice = peers(server, f"{fresh('alice')}@contoso.com")
    alice.answer = lambda request: respond(request, "481 Too Early")
    watching = alice.subscribe(bob.aor)
    first = watching.notified()
    alice.answer = respond

    second = watching.notified()

    assert second.cseq == first.cseq + 1
    assert second.text == first.text


def test_a_notify_by_datagram_is_sent_again_until_it_is_answered(server, bob, peers):
    alice = peers(server, f"{fresh('alice')}@contoso.com")
    alice.answer = lambda request: None
    watching = alice.subscribe(bob.aor)
    first, second, third = (watching.notified() for _ in range(3))
    alice.send(respond(third))

    assert first.data == second.data == third.data
    # The next one would have come two seconds later.
    assert alice.rest(2.3) == []


# --- Where a watcher is told


def test_a_watcher_behind_a_translator_is_told_where_he_is_seen(server, bob, peers):
    alice = peers(server, f"{fresh('alice')}@contoso.com")
    fields = {
        "Via": f"SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK{fresh()}",
        "Contact": "<sip:alice@10.0.0.1:5060>",
    }
    watching = alice.subscribe(bob.aor, fields)

    assert watching.status == 200
    assert watching.notified().first_line == "NOTIFY sip:alice@10.0.0.1:5060 SIP/2.0"


def test_an_old_phone_is_told_on_the_port_it_listens_on(server, bob, peers):
    sends, listens = (peers(server, f"{fresh('alice')}@contoso.com") for _ in range(2))
    fields = {
        "Via": f"SIP/2.0/UDP 127.0.0.1:{listens.port};branch=z9hG4bK{fresh()}",
        "Contact": f"<{listens.contact}>",
        "Event": "presence",
    }
    sends.send(sends.write("SUBSCRIBE", bob.aor, fields))

    assert listens.expect(lambda each: each.is_response).status == 200
    assert listens.notified()
    assert sends.rest() == []


def test_a_watcher_who_moves_is_told_where_he_is_now(server, alice, bob, peers):
    watching = alice.subscribe(bob.aor)
    watching.notified()
    moved = peers(server, alice.aor[4:])
    watching.peer = moved
    watching.cseq = 5

    assert watching.again().status == 200
    assert watching.notified().first_line.startswith(f"NOTIFY {moved.contact} ")
    bob.publish(pidf(bob.aor, "there"))
    assert watching.notified("there")
    assert alice.rest() == []


def test_a_watcher_whose_connection_broke_is_told_by_a_new_one(server, bob, peers):
    alice = peers(server, f"{fresh('alice')}@contoso.com", "tcp")
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        contact = f"<sip:alice@127.0.0.1:{port};transport=tcp>"
        watching = alice.subscribe(bob.aor, {"Contact": contact})
        watching.notified()
        alice.close()
        bob.publish(pidf(bob.aor, "by another way"))
        door.settimeout(5)
        stream, _ = door.accept()
        stream.settimeout(5)
        data = stream.recv(65535)
        stream.close()

    assert data.startswith(f"NOTIFY sip:alice@127.0.0.1:{port};transport=tcp ".encode())
    assert b"by another way" in data


def test_notifies_take_the_road_their_subscribe_came_by(server, bob, peers):
    alice = peers(server, f"{fresh('alice')}@contoso.com")
    proxy = f"<sip:127.0.0.1:{alice.port};lr>"
    via = [alice.via(), "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKfar"]
    watching = alice.subscribe(
        bob.aor,
        {
            "Via": via,
            "Record-Route": [proxy, "<sip:192.0.2.7;lr>"],
            "Contact": "<sip:alice@10.0.0.1>",
        },
    )
    notify = watching.notified()

    assert watching.response.all("record-route") == [proxy, "<sip:192.0.2.7;lr>"]
    assert len(watching.response.all("via")) == 2
    assert notify.first_line == "NOTIFY sip:alice@10.0.0.1 SIP/2.0"
    assert notify.all("route") == [proxy, "<sip:192.0.2.7;lr>"]
