"""A peer which the user agent talks to over the loopback, and which a test plays."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import attrs
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.internet.task import Clock, deferLater

from presproxy.sip.framing import Framer
from presproxy.sip.message import Request, Response, build_response, parse_message
from presproxy.sip.uri import AddressOfRecord
from presproxy.trace import Seen
from presproxy.useragent import Server, UserAgent

ALICE = AddressOfRecord("sip:alice@example.test")
BOB = AddressOfRecord("sip:bob@example.test")

#: Seconds on the real clock after which nothing comes any more.
PATIENCE = 5.0


@attrs.define(eq=False)
class Peer:
    """
    The server's end.  A test takes each request and says what is answered.

    ``write`` sends to where the last message came from.
    """

    transport: str
    host: str
    port: int = 0
    write: Callable[[bytes], object] | None = None
    requests: DeferredQueue[Request] = attrs.field(factory=DeferredQueue)
    connection: StreamPeer | None = None
    #: The first line of all the user agent has sent, whether it has arrived or not.
    sent: list[str] = attrs.field(factory=list)
    responses: DeferredQueue[Response] = attrs.field(factory=DeferredQueue)

    def take(self, data: bytes) -> None:
        message = parse_message(data)
        queue = self.requests if isinstance(message, Request) else self.responses
        queue.put(message)

    def see(self, seen: Seen) -> None:
        if seen.direction == "out":
            self.sent.append(seen.data.partition(b"\r\n")[0].decode())

    async def asked(self, method: str) -> Request:
        """Wait for a request, which must be of this method."""
        request = await self.requests.get().addTimeout(PATIENCE, reactor)
        assert request.method == method
        return request

    async def answered(self) -> Response:
        """Wait for a response to what was sent."""
        return await self.responses.get().addTimeout(PATIENCE, reactor)

    @property
    def contact(self) -> tuple[str, str]:
        """Where in-dialog requests are to go."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return "Contact", f"<sip:{host}:{self.port}>"

    async def hang_up(self) -> None:
        """Close the connection, and wait until it is gone."""
        assert self.connection is not None
        self.connection.transport.loseConnection()
        await self.connection.lost

    def break_off(self) -> None:
        """Reset the connection."""
        assert self.connection is not None
        self.connection.transport.abortConnection()

    def answer(
        self,
        request: Request,
        status: int,
        *fields: tuple[str, str],
        to_tag: str = "server",
        body: bytes = b"",
    ) -> None:
        self.send(build_response(request, status, fields, body, to_tag=to_tag))

    def send(self, data: bytes) -> None:
        assert self.write is not None
        self.write(data)

    def notify(
        self,
        subscribe: Request,
        cseq: int,
        state: str,
        body: bytes = b"",
        *,
        event: str = "presence",
        from_tag: str = "server",
        without: str = "",
    ) -> None:
        """Send a NOTIFY in the dialog that a SUBSCRIBE makes."""
        lines = [
            f"NOTIFY {subscribe.contacts[0].uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport} 127.0.0.1:{self.port};branch=z9hG4bKn{cseq}"
            f"{from_tag}{event}{without}",
            "Max-Forwards: 70",
            f"From: <{subscribe.to.uri}>;tag={from_tag}",
            f"To: <{subscribe.from_.uri}>;tag={subscribe.from_.tag}",
            f"Call-ID: {subscribe.call_id}",
            f"CSeq: {cseq} NOTIFY",
            f"Contact: <sip:127.0.0.1:{self.port}>",
            f"Event: {event}",
            f"Subscription-State: {state}",
            "Content-Type: application/pidf+xml",
            f"Content-Length: {len(body)}",
        ]
        lines = [each for each in lines if not without or not each.startswith(without)]
        self.send("\r\n".join([*lines, "", ""]).encode() + body)


class DatagramPeer(DatagramProtocol):
    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def datagramReceived(self, data: bytes, address: tuple[str, int]) -> None:
        self.peer.write = lambda answer: self.transport.write(answer, address)
        self.peer.take(data)


class StreamPeer(Protocol):
    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.framer = Framer()
        self.lost: Deferred[None] = Deferred()

    def connectionLost(self, reason: object = None) -> None:
        self.lost.callback(None)

    def connectionMade(self) -> None:
        self.peer.connection = self
        self.peer.write = self.transport.write

    def dataReceived(self, data: bytes) -> None:
        for message in self.framer.feed(data):
            self.peer.take(message)


def listen(transport: str, interface: str, peer: Peer) -> object:
    if transport == "UDP":
        return reactor.listenUDP(0, DatagramPeer(peer), interface=interface)
    factory = Factory.forProtocol(lambda: StreamPeer(peer))
    return reactor.listenTCP(0, factory, interface=interface)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Let the reactor go on until something is so."""

    async def wait(is_so: Callable[[], object]) -> None:
        limit = reactor.seconds() + PATIENCE
        while not is_so():
            assert reactor.seconds() < limit
            await deferLater(reactor, 0)

    return wait


async def playing(transport: str, interface: str) -> AsyncIterator[Peer]:
    peer = Peer(transport, interface)
    port = listen(transport, interface, peer)
    peer.port = port.getHost().port
    yield peer
    await port.stopListening()


@pytest_twisted.async_yield_fixture
async def peer() -> AsyncIterator[Peer]:
    """A peer by UDP over IPv4."""
    async for each in playing("UDP", "127.0.0.1"):
        yield each


@pytest_twisted.async_yield_fixture
async def tcp_peer() -> AsyncIterator[Peer]:
    """A peer by TCP over IPv4."""
    async for each in playing("TCP", "127.0.0.1"):
        yield each


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest_twisted.async_yield_fixture(
    params=[("UDP", "127.0.0.1"), ("TCP", "127.0.0.1"), ("UDP", "::1"), ("TCP", "::1")],
    ids=["udp", "tcp", "udp over IPv6", "tcp over IPv6"],
)
async def any_peer(request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    """A peer by each transport over each family."""
    async for each in playing(*request.param):
        yield each


@pytest.fixture
def clock() -> Clock:
    """The clock of all user agents of a test; time passes when the test says so."""
    return Clock()


@pytest_twisted.async_yield_fixture
async def alice_of(clock: Clock) -> AsyncIterator[Callable[..., Awaitable[UserAgent]]]:
    """Start a user agent for alice which speaks to a peer."""
    started = []

    async def start(peer: Peer, **options: object) -> UserAgent:
        server = Server(peer.host, peer.port, peer.transport.lower())
        alice = UserAgent(ALICE, server, reactor, clock=clock, **options)
        alice.tap.listen(peer.see)
        started.append(alice)
        await alice.start()
        return alice

    yield start
    for each in started:
        await each.stop()
