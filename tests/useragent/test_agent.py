from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent import NoAnswer, Presence, Server, UserAgent, presence_in

begin = Deferred.fromCoroutine

BOB = AddressOfRecord("sip:bob@example.test")


@pytest_twisted.ensureDeferred
async def test_it_publishes_over_each_transport(any_peer, alice_of):
    alice = await alice_of(any_peer)
    publishing = begin(alice.publish(Presence("busy", "in a call")))

    request = await any_peer.asked("PUBLISH")
    any_peer.answer(request, 200, ("SIP-ETag", "one"), ("Expires", "3600"))
    publication = await publishing

    assert request.uri == "sip:alice@example.test"
    assert request.get("event") == "presence"
    assert request.expires == 3600
    assert presence_in(request.body) == Presence("busy", "in a call")
    assert publication.entity_tag == "one"


@pytest_twisted.ensureDeferred
async def test_it_is_notified_over_each_transport(any_peer, alice_of):
    alice = await alice_of(any_peer)
    subscribing = begin(alice.subscribe(BOB))
    subscribe = await any_peer.asked("SUBSCRIBE")
    any_peer.answer(subscribe, 200, ("Expires", "600"), any_peer.contact)
    subscription = await subscribing

    any_peer.notify(subscribe, 1, "active;expires=600", b"<presence/>")
    notification = await subscription.next()

    assert (await any_peer.answered()).status == 200
    assert notification.body == b"<presence/>"
    assert notification.subscription.expires == 600


@pytest_twisted.ensureDeferred
async def test_its_contact_is_where_it_can_be_reached(any_peer, alice_of):
    alice = await alice_of(any_peer)
    asking = begin(alice.options())

    options = await any_peer.asked("OPTIONS")
    any_peer.answer(options, 200)
    await asking

    contact = options.contacts[0].uri
    assert contact.startswith("sip:alice@")
    assert contact.partition("@")[2].startswith(
        f"{options.via.host}:{options.via.port}"
    )
    assert contact.endswith(";transport=tcp") == (any_peer.transport == "TCP")


@pytest_twisted.ensureDeferred
async def test_it_answers_options(peer, alice_of):
    alice = await alice_of(peer)
    asking = begin(alice.options())
    peer.answer(await peer.asked("OPTIONS"), 200)
    await asking

    peer.send(request_of("OPTIONS"))
    answer = await peer.answered()

    assert answer.status == 200
    assert answer.get("allow") == "NOTIFY, OPTIONS"


@pytest_twisted.ensureDeferred
async def test_a_method_it_does_not_know_is_not_allowed(peer, alice_of):
    alice = await alice_of(peer)
    asking = begin(alice.options())
    peer.answer(await peer.asked("OPTIONS"), 200)
    await asking

    peer.send(request_of("MESSAGE"))
    answer = await peer.answered()

    assert answer.status == 405
    assert answer.get("allow") == "NOTIFY, OPTIONS"


@pytest_twisted.ensureDeferred
async def test_what_nobody_answers_is_sent_again_and_given_up(peer, alice_of, clock):
    alice = await alice_of(peer, limit=2.0)
    asking = begin(alice.options())
    await peer.asked("OPTIONS")

    clock.pump([0.1] * 6)
    await peer.asked("OPTIONS")
    clock.advance(2.0)

    with pytest.raises(NoAnswer, match=r"no answer to OPTIONS from udp:127.0.0.1:\d+"):
        await asking


@pytest_twisted.ensureDeferred
async def test_who_stops_waits_for_nothing(peer, alice_of):
    alice = await alice_of(peer)
    asking = begin(alice.options())
    await peer.asked("OPTIONS")

    await alice.stop()

    with pytest.raises(NoAnswer, match="has stopped"):
        await asking


@pytest_twisted.ensureDeferred
async def test_a_stopped_one_asks_nothing_more(peer, alice_of):
    alice = await alice_of(peer)
    await alice.stop()

    with pytest.raises(NoAnswer):
        await alice.options()


@pytest_twisted.ensureDeferred
async def test_nobody_listening_is_no_answer(peer, clock, unused_port):
    server = Server("127.0.0.1", unused_port, "tcp")
    alice = UserAgent(AddressOfRecord("sip:alice@example.test"), server, reactor)

    with pytest.raises(NoAnswer, match="refused"):
        await alice.start()
    await alice.stop()


@pytest_twisted.ensureDeferred
async def test_every_message_can_be_looked_at(peer, alice_of):
    alice = await alice_of(peer)
    seen = []
    alice.tap.listen(seen.append)
    asking = begin(alice.options())
    peer.answer(await peer.asked("OPTIONS"), 200)
    await asking

    assert [(each.direction, each.data[:7]) for each in seen] == [
        ("out", b"OPTIONS"),
        ("in", b"SIP/2.0"),
    ]
    assert seen[0].peer == ("127.0.0.1", peer.port)
    assert seen[0].at <= seen[1].at


@pytest_twisted.ensureDeferred
async def test_a_connection_that_broke_is_opened_anew(tcp_peer, alice_of, until):
    alice = await alice_of(tcp_peer)
    asking = begin(alice.options())
    tcp_peer.answer(await tcp_peer.asked("OPTIONS"), 200)
    await asking

    await tcp_peer.hang_up()
    await until(lambda: not alice.core.wire.is_open)
    asking = begin(alice.options())
    tcp_peer.answer(await tcp_peer.asked("OPTIONS"), 200)

    assert (await asking).status == 200


def request_of(method: str) -> bytes:
    return (
        f"{method} sip:alice@127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1;rport\r\n"
        f"From: <sip:bob@example.test>;tag=b\r\n"
        f"To: <sip:alice@example.test>\r\n"
        f"Call-ID: 1\r\n"
        f"CSeq: 1 {method}\r\n"
        f"Content-Length: 0\r\n\r\n"
    ).encode()
