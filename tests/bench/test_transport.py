"""What the transports add to what the system and Twisted cost."""

from __future__ import annotations

import time

import pytest
from twisted.internet.task import Clock

from presproxy.metrics import Metrics
from presproxy.trace import Tap
from presproxy.transport.ends import OurEnd
from presproxy.transport.stream import StreamConnection, StreamLimits
from presproxy.transport.streams import Streams
from presproxy.transport.traffic import Traffic
from presproxy.transport.udp import UdpTransport

pytestmark = pytest.mark.speed

TIMES = 20_000
PEER = ("192.0.2.1", 5060)

#: Measured on CPython 3.11: 0.7 µs for a datagram in and one out, where Twisted's own
#: `Port.write` takes 3 for the one out.
MOST_FOR_A_DATAGRAM = 4e-6

#: Measured on CPython 3.11: 4.5 µs for a message in and one out, of which 3.5 to find
#: where it ends.
MOST_FOR_A_MESSAGE = 20e-6

MESSAGE = (
    b"PUBLISH sip:alice@example.test SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK652hsge\r\n"
    b"To: <sip:alice@example.test>\r\n"
    b"From: <sip:alice@example.test>;tag=1234wxyz\r\n"
    b"Call-ID: 81818181@192.0.2.1\r\n"
    b"CSeq: 1 PUBLISH\r\n"
    b"Max-Forwards: 70\r\n"
    b"Expires: 3600\r\n"
    b"Event: presence\r\n"
    b"Content-Type: application/pidf+xml\r\n"
    b"Content-Length: 600\r\n"
    b"\r\n" + b"x" * 600
)


class Nowhere:
    """A socket, a host and a transport which do nothing."""

    host, port = PEER

    def getHandle(self):
        return self

    def getHost(self):
        return self

    getPeer = getHost

    def dup(self):
        return self

    def addReader(self, reader):
        pass

    def sendto(self, data, peer):
        pass

    def write(self, data):
        pass

    def setsockopt(self, level, option, value):
        pass

    def setTcpNoDelay(self, enabled):
        pass

    def registerProducer(self, producer, streaming):
        pass


def seconds_each(happen):
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        for _ in range(TIMES):
            happen()
        best = min(best, time.process_time() - began)
    return best / TIMES


def traffic():
    return Traffic(
        "udp",
        lambda data, flow: flow.send(data),
        tap=Tap(),
        metrics=Metrics(),
        now=time.time,
    )


def test_a_datagram_costs_little_in_and_out():
    transport = UdpTransport(traffic(), OurEnd(PEER), Metrics())
    transport.open(Nowhere(), Nowhere())

    each = seconds_each(lambda: transport.take(MESSAGE, PEER))

    print(f"{each * 1e6:.2f} µs a datagram in and out")
    assert each < MOST_FOR_A_DATAGRAM


def test_a_message_of_a_stream_costs_little_in_and_out():
    streams = Streams(traffic(), StreamLimits(), Clock(), Metrics())
    connection = StreamConnection(streams, lambda local: "192.0.2.9:5060")
    connection.makeConnection(Nowhere())

    each = seconds_each(lambda: connection.dataReceived(MESSAGE))

    print(f"{each * 1e6:.2f} µs a message in and out")
    assert each < MOST_FOR_A_MESSAGE
