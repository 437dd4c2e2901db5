"""What the transaction layer adds to a message, on the way of every NOTIFY above all."""

from __future__ import annotations

import time

import pytest

from presproxy.sip.flow import Flow
from presproxy.sip.message import build_response, parse_message
from presproxy.transaction.dialog import Dialog
from presproxy.transaction.layer import TransactionLayer

pytestmark = pytest.mark.speed

TIMES = 10_000

#: What a busy machine may add to what was measured.
SLACK = 3

SUBSCRIBE = b"""\
SUBSCRIBE sip:alice@example.test SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK%d\r
Max-Forwards: 70\r
From: <sip:bob@example.test>;tag=theirs\r
To: <sip:alice@example.test>\r
Call-ID: c1@192.0.2.1\r
CSeq: 1 SUBSCRIBE\r
Contact: <sip:bob@192.0.2.1>\r
Event: presence\r
Content-Length: 0\r
\r
"""
OK = b"""\
SIP/2.0 200 OK\r
Via: SIP/2.0/UDP 192.0.2.100:5060;rport=5060;branch=%b;received=192.0.2.100\r
From: <sip:alice@example.test>;tag=ours\r
To: <sip:bob@example.test>;tag=theirs\r
Call-ID: c1@192.0.2.1\r
CSeq: 1 NOTIFY\r
Content-Length: 0\r
\r
"""
BRANCHES = [b"z9hG4bK%016x" % number for number in range(TIMES)]


class Silent(Flow):
    """A flow which sends nothing, at no cost."""

    __slots__ = ()

    transport = "UDP"

    def send(self, data):
        pass


class Nobody:
    def answered(self, status, data, now):
        pass

    def failed(self, why, now):
        pass


FLOW = Silent(("192.0.2.100", 5060), ("192.0.2.1", 5060), "192.0.2.100:5060")
USER = Nobody()


def seconds_each(prepare, work):
    """Give the best of five, for each of `TIMES`; ``prepare`` is not counted."""
    best = float("inf")
    for _ in range(5):
        given = prepare()
        began = time.process_time()
        work(given)
        best = min(best, time.process_time() - began)
    return best / TIMES


def send_all(layer):
    for branch in BRANCHES:
        layer.send("NOTIFY", b"NOTIFY ...", branch, FLOW, USER, 0.0)


def layer_with_all_sent():
    layer = TransactionLayer()
    send_all(layer)
    return layer


@pytest.fixture(scope="module")
def requests():
    return [SUBSCRIBE % number for number in range(TIMES)]


def test_a_notify_is_sent():
    """Measured: 1.0 µs."""
    assert seconds_each(TransactionLayer, send_all) < SLACK * 1.3e-6


def test_its_answer_is_matched():
    """Measured: 2.3 µs, of which 1.3 are the look at the response."""
    responses = [OK % branch for branch in BRANCHES]

    def receive_all(layer):
        for response in responses:
            layer.receive(response, FLOW, 0.1)

    assert seconds_each(layer_with_all_sent, receive_all) < SLACK * 3e-6


def test_a_timer_comes_up():
    """Measured: 1.4 µs for one that sends again."""
    assert seconds_each(layer_with_all_sent, lambda layer: layer.tick(0.5)) < (
        SLACK * 2e-6
    )


def test_a_notify_is_written():
    """Measured: 0.5 µs."""
    dialog = Dialog.of_request(parse_message(SUBSCRIBE % 1), "ours")
    branches = [branch.decode() for branch in BRANCHES]

    def write_all(_):
        for branch in branches:
            dialog.request("NOTIFY", FLOW, branch, 1, b"...")

    assert seconds_each(lambda: None, write_all) < SLACK * 0.7e-6


def test_a_request_is_answered(requests):
    """Measured: 4.5 µs beyond reading the request, its Via and its CSeq."""
    response = build_response(parse_message(requests[0]), 200, to_tag="ours")

    def read_all(_):
        for data in requests:
            request = parse_message(data)
            request.via.branch, request.cseq  # noqa: B018  # They are read when asked for.

    def answer_all(layer):
        for data in requests:
            layer.receive(data, FLOW, 0.0).respond(response, 200, 0.0)

    reading = seconds_each(lambda: None, read_all)
    answering = seconds_each(TransactionLayer, answer_all)

    assert answering - reading < SLACK * 6e-6
