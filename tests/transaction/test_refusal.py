from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.sip.message import MalformedMessage, parse_message
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.transaction.layer import TransactionLayer
from presproxy.transaction.matching import key_of
from presproxy.transaction.refusal import read_usual

SUBSCRIBE = b"""\
SUBSCRIBE sip:bob@example.test SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKs1\r
Max-Forwards: 70\r
From: <sip:alice@example.test>;tag=theirs\r
To: <sip:bob@example.test>\r
Call-ID: c1\r
CSeq: 7 SUBSCRIBE\r
Event: presence\r
Content-Length: 0\r
\r
"""

VIA = b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKs1"
INVITE = SUBSCRIBE.replace(b"SUBSCRIBE", b"INVITE")


def with_via(value):
    return SUBSCRIBE.replace(VIA, value)


USUAL = [
    SUBSCRIBE,
    INVITE,
    with_via(b"SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKs1"),
    with_via(b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKs1;rport"),
    with_via(b"SIP/2.0/UDP 192.0.2.1:5060;alias;branch=z9hG4bKs1;keep=x;rport"),
    with_via(b"SIP/2.0/TCP phone.example.test;branch=z9hG4bKs1"),
    with_via(b"SIP/2.0/UDP 10.0.0.1:7000;branch=z9hG4bKs1"),
    SUBSCRIBE.replace(b"To: <sip:bob@example.test>", b"To: <sip:bob@h>;tag=ours"),
    SUBSCRIBE.replace(b"From: <", b'From: "A <x>; B" <'),
    SUBSCRIBE.replace(
        b"Call-ID: c1\r\nCSeq: 7 SUBSCRIBE", b"CSeq: 7 SUBSCRIBE\r\nCall-ID: c1"
    ),
    SUBSCRIBE.replace(b"Call-ID", b"Contact: <sip:a@h>\r\nCall-ID"),
    SUBSCRIBE.replace(b"Length: 0\r\n\r\n", b"Length: 12\r\n\r\nVia: a\r\n\r\n\r\n"),
    SUBSCRIBE.replace(b"7 SUBSCRIBE", b"007 SUBSCRIBE"),
    SUBSCRIBE.replace(b";tag=theirs", b";tag=theirs;epid=b34afb6ebb23"),
    SUBSCRIBE.replace(b";tag=theirs", b";epid=b34afb6ebb23"),
    with_via(b"SIP/2.0/tcp 192.0.2.1:5060;branch=z9hG4bKs1"),
]

#: As rare as they are, each of them read in full.
UNUSUAL = [
    SUBSCRIBE.replace(b"Via: ", b"v: "),
    SUBSCRIBE.replace(b"Via: ", b"Via : "),
    SUBSCRIBE.replace(b"Max-Forwards: 70", b"Via: SIP/2.0/UDP below;branch=z9hG4bKb"),
    SUBSCRIBE.replace(b"Event: presence", b"VIA: SIP/2.0/UDP below;branch=z9hG4bKb"),
    SUBSCRIBE.replace(b"Event: presence", b"v: SIP/2.0/UDP below;branch=z9hG4bKb"),
    with_via(VIA + b", SIP/2.0/UDP below;branch=z9hG4bKb"),
    with_via(VIA.replace(b"192.0.2.1", b"Phone.example.test")),
    with_via(VIA.replace(b"192.0.2.1", b"[2001:db8::1]")),
    with_via(VIA.replace(b"z9hG4bKs1", b"old")),
    with_via(VIA.replace(b"branch", b"Branch")),
    with_via(VIA + b";received=192.0.2.9"),
    with_via(VIA + b";rport=1"),
    with_via(VIA + b";branch=z9hG4bKs2"),
    SUBSCRIBE.replace(
        b"From: <sip:alice@example.test>", b"From: sip:alice@example.test"
    ),
    SUBSCRIBE.replace(b"From: ", b"From:\r\n "),
    SUBSCRIBE.replace(b"To: ", b"t: "),
    SUBSCRIBE.replace(b"Event: presence", b"Subject: a\r\n b"),
    SUBSCRIBE.replace(b"7 SUBSCRIBE", b"7  SUBSCRIBE"),
]

MALFORMED = [
    SUBSCRIBE.replace(b"7 SUBSCRIBE", b"7 PUBLISH"),
    SUBSCRIBE.replace(b"Call-ID: c1\r\n", b""),
    SUBSCRIBE.replace(b"\r\n\r\n", b"\r\n"),
    SUBSCRIBE.replace(b"192.0.2.1:5060", b"192.0.2.1:99999"),
    SUBSCRIBE.replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"),
]

FLOWS = [
    RecordingFlow,
    lambda: RecordingFlow(("192.0.2.1", 40_000)),
    lambda: RecordingFlow(("192.0.2.99", 7000)),
    RecordingStream,
]


def answers(data, make_flow, at_a_glance, **options):
    flow = make_flow()
    layer = TransactionLayer(**options)
    if at_a_glance:
        refused = layer.refuse(data, flow, 0.0)
        assert refused == any(b" 503 " in sent[:20] for _, sent in flow.sent)
    else:
        layer.receive(data, flow, 0.0, is_late=True)
    assert (layer.servers, layer.remembered) == (0, 0)
    return flow.sent


@pytest.mark.parametrize("make_flow", FLOWS)
@pytest.mark.parametrize("to_source", [False, True])
@pytest.mark.parametrize("data", USUAL)
def test_the_answer_is_the_same_as_if_the_request_had_been_read(
    data, to_source, make_flow
):
    refused = answers(data, make_flow, True, to_source=to_source)

    assert read_usual(data).key == key_of(parse_message(data))
    assert refused == answers(data, make_flow, False, to_source=to_source)
    assert refused[0][1].startswith(b"SIP/2.0 503 Service Unavailable\r\n")
    assert 5 <= int(parse_message(refused[0][1]).get("retry-after")) <= 30


@pytest.mark.parametrize("data", [*UNUSUAL, *MALFORMED])
def test_what_is_written_in_another_way_is_read_in_full(data):
    if read_usual(data) is not None:
        assert data in MALFORMED[3:4]
    assert answers(data, RecordingFlow, True) == answers(data, RecordingFlow, False)


@given(
    st.sampled_from(USUAL),
    st.integers(0, len(SUBSCRIBE)),
    st.binary(max_size=3),
    st.integers(0, 3),
)
def test_whatever_is_changed_it_is_known_by_the_same_key(data, at, inserted, dropped):
    changed = data[:at] + inserted + data[at + dropped :]
    usual = read_usual(changed)
    refused = answers(changed, RecordingFlow, True)
    try:
        message = parse_message(changed)
    except MalformedMessage:
        return

    if usual is not None:
        assert usual.key == key_of(message)
        assert refused == answers(changed, RecordingFlow, False)


@pytest.mark.parametrize("at_a_glance", [True, False])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data, "Service Unavailable"),
        (lambda data: data.replace(b";branch=z9hG4bKs1", b""), "Service Unavailable"),
        (
            lambda data: data.replace(b"7 SUB", b"7 PUB"),
            "Bad Request: the method in CSeq is not the request's",
        ),
    ],
    ids=["written as usual", "without a branch", "malformed"],
)
def test_a_lync_client_is_told_why(change, why, at_a_glance):
    data = change(SUBSCRIBE.replace(b";tag=theirs", b";tag=theirs;epid=b34afb"))
    refused = parse_message(answers(data, RecordingFlow, at_a_glance)[0][1])
    nobody = answers(change(SUBSCRIBE), RecordingFlow, at_a_glance)[0][1]

    told = refused.get("ms-diagnostics")
    assert told == f'1000;reason="{why}";source="192.0.2.100"'
    assert parse_message(nobody).get("ms-diagnostics") is None


def test_those_who_are_refused_are_spread():
    waits = {
        parse_message(
            answers(SUBSCRIBE.replace(b"c1", b"c%d" % n), RecordingFlow, True)[0][1]
        ).get("retry-after")
        for n in range(300)
    }

    assert {int(wait) for wait in waits} == set(range(5, 31))


@pytest.mark.parametrize("data", [SUBSCRIBE, UNUSUAL[0]])
def test_a_request_being_served_is_not_refused_when_it_comes_again(
    layer, flow, answer, data
):
    transaction = layer.receive(data, flow, 0.0)
    refused = [layer.refuse(data, flow, 0.5)]
    before = list(flow.sent)
    response = answer(transaction, 200)
    refused.append(layer.refuse(data, flow, 1.5))

    assert before == []
    assert refused == [False, False]
    assert [sent for _, sent in flow.sent] == [response, response]


def test_one_with_credentials_now_is_refused(layer, flow, answer):
    answer(layer.receive(SUBSCRIBE, flow, 0.0), 401)
    again = SUBSCRIBE.replace(b"Event", b"Authorization: x\r\nEvent")

    assert layer.refuse(again, flow, 0.1)

    assert [sent[8:11] for _, sent in flow.sent] == [b"401", b"503"]
    assert layer.servers == 0


def test_responses_and_acks_are_taken_as_ever(layer, flow, user, counted):
    ok = SUBSCRIBE.replace(b"SUBSCRIBE sip:bob@example.test SIP/2.0", b"SIP/2.0 200 OK")
    layer.send("SUBSCRIBE", b"x", "z9hG4bKs1", flow, user, 0.0)
    layer.refuse(ok, flow, 0.1)
    layer.refuse(SUBSCRIBE.replace(b"SUBSCRIBE", b"ACK"), flow, 0.1)

    assert user.told == [(200, 0.1)]
    assert [sent for _, sent in flow.sent] == [b"x"]
    assert "refused" not in counted()


def test_a_closed_flow_is_counted(layer, stream, counted):
    stream.close()
    layer.refuse(SUBSCRIBE, stream, 0.0)

    assert counted()["undelivered_responses"] == 1
