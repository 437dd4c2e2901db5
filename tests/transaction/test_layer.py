from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.metrics import Metrics
from presproxy.testing.flows import RecordingFlow
from presproxy.transaction.layer import TransactionLayer

OPTIONS = b"""\
OPTIONS sip:example.test SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKo1\r
Max-Forwards: 70\r
From: <sip:bob@example.test>;tag=theirs\r
To: <sip:example.test>\r
Call-ID: c1\r
CSeq: 1 OPTIONS\r
Content-Length: 0\r
\r
"""


def without(field):
    lines = OPTIONS.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith(field))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"\0",
        b"\0\0\0\0",
        b"jaK",
        b"\r\n\r\n\r\n",
        b"\0" * 20,
    ],
)
def test_a_keep_alive_is_dropped_without_a_word(layer, flow, counted, data):
    assert layer.receive(data, flow, 0.0) is None
    assert flow.sent == []
    assert counted() == {}


@pytest.mark.parametrize(
    ("data", "status", "word"),
    [
        (OPTIONS.replace(b"1 OPTIONS", b"1 INFO"), 400, b"CSeq"),
        (OPTIONS.replace(b"1 OPTIONS", b"4294967296 OPTIONS"), 400, b"CSeq"),
        (OPTIONS.replace(b"Length: 0", b"Length: 10"), 400, b"Content-Length"),
        (OPTIONS.replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"), 505, b"SIP/7.0"),
        (OPTIONS.replace(b"\r\n\r\n", b"\r\nA: b" * 200 + b"\r\n\r\n"), 513, b"128"),
    ],
    ids=[
        "another method",
        "number too high",
        "body cut off",
        "version",
        "too many lines",
    ],
)
def test_what_is_malformed_and_has_a_way_back_is_told_what_is_wrong(
    layer, flow, counted, data, status, word
):
    handed = layer.receive(data, flow, 0.0)
    ((peer, response),) = flow.sent
    status_line = response.partition(b"\r\n")[0]

    assert handed is None
    assert peer == ("192.0.2.1", 5070)
    assert status_line.startswith(b"SIP/2.0 %d " % status)
    assert word in status_line.partition(b": ")[2]
    assert counted() == {"malformed kind=answered": 1}
    assert (layer.servers, layer.remembered) == (0, 0)


def test_a_field_the_old_rules_need_is_malformed_if_it_cannot_be_read(layer, flow):
    data = OPTIONS.replace(b";branch=z9hG4bKo1", b"").replace(b"<sip:bob", b",<<sip")
    layer.receive(data, flow, 0.0)

    assert flow.sent[0][1].startswith(b"SIP/2.0 400 Bad Request: From: ")


def test_it_is_told_so_in_the_same_words_each_time(layer, flow):
    data = OPTIONS.replace(b"1 OPTIONS", b"1 INFO")
    for now in (0.0, 0.5):
        layer.receive(data, flow, now)

    assert flow.sent[0] == flow.sent[1]
    assert b";tag=" in flow.sent[0][1].partition(b"\r\nTo:")[2].partition(b"\r\n")[0]


def test_what_is_wrong_is_told_in_one_line_that_can_be_shown(layer, flow):
    data = OPTIONS.replace(b"CSeq: 1", b"CSeq: \xff\x01\t\xc2\x85" + b"9" * 500)
    layer.receive(data, flow, 0.0)
    status_line = flow.sent[0][1].partition(b"\r\n")[0]

    assert len(status_line) < 200
    assert status_line.decode("ascii").isprintable()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"hello, is there anybody?", "nonsense"),
        (b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n", "nonsense"),
        (b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"\7" * 12, "nonsense"),
        (without(b"Via"), "unanswered"),
        (without(b"Call-ID"), "unanswered"),
        (OPTIONS.replace(b"Via: SIP", b"Via: SAP"), "unanswered"),
        (
            OPTIONS.replace(b"OPTIONS", b"ACK").replace(b"1 ACK", b"1 INVITE"),
            "unanswered",
        ),
        (b"SIP/2.0 200 OK\r\n\r\n", "response"),
        (b"SIP/2.0 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\r\n", "response"),
    ],
    ids=[
        "text",
        "HTTP",
        "STUN",
        "no Via",
        "no Call-ID",
        "a Via that cannot be read",
        "ACK",
        "a response of nothing",
        "a response without a status",
    ],
)
def test_what_has_no_way_back_is_counted_and_dropped(layer, flow, counted, data, kind):
    assert layer.receive(data, flow, 0.0) is None
    assert flow.sent == []
    assert counted() == {f"malformed kind={kind}": 1}


def test_a_refusal_whose_flow_is_closed_is_counted(layer, flow, counted):
    flow.close()
    layer.receive(OPTIONS.replace(b"1 OPTIONS", b"1 INFO"), flow, 0.0)

    assert counted()["undelivered_responses"] == 1


def test_requests_are_counted_by_method_and_once(layer, flow, counted):
    layer.receive(OPTIONS, flow, 0.0)
    layer.receive(OPTIONS, flow, 0.5)
    for method in (b"PUBLISH", b"PUBLIC", b"OPTION", b"options"):
        layer.receive(OPTIONS.replace(b"OPTIONS", method), flow, 1.0)

    assert counted() == {
        "requests method=OPTIONS": 1,
        "requests method=PUBLISH": 1,
        "requests method=other": 3,
        "retransmissions direction=in": 1,
    }


def test_gauges_tell_how_much_there_is(metrics, layer, flow, user, answer):
    def gauges():
        return {each.name: each.source() for each in metrics if callable(each.source)}

    layer.send("NOTIFY", b"NOTIFY ...", "z9hG4bK1", flow, user, 0.0)
    transaction = layer.receive(OPTIONS, flow, 0.0)
    layer.receive(OPTIONS.replace(b"o1", b"o2"), flow, 0.0)
    answer(transaction, 200)

    assert gauges() == {
        "client_transactions": 1,
        "server_transactions": 1,
        "answers_remembered": 1,
        "answers_remembered_octets": layer.octets,
    }


def test_two_layers_know_nothing_of_each_other(flow):
    one, other = TransactionLayer(), TransactionLayer()
    one.receive(OPTIONS, flow, 0.0)

    assert other.receive(OPTIONS, flow, 0.0) is not None


@given(st.binary(max_size=200) | st.binary(max_size=40).map(OPTIONS.__add__))
def test_no_datagram_breaks_it(data):
    layer, flow = TransactionLayer(metrics=Metrics()), RecordingFlow()
    layer.receive(data, flow, 0.0)

    assert layer.servers <= 1


@given(
    st.integers(0, len(OPTIONS) - 1),
    st.integers(0, len(OPTIONS)),
    st.binary(max_size=8),
)
def test_no_damage_breaks_it(begin, length, patch):
    layer, flow = TransactionLayer(metrics=Metrics()), RecordingFlow()
    layer.receive(OPTIONS[:begin] + patch + OPTIONS[begin + length :], flow, 0.0)

    assert layer.servers <= 1
