"""What it costs to be ready for too much, and to refuse it."""

from __future__ import annotations

import time

import pytest

from presproxy.metrics import Metrics
from presproxy.server.admission import Admission, Deadlines
from presproxy.server.inbox import Inbox
from presproxy.testing.flows import RecordingFlow
from presproxy.transaction.layer import TransactionLayer

pytestmark = pytest.mark.speed

TIMES = 10_000

#: What a busy machine may add to what was measured.
SLACK = 3

PUBLISH = (
    b"PUBLISH sip:alice@example.test SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK%d\r\n"
    b"Max-Forwards: 70\r\n"
    b"From: <sip:alice@example.test>;tag=a73kszlfl\r\n"
    b"To: <sip:alice@example.test>\r\n"
    b"Call-ID: 3848276298220188511@192.0.2.1\r\n"
    b"CSeq: 2 PUBLISH\r\n"
    b"Event: presence\r\n"
    b"Expires: 3600\r\n"
    b"User-Agent: Example/1.0\r\n"
    b"Content-Type: application/pidf+xml\r\n"
    b"Content-Length: 500\r\n"
    b"\r\n" + b"x" * 500
)


class Silent(RecordingFlow):
    """A flow which sends nothing."""

    __slots__ = ()

    def send(self, data: bytes) -> None:
        pass


def nothing(*whatever):
    pass


def inbox(coming):
    metrics = Metrics()
    return Inbox(
        nothing,
        Admission(nothing, lambda now: 0.0, Deadlines(), metrics),
        time.monotonic,
        coming.append,
        lambda: False,
        metrics,
    )


def seconds_each(work, messages):
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        work(messages)
        best = min(best, time.process_time() - began)
    return best / len(messages)


@pytest.fixture
def messages():
    return [PUBLISH.replace(b"%d", b"%d" % number) for number in range(TIMES)]


def test_a_message_passes_in_a_tenth_of_a_microsecond(messages):
    coming = []
    ready = inbox(coming)
    flow = Silent()

    def work(messages):
        for data in messages:
            ready.take(data, flow)
            while coming:
                coming.pop()()

    assert seconds_each(work, messages) < SLACK * 0.15e-6


def test_a_request_is_refused_in_five_microseconds(messages):
    layer = TransactionLayer()
    flow = Silent()

    def work(messages):
        for data in messages:
            layer.refuse(data, flow, 0.0)

    assert seconds_each(work, messages) < SLACK * 6e-6
