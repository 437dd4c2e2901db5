from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.sip.framing import Framer, Limits, StreamBroken
from presproxy.sip.message import parse_message

HEAD = b"""\
NOTIFY sip:alice@192.0.2.10 SIP/2.0\r
Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r
From: <sip:bob@example.test>;tag=1\r
To: <sip:alice@example.test>;tag=2\r
Call-ID: 1@example.test\r
CSeq: 1 NOTIFY\r
"""
EMPTY = HEAD + b"Content-Length: 0\r\n\r\n"
#: A body that looks like a message and a ping.
FULL = (
    HEAD
    + b"l :\r\n 88\r\nX: y\r\n\r\n"
    + b"\r\n\r\nSIP/2.0 200 OK\r\nl: 5\r\n\r\n".ljust(88)
)
PING = b"\r\n\r\n"
#: A pong, or what some send behind a body.
BREAK = b"\r\n"


def feed(framer, stream, cuts=()):
    """Give the messages, the number of pings, and why the stream broke."""
    edges = [0, *sorted(cuts), len(stream)]
    messages, pings = [], 0
    for begin, end in pairwise(edges):
        try:
            messages += framer.feed(stream[begin:end])
        except StreamBroken as error:
            return [*messages, *error.messages], pings + framer.keepalives, str(error)
        pings += framer.keepalives
    return messages, pings, None


def broken(stream, limits=None):
    with pytest.raises(StreamBroken) as caught:
        Framer(limits).feed(stream)
    return caught.value


@pytest.mark.parametrize(
    ("stream", "messages", "pings"),
    [
        (b"", [], 0),
        (EMPTY, [EMPTY], 0),
        (EMPTY + FULL + EMPTY, [EMPTY, FULL, EMPTY], 0),
        (PING, [], 1),
        (BREAK, [], 0),
        (PING + PING + EMPTY + PING, [EMPTY], 3),
        (BREAK + EMPTY + BREAK + FULL + BREAK, [EMPTY, FULL], 0),
        # Half a ping before a message and half behind it are no ping.
        (BREAK + EMPTY + BREAK, [EMPTY], 0),
        (b"\n\r\r\n\n" + EMPTY, [EMPTY], 0),
        (EMPTY[:-1], [], 0),
    ],
)
def test_a_stream_is_cut_into_messages(stream, messages, pings):
    assert feed(Framer(), stream) == (messages, pings, None)


BROKEN = HEAD + b"Content-Length: x\r\n\r\n"
streams = st.lists(
    st.sampled_from(
        [EMPTY, FULL, PING, BREAK, b"\r", b"\n", BROKEN, b"OPTIONS", b"\r\n\r\nx"]
    ),
    max_size=6,
).map(b"".join)


@given(streams, st.data())
def test_it_does_not_matter_where_the_stream_is_cut(stream, data):
    cuts = data.draw(st.sets(st.integers(0, len(stream)), max_size=9))

    assert feed(Framer(), stream, cuts) == feed(Framer(), stream)


@given(streams)
def test_it_does_not_matter_if_it_comes_byte_by_byte(stream):
    assert feed(Framer(), stream, range(1, len(stream))) == feed(Framer(), stream)


@given(st.lists(st.binary(max_size=40)))
def test_no_bytes_fail_in_another_way(pieces):
    framer = Framer(Limits(head=60, body=20))
    for piece in pieces:
        try:
            framer.feed(piece)
        except StreamBroken:
            return


def test_every_message_can_be_read():
    messages = Framer().feed(EMPTY + FULL)

    assert [parse_message(message).cseq.number for message in messages] == [1, 1]
    assert len(parse_message(messages[1]).body) == 88


def test_it_is_idle_between_messages():
    framer = Framer()
    idle = []
    for piece in (
        b"",
        PING,
        EMPTY[:20],
        EMPTY[20:-1],
        EMPTY[-1:],
        b"\r",
        FULL[:-1],
        FULL[-1:],
    ):
        framer.feed(piece)
        idle.append(framer.is_idle)

    assert idle == [True, True, False, False, True, True, False, True]


def test_pings_are_counted_for_each_feed():
    framer = Framer()
    counted = []
    for piece in (PING, b"\r\n", b"\r", b"\n\r\n\r\n", b"", EMPTY):
        framer.feed(piece)
        counted.append(framer.keepalives)

    assert counted == [1, 0, 0, 2, 0, 0]


@pytest.mark.parametrize(
    ("stream", "why", "status"),
    [
        (HEAD + b"\r\n", "no Content-Length", 400),
        (HEAD + b"Content-Length: -5\r\n\r\n", "no Content-Length: '-5'", 400),
        (HEAD + b"Content-Length: 5, 5\r\n\r\n", "no Content-Length: '5, 5'", 400),
        (HEAD + b"Content-Length:\r\n\r\n", "no Content-Length: ''", 400),
        (HEAD + b"Content-Length: 5\r\nl: 6\r\n\r\n", "more than one Content-Length", 400),
        (HEAD + b"Content-Length: 21\r\n\r\n", "a body of more than 20 bytes", 413),
        (HEAD + b"Content-Length: 9999999999999\r\n\r\n", "a body of more than 20 bytes", 413),
        (HEAD + b"X: " + b"x" * 500, "a head of more than 400 bytes", 513),
        (HEAD + b"X: " + b"x" * 500 + EMPTY, "a head of more than 400 bytes", 513),
    ],
)  # fmt: skip
def test_a_stream_that_cannot_be_cut_is_broken(stream, why, status):
    error = broken(stream, Limits(head=400, body=20))

    assert (str(error), error.status) == (why, status)
    assert error.request.call_id == "1@example.test"


@pytest.mark.parametrize(
    "stream", [b"x" * 404, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" * 200]
)
def test_what_is_no_sip_is_broken_without_an_answer(stream):
    assert broken(stream, Limits(head=400)).request is None


def test_a_head_and_a_body_may_be_as_large_as_is_allowed():
    head, _, _ = FULL.partition(b"\r\n\r\n")
    just = Limits(len(head), 88)

    assert Framer(just).feed(FULL) == [FULL]
    assert broken(FULL, Limits(len(head) - 1, 88)).status == 513
    assert broken(FULL, Limits(len(head), 87)).status == 413


def test_messages_before_the_break_are_handed_on():
    error = broken(EMPTY + FULL + BROKEN)

    assert error.messages == (EMPTY, FULL)


def test_a_broken_stream_stays_broken():
    framer = Framer()
    for piece in (BROKEN, EMPTY, b""):
        with pytest.raises(StreamBroken):
            framer.feed(piece)


def test_a_large_message_in_small_pieces_is_not_searched_again_and_again():
    message = HEAD + b"Content-Length: 200000\r\n\r\n" + bytes(200_000)
    framer = Framer()

    messages = []
    for at in range(0, len(message), 7):
        messages += framer.feed(message[at : at + 7])

    assert messages == [message]
