from __future__ import annotations

from itertools import pairwise

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.endpoints import clientFromString, connectProtocol, wrapClientTLS
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    Request,
    TextMessage,
)

from presproxy.sip.framing import Limits, StreamBroken
from presproxy.testing.certificates import Authority, trusting
from presproxy.transport.hop import Hop, Unreachable
from presproxy.transport.stream import StreamLimits
from presproxy.transport.webframing import WebFraming
from presproxy.transport.where import Where

NAME = "presproxy.example.test"
HELLO = Request(host=NAME, target="/", subprotocols=["sip"])


class WebPeer:
    """A browser, over a `StreamPeer`."""

    def __init__(self, stream) -> None:
        self.stream = stream
        self._web = WSConnection(ConnectionType.CLIENT)
        self._read = 0
        self._events = []

    def send(self, event) -> None:
        self.stream.send(self._web.send(event))

    async def next(self):
        """Give what the server says next."""
        while not self._events:
            if len(self.stream.data) == self._read:
                await self.stream.read(self._read + 1)
            data = self.stream.data[self._read :]
            self._read += len(data)
            self._web.receive_data(data)
            self._events += self._web.events()
        return self._events.pop(0)

    async def open(self):
        self.send(HELLO)
        assert isinstance(await self.next(), AcceptConnection)
        return self


@pytest.fixture
def listening(open_house):
    async def listen(**options):
        connections = open_house(**options)
        [where] = await connections.listen(Where("ws", 0, "127.0.0.1"))
        return connections, where

    return listen


@pytest_twisted.ensureDeferred
async def test_a_message_comes_in_and_its_answer_goes_out(
    listening, call, house, options
):
    _, where = await listening()
    house.answer = b"an answer"
    peer = await WebPeer(await call(where)).open()

    peer.send(TextMessage(options.decode()))
    data, flow = await house.received.get()

    assert data == options
    assert await peer.next() == TextMessage("an answer")
    assert (flow.transport, flow.reliable, flow.is_open) == ("WS", True, True)
    assert flow.sent_by == f"127.0.0.1:{where.port}"


@pytest_twisted.ensureDeferred
async def test_one_message_may_come_in_many_frames_and_without_its_length(
    listening, call, house, options
):
    _, where = await listening()
    whole = options.replace(b"Content-Length: 0\r\n", b"") + b"a body"
    peer = await WebPeer(await call(where)).open()

    for octet in whole[:-1]:
        peer.send(BytesMessage(bytes([octet]), message_finished=False))
    peer.send(BytesMessage(whole[-1:]))

    data, _ = await house.received.get()
    assert data == whole


@pytest_twisted.ensureDeferred
async def test_what_is_no_text_goes_out_as_octets(listening, call, house, options):
    _, where = await listening()
    house.answer = b"\xff\xfe"
    peer = await WebPeer(await call(where)).open()

    peer.send(BytesMessage(options))

    assert await peer.next() == BytesMessage(b"\xff\xfe")


@pytest_twisted.ensureDeferred
async def test_it_is_spoken_by_ipv6(open_house, call, house, options):
    [where] = await open_house().listen(Where("ws", 0, "::1"))
    peer = await WebPeer(await call(where)).open()

    peer.send(TextMessage(options.decode()))

    _, flow = await house.received.get()
    assert flow.sent_by == f"[::1]:{where.port}"


@pytest.mark.parametrize(
    ("ping", "pong"),
    [
        (Ping(b"you?"), Pong(b"you?")),
        (TextMessage("\r\n\r\n"), TextMessage("\r\n")),
    ],
    ids=["of WebSocket", "of SIP"],
)
@pytest_twisted.ensureDeferred
async def test_a_ping_is_answered(ping, pong, listening, call):
    _, where = await listening()
    peer = await WebPeer(await call(where)).open()

    peer.send(ping)

    assert await peer.next() == pong


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b" 400 "),
        (b"INVITE sip:a@b SIP/2.0\r\n\r\n", b" 400 "),
        (b"\xff" * 100_000, b" 400 "),
        (
            WSConnection(ConnectionType.CLIENT).send(
                Request(host=NAME, target="/", subprotocols=["chat"])
            ),
            b" 400 ",
        ),
        (
            WSConnection(ConnectionType.CLIENT)
            .send(HELLO)
            .replace(b"Version: 13", b"Version: 8"),
            b" 426 ",
        ),
    ],
    ids=["HTTP", "SIP", "noise", "another protocol", "an old version"],
)
@pytest_twisted.ensureDeferred
async def test_who_does_not_speak_sip_by_websocket_is_refused(
    request_, status, listening, call, house
):
    _, where = await listening()
    peer = await call(where)

    peer.send(request_)
    await peer.closed

    assert peer.data.startswith(b"HTTP/1.1" + status)
    assert house.messages == []
    assert house.count("connections_ended", transport="ws", why="broken") == 1


@pytest_twisted.ensureDeferred
async def test_who_does_not_come_to_the_point_is_given_up(listening, call, house):
    _, where = await listening(limits=StreamLimits(message=0.1))
    peer = await call(where)

    peer.send(b"GET / HTTP/1.1\r\n")
    await peer.closed

    assert house.count("connections_ended", transport="ws", why="slow") == 1


@pytest_twisted.ensureDeferred
async def test_a_message_too_large_is_answered_and_ends_the_connection(
    listening, call, house, options
):
    limits = StreamLimits(message_size=Limits(head=2000, body=1000))
    _, where = await listening(limits=limits)
    peer = await WebPeer(await call(where)).open()

    peer.send(BytesMessage(options + b"x" * 3000))

    refused = await peer.next()
    assert refused.data.startswith("SIP/2.0 513 ")
    assert await peer.next() == CloseConnection(1009, "")


@pytest_twisted.ensureDeferred
async def test_what_breaks_websocket_ends_the_connection(listening, call, house):
    _, where = await listening()
    peer = await WebPeer(await call(where)).open()

    peer.stream.send(b"\xff" * 20)

    assert (await peer.next()).code == 1002
    assert house.count("connections_ended", transport="ws", why="broken") == 1


@pytest_twisted.ensureDeferred
async def test_a_peer_that_says_goodbye_is_let_go(listening, call, house, options):
    _, where = await listening()
    peer = await WebPeer(await call(where)).open()
    peer.send(TextMessage(options.decode()))
    _, flow = await house.received.get()

    peer.send(CloseConnection(1000))

    assert (await peer.next()).code == 1000
    assert await house.closed.get() is flow


@pytest_twisted.ensureDeferred
async def test_a_server_that_stops_says_goodbye(listening, call):
    connections, where = await listening()
    peer = await WebPeer(await call(where)).open()

    await connections.stop()

    assert await peer.next() == CloseConnection(1001, "")


@pytest_twisted.ensureDeferred
async def test_a_browser_is_found_by_its_connection_and_never_called(
    listening, call, house, options
):
    connections, where = await listening()
    peer = await WebPeer(await call(where)).open()
    peer.send(TextMessage(options.decode()))
    _, flow = await house.received.get()
    host, port = peer.stream.address

    assert await connections.flow_to(f"sip:{host}:{port};transport=ws") is flow
    with pytest.raises(Unreachable):
        await connections.flow_by(Hop("ws", host, 9))
    with pytest.raises(Unreachable):
        await connections.flow_to("sip:x.invalid;transport=ws")


@pytest_twisted.ensureDeferred
async def test_it_is_spoken_by_tls(open_house, stream_peer, house, options, tmp_path):
    authority = Authority.make(tmp_path)
    path = str(authority.certify(tmp_path / "server.pem", NAME))
    connections = open_house()
    place = Where("wss", 0, "127.0.0.1", path, path)
    [where] = await connections.listen(place)
    house.answer = options
    tcp = clientFromString(reactor, f"tcp:127.0.0.1:{where.port}")
    endpoint = wrapClientTLS(trusting(str(authority.path), NAME), tcp)
    stream = await connectProtocol(endpoint, stream_peer())
    peer = await WebPeer(stream).open()

    peer.send(TextMessage(options.decode()))
    data, flow = await house.received.get()

    assert data == options
    assert await peer.next() == TextMessage(options.decode())
    assert flow.transport == "WSS"
    peer.send(CloseConnection(1000))
    await stream.closed


# -- Without a socket -------------------------------------------------------------------


def opened():
    framing, client = WebFraming(), WSConnection(ConnectionType.CLIENT)
    framing.feed(client.send(HELLO))
    client.receive_data(framing.take_reply())
    return framing, client


@given(st.lists(st.binary(min_size=1, max_size=200)))
def test_whatever_comes_first_is_taken_or_breaks(pieces):
    framing = WebFraming()
    for piece in pieces:
        try:
            assert framing.feed(piece) == []
        except StreamBroken:
            break
        assert not framing.is_idle


@given(st.lists(st.binary(min_size=1, max_size=200)))
def test_whatever_comes_later_is_taken_or_breaks(pieces):
    framing, _ = opened()
    for piece in pieces:
        try:
            framing.feed(piece)
        except StreamBroken:
            break


@given(st.lists(st.text(min_size=1).filter(str.strip), max_size=5), st.data())
def test_it_does_not_matter_where_the_stream_is_cut(texts, data):
    framing, client = opened()
    stream = b"".join(client.send(TextMessage(text)) for text in texts)
    cuts = data.draw(st.sets(st.integers(0, len(stream))))
    edges = sorted({0, len(stream), *cuts})

    messages = []
    for begin, end in pairwise(edges):
        messages += framing.feed(stream[begin:end])

    assert messages == [text.encode() for text in texts]
    assert framing.is_idle
