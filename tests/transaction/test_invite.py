"""INVITEs of ours and the waiting for their responses (RFC 3261 §17.1.1, RFC 6026 §7.2)."""

from __future__ import annotations

import pytest

from presproxy.errors import LimitReached
from presproxy.sip.message import build_response, parse_message
from presproxy.transaction.invite import _TABLE, Do, Happening, State
from presproxy.transaction.layer import TransactionLayer

BRANCH = "z9hG4bKours.1"

CALL = b"""\
INVITE sip:alice@192.0.2.1:5070 SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.100:5060;branch=z9hG4bKours.1\r
Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKtheirs\r
Route: <sip:edge.test;lr>\r
Max-Forwards: 69\r
From: <sip:bob@example.test>;tag=his\r
To: <sip:alice@example.test>\r
Call-ID: c1\r
CSeq: 7 INVITE\r
Contact: <sip:bob@192.0.2.9>\r
Content-Length: 4\r
\r
v=0\n"""


def response(status, tag="hers"):
    return build_response(parse_message(CALL), status, to_tag=tag)


@pytest.fixture
def call(layer, user, flow):
    """Send the INVITE at 0.0, and give the layer's transaction of it."""
    return layer.invite(CALL, BRANCH, flow, user, 0.0)


def test_timers_a_and_b(layer, call, user, flow, run, counted):
    moments = run(layer, flow.sent, 40.0)

    assert moments == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert {data for _, data in flow.sent} == {CALL}
    assert user.told == [("no answer in time", 32.0)]
    assert layer.clients == 0
    assert counted()["timeouts lacking=response"] == 1


def test_on_a_stream_nothing_is_sent_again(layer, user, stream, run):
    layer.invite(CALL, BRANCH, stream, user, 0.0)

    assert run(layer, stream.sent, 40.0) == []
    assert user.told == [("no answer in time", 32.0)]


def test_after_a_provisional_response_it_waits_for_ever(layer, call, user, flow, run):
    layer.receive(response(180), flow, 0.25)
    moments = run(layer, flow.sent, 400.0)
    layer.receive(response(183), flow, 400.0)

    assert moments == []
    assert user.told == [(180, 0.25), (183, 400.0)]
    assert layer.clients == 1


@pytest.mark.parametrize("status", [300, 401, 486, 503, 603])
def test_a_refusal_is_acknowledged_each_time_and_told_once(
    layer, call, user, flow, status
):
    for now in (0.1, 0.6):
        layer.receive(response(status), flow, now)
    acks = [data for _, data in flow.sent[1:]]

    assert user.told == [(status, 0.1)]
    assert (
        acks[0]
        == acks[1]
        == (
            b"ACK sip:alice@192.0.2.1:5070 SIP/2.0\r\n"
            b"Via: SIP/2.0/UDP 192.0.2.100:5060;branch=z9hG4bKours.1\r\n"
            b"Route: <sip:edge.test;lr>\r\n"
            b"Max-Forwards: 70\r\n"
            b"From: <sip:bob@example.test>;tag=his\r\n"
            b"To: <sip:alice@example.test>;tag=hers\r\n"
            b"Call-ID: c1\r\n"
            b"CSeq: 7 ACK\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
    )


def test_timer_d(layer, call, flow, run):
    layer.receive(response(486), flow, 0.1)
    layer.tick(31.0)
    layer.receive(response(486), flow, 32.0)
    acks = len(flow.sent) - 1
    for now in (33.0, 36.0, 40.0):
        layer.tick(now)
    layer.receive(response(486), flow, 40.0)

    assert (acks, len(flow.sent) - 1) == (2, 2)
    assert layer.clients == 0


def test_on_a_stream_timer_d_is_zero(layer, user, stream):
    layer.invite(CALL, BRANCH, stream, user, 0.0)
    layer.receive(response(486), stream, 0.1)

    assert len(stream.sent) == 2
    assert layer.clients == 0


@pytest.mark.parametrize("kind", ["flow", "stream"])
def test_each_2xx_is_told_until_timer_m_and_acknowledged_by_its_user(
    layer, user, request, kind
):
    flow = request.getfixturevalue(kind)
    layer.invite(CALL, BRANCH, flow, user, 0.0)
    for now, tag in ((0.1, "one"), (0.6, "one"), (5.0, "two")):
        layer.tick(now)
        layer.receive(response(200, tag), flow, now)
    for now in (31.0, 36.0):
        layer.tick(now)
    layer.receive(response(200), flow, 36.0)

    assert user.told == [(200, 0.1), (200, 0.6), (200, 5.0)]
    assert [data[:6] for _, data in flow.sent] == [b"INVITE"] * len(flow.sent)
    assert layer.clients == 0


def test_a_refusal_after_a_2xx_is_nothing(layer, call, user, flow):
    layer.receive(response(200), flow, 0.1)
    layer.receive(response(486), flow, 0.2)

    assert user.told == [(200, 0.1)]
    assert len(flow.sent) == 1


@pytest.mark.parametrize("rings", [False, True])
def test_a_closed_flow_is_a_failure(layer, user, stream, rings):
    layer.invite(CALL, BRANCH, stream, user, 0.0)
    if rings:
        layer.receive(response(180), stream, 0.1)
        user.told.clear()
    stream.close()
    for now in (0.5, 1.5, 5.0):
        layer.tick(now)

    assert [why for why, _ in user.told] == ["its flow is closed"]
    assert layer.clients == 0


def test_what_cannot_be_sent_is_told_with_the_next_tick(layer, user, flow):
    flow.close()
    layer.invite(CALL, BRANCH, flow, user, 0.0)
    before = list(user.told)
    layer.tick(0.05)

    assert before == []
    assert user.told == [("its flow is closed", 0.05)]


def test_a_response_to_no_invite_of_ours_is_stray(layer, flow, counted, call):
    data = response(200).replace(b"ours.1", b"ours.2")
    layer.receive(data, flow, 0.1)

    assert counted()["stray_responses"] == 1


def test_a_response_with_its_via_in_an_unusual_place_is_found(layer, call, user, flow):
    lines = response(200).split(b"\r\n")
    lines.insert(1, lines.pop(4))
    layer.receive(b"\r\n".join(lines), flow, 0.1)

    assert user.told == [(200, 0.1)]


def test_there_are_no_more_than_may_be(user, flow):
    layer = TransactionLayer(clients=1)
    layer.invite(CALL, BRANCH, flow, user, 0.0)

    with pytest.raises(LimitReached):
        layer.invite(CALL, "z9hG4bKours.2", flow, user, 0.0)
    assert len(flow.sent) == 1


def test_a_defect_of_a_user_is_counted_and_stops_nothing(layer, flow, counted):
    class Broken:
        def answered(self, status, data, now):
            raise RuntimeError

        failed = answered

    layer.invite(CALL, BRANCH, flow, Broken(), 0.0)
    layer.receive(response(180), flow, 0.1)
    layer.receive(response(486), flow, 0.2)

    assert counted()["transaction_defects"] == 2
    assert flow.sent[-1][1].startswith(b"ACK ")


@pytest.mark.parametrize("happening", Happening)
def test_nothing_happens_after_the_end(happening):
    assert (State.TERMINATED, happening) not in _TABLE


def test_only_a_first_final_response_or_a_2xx_is_told():
    told = {
        key
        for key, (_, do) in _TABLE.items()
        if do in (Do.TELL, Do.ACKNOWLEDGE_AND_TELL)
    }

    assert told == {
        *(
            (state, each)
            for state in (State.CALLING, State.PROCEEDING)
            for each in (Happening.PROVISIONAL, Happening.SUCCESS, Happening.REFUSAL)
        ),
        (State.ACCEPTED, Happening.SUCCESS),
    }
