"""What comes over the wire and is no SIP, or hardly: the server goes on."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.wire import PIDF, Message, fresh, pidf

TORTURE = sorted((Path(__file__).parents[1] / "torture").glob("*.sip"))

HEAD = 16 * 1024
BODY = 256 * 1024


@pytest.fixture
def alice(server, peers):
    return peers(server, f"{fresh('alice')}@contoso.com", "tcp")


@pytest.fixture
def other(server, peers):
    """Somebody else's connection, on which all goes on."""
    return peers(server, f"{fresh('bob')}@contoso.com", "tcp")


def serves(peer) -> bool:
    return peer.ask("OPTIONS", "sip:contoso.com").status == 200


# --- Streams


def test_a_message_may_come_octet_by_octet(alice, other):
    data = alice.write(
        "PUBLISH",
        alice.aor,
        {"Event": "presence", "Content-Type": PIDF},
        pidf(alice.aor, "slow"),
    )
    for octet in data[:-1]:
        alice.send(bytes([octet]))
    assert serves(other)
    alice.send(data[-1:])

    assert alice.answered(Message.read(data).branch).status == 200
    assert "slow" in other.fetch(alice.aor).text


def test_many_messages_may_come_at_once(alice):
    requests = [alice.write("OPTIONS", "sip:contoso.com") for _ in range(300)]
    alice.send(b"".join(requests))

    for each in requests:
        assert alice.answered(Message.read(each).branch).status == 200


def test_pings_between_messages_are_answered(alice):
    alice.send(b"\r\n\r\n")
    assert wait_for(lambda: alice.pump(0.1) or alice.pongs, 5)
    request = alice.write("OPTIONS", "sip:contoso.com")
    alice.send(b"\r\n\r\n" + request)

    assert alice.answered(Message.read(request).branch).status == 200
    assert serves(alice)


def test_a_head_without_end_is_answered_513_and_the_stream_closed(alice, other):
    data = alice.write("OPTIONS", "sip:contoso.com").removesuffix(b"\r\n")
    alice.send(data + b"X: " + b"x" * (HEAD + 10))

    assert alice.closed_by_server()
    assert [each.status for each in alice.inbox] == [513]
    assert serves(other)


def test_a_body_longer_than_a_stream_takes_is_answered_413_at_once(alice, other):
    data = alice.write(
        "PUBLISH", alice.aor, {"Content-Length": str(BODY + 1)}, b"not all of it"
    )
    alice.send(data)

    assert alice.closed_by_server()
    assert [each.status for each in alice.inbox] == [413]
    assert serves(other)


def test_the_largest_body_a_stream_takes_does_not_end_it(alice):
    response = alice.publish("x" * BODY)

    assert response.status == 413
    assert serves(alice)


@pytest.mark.parametrize(
    "length", [None, "", "-1", "1e3", "0x10", "99999999999999999999", ["5", "6"], "5 5"]
)
def test_a_length_nobody_can_trust_is_answered_and_the_stream_closed(
    alice, other, length
):
    data = alice.write("OPTIONS", "sip:contoso.com", {"Content-Length": length})
    alice.send(data + b"hello")

    assert alice.closed_by_server()
    assert [each.status for each in alice.inbox] in ([400], [413])
    assert serves(other)


def test_what_was_whole_before_a_stream_broke_is_answered(alice):
    good = alice.write("OPTIONS", "sip:contoso.com")
    broken = alice.write("OPTIONS", "sip:contoso.com", {"Content-Length": "x"})
    alice.send(good + broken)

    assert alice.answered(Message.read(good).branch).status == 200
    assert alice.answered(Message.read(broken).branch).status == 400


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: contoso.com\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 80,
        b"\0" * 40_000,
        b"\xff" * 40_000,
        b"x" * 40_000,
        b"\r\n" * 20_000 + b"\0\0\r\n\r\n",
        b": \r\n\r\n" * 3_000,
    ],
    ids=["http", "tls", "zeros", "ones", "letters", "blanks", "colons"],
)
def test_garbage_ends_its_own_stream_and_no_other(alice, other, garbage):
    try:
        alice.send(garbage)
        alice.send(garbage)
    except (BrokenPipeError, ConnectionResetError):
        alice.is_closed = True

    assert alice.closed_by_server(10)
    assert serves(other)


def test_a_peer_that_reads_nothing_does_no_harm(alice, other):
    request = alice.write("OPTIONS", "sip:contoso.com")
    alice.socket.settimeout(0.5)
    with pytest.raises((TimeoutError, ConnectionError)):
        alice.socket.sendall(request * 100_000)

    assert serves(other)


def test_streams_that_are_closed_at_once_leave_nothing_behind(server, other):
    for number in range(100):
        stream = socket.create_connection(server.tcp)
        if number % 2:
            stream.sendall(b"OPTIONS sip:contoso.com SIP/2.0\r\nVia: ")
        if number % 3:
            linger = b"\1\0\0\0\0\0\0\0"
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        stream.close()

    def open_now() -> float:
        return server.metrics()['presproxy_connections_open{transport="tcp"}']

    assert serves(other)
    assert wait_for(lambda: open_now() <= 2, 10)


def test_half_a_message_and_then_silence_holds_up_nobody_else(server, alice, other):
    alice.send(alice.write("OPTIONS", "sip:contoso.com")[:-10])

    assert serves(other)


# --- Datagrams


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"\0",
        b"\r\n",
        b"\r\n\r\n",
        b"jaK",
        b"\0" * 1000,
        b"\xff" * 1000,
        b"SIP",
        b"SIP/2.0",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"SIP/2.0 999999999999 OK\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nCSeq: 1 NOTIFY\r\n\r\n",
        b"OPTIONS sip:contoso.com SIP/2.0\r\n\r\n",
        b"OPTIONS sip:contoso.com SIP/2.0",
        b"OPTIONS\r\n\r\n",
        b"<?xml version='1.0'?><x/>",
        b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12,
    ],
)
def test_a_datagram_that_is_no_request_is_not_answered(server, peers, data):
    alice = peers(server)
    alice.send(data)

    # Datagrams on the loopback keep their order: what came first would be answered first.
    assert serves(alice)
    assert alice.inbox == []


def test_no_octet_of_a_request_can_break_the_server(server, peers):
    """One octet after the other becomes one that may not stand there."""
    alice = peers(server, f"{fresh('alice')}@contoso.com")
    alice.answer = lambda request: None
    generator = random.Random(1)
    for number in range(1500):
        method = generator.choice(["PUBLISH", "SUBSCRIBE", "REGISTER", "NOTIFY"])
        fields = {"Event": "presence", "Expires": "0", "Content-Type": PIDF}
        data = bytearray(
            alice.write(method, alice.aor, fields, pidf(alice.aor, "", "closed"))
        )
        for _ in range(generator.choice([1, 1, 2, 5])):
            data[generator.randrange(len(data))] = generator.choice(
                b"\0\r\n\t <>;:,\"'\\@%[]&=\x80\xff/?0z"
            )
        alice.send(bytes(data))
        if number % 50 == 49:
            # No faster than the server takes them from its socket's buffer.
            assert serves(alice)
            alice.inbox.clear()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_torture_messages_do_no_harm(server, peers, transport):
    for path in TORTURE:
        victim = peers(server, transport=transport)
        victim.send(path.read_bytes())
        victim.rest(0.01)
        victim.close()

    assert serves(peers(server))
