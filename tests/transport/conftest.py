"""Sockets on the loopback, and peers that talk to them."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import ClassVar

import attrs
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.protocol import DatagramProtocol, Protocol
from twisted.internet.task import Clock

from presproxy.metrics import Counter, Metrics
from presproxy.sip.flow import Flow
from presproxy.trace import Tap
from presproxy.transport.connections import Connections
from presproxy.transport.stream import StreamConnection, StreamLimits
from presproxy.transport.streams import Streams
from presproxy.transport.traffic import Traffic

OPTIONS = b"""\
OPTIONS sip:presproxy.example.test SIP/2.0\r
Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK776asdhds\r
Max-Forwards: 70\r
To: <sip:presproxy.example.test>\r
From: <sip:alice@example.test>;tag=1928301774\r
Call-ID: a84b4c76e66710\r
CSeq: 63104 OPTIONS\r
Content-Length: 0\r
\r
"""


@attrs.define(eq=False)
class House:
    """What is above the transports: keeps what they hand on."""

    metrics: Metrics = attrs.field(factory=Metrics)
    tap: Tap = attrs.field(factory=Tap)
    received: DeferredQueue[tuple[bytes, Flow]] = attrs.field(factory=DeferredQueue)
    closed: DeferredQueue[Flow] = attrs.field(factory=DeferredQueue)
    answer: bytes | None = None

    def receive(self, data: bytes, flow: Flow) -> None:
        if data == b"fail":
            raise RuntimeError("a bug")
        if self.answer is not None:
            flow.send(self.answer)
        self.received.put((data, flow))

    @property
    def messages(self) -> list[bytes]:
        """What was received and not yet taken."""
        return [data for data, _ in self.received.pending]

    def count(self, name: str, **labels: str) -> float:
        for sample in self.metrics:
            if sample.name == name and dict(sample.labels) == labels:
                source = sample.source
                return source.value if isinstance(source, Counter) else source()
        raise LookupError(name, labels)


class DatagramPeer(DatagramProtocol):
    """A user agent with a datagram socket."""

    def __init__(self) -> None:
        self.received: DeferredQueue[tuple[bytes, tuple[str, int]]] = DeferredQueue()

    def datagramReceived(self, data, address):
        self.received.put((data, address))

    @property
    def address(self):
        here = self.transport.getHost()
        return here.host, here.port

    def send(self, data, where):
        self.transport.write(data, (where.interface, where.port))


class StreamPeer(Protocol):
    """A user agent with a connection."""

    def __init__(self) -> None:
        self.data = b""
        self.closed: Deferred[None] = Deferred()
        self._waiting: list[tuple[int, Deferred[bytes]]] = []

    def dataReceived(self, data):
        self.data += data
        while self._waiting and len(self.data) >= self._waiting[0][0]:
            self._waiting.pop(0)[1].callback(self.data)

    def connectionLost(self, reason):
        self.closed.callback(None)

    @property
    def address(self):
        here = self.transport.getHost()
        return here.host, here.port

    def send(self, data):
        self.transport.write(data)

    def read(self, length):
        """Wait until there are so many octets; give all there are."""
        waiting: Deferred[bytes] = Deferred()
        self._waiting.append((length, waiting))
        self.dataReceived(b"")
        return waiting


@pytest.fixture
def stream_peer():
    """A kind of `StreamPeer` that keeps those made, in ``made``."""

    class Kept(StreamPeer):
        made: ClassVar[list[StreamPeer]] = []

        def connectionMade(self):
            self.made.append(self)

    return Kept


@pytest.fixture
def count_living() -> Iterator[Callable[[type], int]]:
    """Count the objects of a kind, while no garbage is collected."""

    def count(kind: type) -> int:
        return sum(issubclass(type(each), kind) for each in gc.get_objects())

    gc.collect()
    gc.disable()
    yield count
    gc.enable()


@pytest.fixture
def house() -> House:
    return House()


Open = Callable[..., Connections]


@pytest_twisted.async_yield_fixture
async def open_house(house):
    """Make `Connections` below ``house``; all are stopped at the end."""
    made: list[Connections] = []

    def make(**options) -> Connections:
        options = {"tap": house.tap, "metrics": house.metrics, **options}
        made.append(Connections(reactor, house.receive, house.closed.put, **options))
        return made[-1]

    yield make
    for each in made:
        await each.stop()


@pytest_twisted.async_yield_fixture
async def call():
    """Connect to a place; what was connected is closed at the end."""
    peers: list[StreamPeer] = []

    async def connect(where) -> StreamPeer:
        host = where.interface.replace(":", "\\:")
        endpoint = clientFromString(reactor, f"tcp:{host}:{where.port}")
        peer = await connectProtocol(endpoint, StreamPeer())
        peers.append(peer)
        return peer

    yield connect
    for peer in peers:
        peer.transport.abortConnection()
        await peer.closed


@pytest_twisted.async_yield_fixture
async def datagram_peer():
    """Open a datagram socket on an address; closed at the end."""
    ports = []

    def listen(host: str) -> DatagramPeer:
        peer = DatagramPeer()
        ports.append(reactor.listenUDP(0, peer, interface=host, maxPacketSize=65535))
        return peer

    yield listen
    for port in ports:
        await _wait(port.stopListening())


async def _wait(perhaps: Awaitable[None] | None) -> None:
    if perhaps is not None:
        await perhaps


class Wire:
    """Stands where Twisted's transport stands; does nothing until told."""

    def __init__(self, peer: tuple[str, int] = ("192.0.2.1", 40_000)) -> None:
        self._peer = IPv4Address("TCP", *peer)
        self.written = b""
        self.is_reading = True
        self.events: list[str] = []
        self.producer: StreamConnection | None = None

    def getHost(self):
        return IPv4Address("TCP", "192.0.2.9", 5060)

    def getPeer(self):
        return self._peer

    def getHandle(self):
        return self

    def setsockopt(self, level, option, value):
        pass

    def setTcpNoDelay(self, enabled):
        pass

    def write(self, data):
        self.written += data

    def registerProducer(self, producer, streaming):
        self.producer = producer

    def unregisterProducer(self):
        self.producer = None

    def pauseProducing(self):
        self.is_reading = False

    def resumeProducing(self):
        self.is_reading = True

    def loseConnection(self):
        self.events.append("close")

    def loseWriteConnection(self):
        self.events.append("shut")

    def abortConnection(self):
        self.events.append("abort")


@attrs.define(eq=False)
class Accepted:
    """One connection without a socket, under a clock."""

    connection: StreamConnection
    wire: Wire
    clock: Clock
    streams: Streams

    @property
    def flow(self) -> Flow:
        return self.connection.flow

    def receive(self, data: bytes) -> None:
        self.connection.dataReceived(data)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, second by second."""
        self.clock.pump([1.0] * int(seconds))


@pytest.fixture
def accept(house):
    """Make a connection whose socket is a `Wire`."""

    def make(is_accepted=False, backlog=None, **limits) -> Accepted:
        clock = Clock()
        traffic = Traffic(
            "tcp",
            house.receive,
            house.closed.put,
            tap=house.tap,
            metrics=house.metrics,
            now=clock.seconds,
            backlog=backlog,
        )
        streams = Streams(traffic, StreamLimits(**limits), clock, house.metrics)
        streams.start()
        connection = StreamConnection(
            streams, lambda local: "192.0.2.9:5060", is_accepted=is_accepted
        )
        wire = Wire()
        connection.makeConnection(wire)
        return Accepted(connection, wire, clock, streams)

    return make


@pytest.fixture
def options() -> bytes:
    """A whole request."""
    return OPTIONS
