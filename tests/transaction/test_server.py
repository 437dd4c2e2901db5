from __future__ import annotations

import re

import pytest

from presproxy.transaction.layer import TransactionLayer
from presproxy.transaction.server import (
    INVITE,
    NON_INVITE,
    Answering,
    Do,
    Happening,
    State,
)

SUBSCRIBE = b"""\
SUBSCRIBE sip:alice@example.test SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKs1\r
Max-Forwards: 70\r
From: <sip:bob@example.test>;tag=theirs\r
To: <sip:alice@example.test>\r
Call-ID: c1\r
CSeq: 1 SUBSCRIBE\r
Contact: <sip:bob@192.0.2.1>\r
Event: presence\r
Content-Length: 0\r
\r
"""

#: As SIPE repeats a request after a challenge: nothing new but the credentials.
WITH_CREDENTIALS = SUBSCRIBE.replace(
    b"Event:", b'Authorization: Digest username="bob"\r\nEvent:'
)
#: As libpurple does it: the next CSeq, too.
WITH_NEXT_CSEQ = WITH_CREDENTIALS.replace(b"CSeq: 1", b"CSeq: 2")


def numbered(number):
    return SUBSCRIBE.replace(b"z9hG4bKs1", b"z9hG4bKs%d" % number)


class TestOnDatagrams:
    def test_a_new_request_is_handed_up_once(self, layer, flow):
        transaction = layer.receive(SUBSCRIBE, flow, 1.0)
        again = layer.receive(SUBSCRIBE, flow, 1.5)

        assert transaction.request.method == "SUBSCRIBE"
        assert transaction.flow is flow
        assert transaction.arrived == 1.0
        assert again is None
        assert flow.sent == []

    def test_a_final_response_is_sent_and_sent_again_as_it_was(
        self, layer, flow, answer
    ):
        transaction = layer.receive(SUBSCRIBE, flow, 0.0)
        response = answer(transaction, 200)
        again = [layer.receive(SUBSCRIBE, flow, now) for now in (0.5, 1.5, 31.9)]

        assert again == [None, None, None]
        assert [data for _, data in flow.sent] == [response] * 4
        assert transaction.is_answered

    def test_a_provisional_response_is_sent_again(self, layer, flow, answer):
        transaction = layer.receive(SUBSCRIBE, flow, 0.0)
        trying = answer(transaction, 100)
        layer.receive(SUBSCRIBE, flow, 0.5)
        is_answered = transaction.is_answered
        final = answer(transaction, 200)
        layer.receive(SUBSCRIBE, flow, 1.5)

        assert [data for _, data in flow.sent] == [trying, trying, final, final]
        assert not is_answered

    def test_a_second_final_response_goes_nowhere(self, layer, flow, answer):
        transaction = layer.receive(SUBSCRIBE, flow, 0.0)
        first = answer(transaction, 200)
        answer(transaction, 401)
        layer.receive(SUBSCRIBE, flow, 0.5)

        assert [data for _, data in flow.sent] == [first, first]

    def test_timer_j_forgets_it(self, layer, flow, answer):
        answer(layer.receive(SUBSCRIBE, flow, 0.0), 200, now=1.0)
        layer.tick(32.9)
        before = layer.remembered
        layer.tick(33.0)

        assert (before, layer.remembered, layer.octets) == (1, 0, 0)
        assert layer.receive(SUBSCRIBE, flow, 33.1) is not None

    def test_one_never_answered_is_forgotten_after_64_t1(
        self, layer, flow, answer, counted
    ):
        transaction = layer.receive(SUBSCRIBE, flow, 0.0)
        layer.tick(31.9)
        before = layer.servers
        layer.tick(32.0)
        answer(transaction, 200, now=33.0)

        assert (before, layer.servers) == (1, 0)
        assert transaction.is_answered
        assert flow.sent == []
        assert counted()["timeouts lacking=answer"] == 1

    def test_a_response_to_a_closed_flow_is_counted(self, layer, flow, answer, counted):
        transaction = layer.receive(SUBSCRIBE, flow, 0.0)
        flow.close()
        answer(transaction, 200)
        layer.receive(SUBSCRIBE, flow, 0.5)

        assert counted()["undelivered_responses"] == 2
        assert layer.servers == 0


class TestOnStreams:
    def test_nothing_is_remembered(self, layer, stream, answer):
        response = answer(layer.receive(SUBSCRIBE, stream, 0.0), 200)

        assert [data for _, data in stream.sent] == [response]
        assert (layer.servers, layer.remembered, layer.octets) == (0, 0, 0)

    def test_a_request_that_waits_is_not_handed_up_twice(self, layer, stream):
        layer.receive(SUBSCRIBE, stream, 0.0)

        assert layer.receive(SUBSCRIBE, stream, 0.1) is None


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("second", [WITH_CREDENTIALS, WITH_NEXT_CSEQ])
class TestAfterAChallenge:
    def test_the_same_branch_with_credentials_is_a_new_request(
        self, layer, flow, answer, status, second
    ):
        answer(layer.receive(SUBSCRIBE, flow, 0.0), status)
        transaction = layer.receive(second, flow, 0.1)
        accepted = answer(transaction, 200, now=0.2)
        again = layer.receive(second, flow, 0.6)

        assert again is None
        assert [data for _, data in flow.sent][1:] == [accepted, accepted]

    def test_the_first_request_come_again_is_challenged_again(
        self, layer, flow, answer, status, second
    ):
        challenge = answer(layer.receive(SUBSCRIBE, flow, 0.0), status)

        assert layer.receive(SUBSCRIBE, flow, 0.5) is None
        assert [data for _, data in flow.sent] == [challenge, challenge]

    def test_any_number_of_legs_may_follow(self, layer, flow, answer, status, second):
        for leg in range(5):
            data = second.replace(b"bob", b"bob%d" % leg)
            answer(layer.receive(data, flow, leg / 10), status, now=leg / 10)

        assert layer.receive(second, flow, 1.0) is not None

    def test_memory_holds_what_it_says_it_holds(
        self, layer, flow, answer, status, second
    ):
        answer(layer.receive(SUBSCRIBE, flow, 0.0), status)
        answer(layer.receive(second, flow, 0.1), 200, now=0.1)
        layer.tick(40.0)

        assert (layer.remembered, layer.octets) == (0, 0)


def test_other_bytes_are_the_same_request_unless_challenged(layer, flow, answer):
    answer(layer.receive(SUBSCRIBE, flow, 0.0), 200)

    assert layer.receive(WITH_CREDENTIALS, flow, 0.1) is None


class TestBounds:
    def test_too_many_at_once_are_refused(self, flow, answer, metrics, counted):
        layer = TransactionLayer(servers=2, metrics=metrics)
        first = layer.receive(numbered(1), flow, 0.0)
        layer.receive(numbered(2), flow, 0.0)
        refused = layer.receive(numbered(3), flow, 0.0)
        layer.receive(numbered(3), flow, 0.5)

        assert refused is None
        assert flow.sent[0][1].startswith(b"SIP/2.0 503 Service Unavailable\r\n")
        assert re.search(rb"\r\nRetry-After: \d+\r\n", flow.sent[0][1])
        assert flow.sent[0] == flow.sent[1]
        assert counted()["refused"] == 2

        answer(first, 200)

        assert layer.receive(numbered(3), flow, 1.0) is not None

    def test_what_waits_is_still_recognised_when_full(self, flow):
        layer = TransactionLayer(servers=1)
        layer.receive(SUBSCRIBE, flow, 0.0)
        layer.receive(SUBSCRIBE, flow, 0.5)

        assert flow.sent == []

    def test_the_oldest_answer_is_forgotten_first(self, flow, answer):
        layer = TransactionLayer(remembered=3)
        for number in range(5):
            answer(layer.receive(numbered(number), flow, 0.0), 200)
        known = [layer.receive(numbered(number), flow, 1.0) for number in range(5)]

        assert layer.remembered == 3
        assert [each is None for each in known] == [False, False, True, True, True]

    def test_answers_take_no_more_than_their_octets(self, flow, answer):
        layer = TransactionLayer(octets=5000)
        for number in range(50):
            answer(layer.receive(numbered(number), flow, 0.0), 200)

        assert 3000 < layer.octets <= 5000
        assert layer.receive(numbered(49), flow, 1.0) is None

    def test_an_answer_larger_than_all_is_sent_and_not_remembered(self, flow, answer):
        layer = TransactionLayer(octets=100)
        answer(layer.receive(SUBSCRIBE, flow, 0.0), 200)

        assert len(flow.sent) == 1
        assert (layer.remembered, layer.octets) == (0, 0)


CALL = b"""\
INVITE sip:alice@example.test SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKi1\r
Max-Forwards: 70\r
From: <sip:bob@example.test>;tag=theirs\r
To: <sip:alice@example.test>\r
Call-ID: c2\r
CSeq: 1 INVITE\r
Contact: <sip:bob@192.0.2.1>\r
Content-Length: 0\r
\r
"""
ACK = CALL.replace(b"INVITE", b"ACK").replace(
    b"test>\r\nCall", b"test>;tag=ours\r\nCall"
)


class TestInvite:
    def test_a_refusal_is_repeated_until_64_t1_are_over(
        self, layer, flow, answer, run, counted
    ):
        refusal = answer(layer.receive(CALL, flow, 0.0), 405)
        moments = run(layer, flow.sent, 40.0)

        assert moments == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert {data for _, data in flow.sent} == {refusal}
        assert layer.remembered == 0
        assert counted()["timeouts lacking=ack"] == 1

    def test_an_ack_ends_that_and_is_not_handed_up(self, layer, flow, answer, run):
        answer(layer.receive(CALL, flow, 0.0), 405)
        layer.tick(0.5)
        handed = layer.receive(ACK, flow, 0.6)
        moments = run(layer, flow.sent, 40.0, begin=0.5)

        assert handed is None
        assert moments == []

    def test_after_the_ack_what_comes_again_is_absorbed_for_t4(
        self, layer, flow, answer
    ):
        answer(layer.receive(CALL, flow, 0.0), 405)
        layer.receive(ACK, flow, 0.25)
        for now in (0.5, 1.0, 1.5, 5.0):
            layer.tick(now)
            layer.receive(ACK, flow, now)
            layer.receive(CALL, flow, now)
        before = layer.remembered
        layer.tick(5.25)

        assert len(flow.sent) == 1
        assert (before, layer.remembered) == (1, 0)

    def test_a_repeated_invite_gets_the_refusal_again(self, layer, flow, answer):
        refusal = answer(layer.receive(CALL, flow, 0.0), 405)
        layer.receive(CALL, flow, 0.4)

        assert [data for _, data in flow.sent] == [refusal, refusal]

    def test_trying_is_sent_by_nobody_but_the_user(self, layer, flow, answer):
        transaction = layer.receive(CALL, flow, 0.0)
        layer.receive(CALL, flow, 0.5)
        before = list(flow.sent)
        trying = answer(transaction, 100)
        layer.receive(CALL, flow, 1.5)

        assert before == []
        assert [data for _, data in flow.sent] == [trying, trying]

    def test_timer_l_forgets_an_accepted_one_and_nothing_is_repeated(
        self, layer, flow, answer, run
    ):
        answer(layer.receive(CALL, flow, 0.0), 200)
        layer.receive(CALL, flow, 0.5)
        moments = run(layer, flow.sent, 31.75)
        before = layer.remembered
        layer.tick(32.0)

        assert len(flow.sent) == 1
        assert moments == []
        assert (layer.servers, before, layer.remembered) == (0, 1, 0)

    @pytest.mark.parametrize("kind", ["flow", "stream"])
    def test_what_accepts_again_is_sent_until_timer_l(
        self, layer, request, answer, kind
    ):
        flow = request.getfixturevalue(kind)
        transaction = layer.receive(CALL, flow, 0.0)
        for now, status in ((0.0, 200), (0.5, 200), (31.0, 200), (31.5, 486)):
            layer.tick(now)
            answer(transaction, status, now)
        layer.tick(32.0)
        answer(transaction, 200, 32.0)

        assert len(flow.sent) == 3

    def test_the_ack_to_what_accepts_is_handed_on(self, layer, flow, answer):
        acks = []
        layer.give_acks_to(lambda request, flow, now: acks.append((request, flow, now)))
        answer(layer.receive(CALL, flow, 0.0), 200)
        layer.receive(ACK, flow, 0.1)
        layer.receive(ACK.replace(b"bKi1", b"bKi2"), flow, 0.2)

        assert [(each.method, by, now) for each, by, now in acks] == [
            ("ACK", flow, 0.1),
            ("ACK", flow, 0.2),
        ]

    def test_the_ack_to_a_refusal_is_for_nobody_else(self, layer, flow, answer):
        acks = []
        layer.give_acks_to(lambda request, flow, now: acks.append(request))
        answer(layer.receive(CALL, flow, 0.0), 486)
        layer.receive(ACK, flow, 0.1)
        layer.receive(ACK, flow, 0.2)

        assert acks == []

    def test_it_may_ring_as_long_as_its_user_wants(self, layer, flow, answer, counted):
        transaction = layer.receive(CALL, flow, 0.0)
        answer(transaction, 180)
        for now in (32.0, 100.0, 3600.0):
            layer.tick(now)
        answer(transaction, 200, 3600.0)

        assert [data[8:11] for _, data in flow.sent] == [b"180", b"200"]
        assert "timeouts lacking=answer" not in counted()

    def test_on_a_stream_a_refusal_is_sent_once(self, layer, stream, answer, run):
        answer(layer.receive(CALL, stream, 0.0), 405)
        handed = layer.receive(ACK, stream, 0.1)

        assert handed is None
        assert run(layer, stream.sent, 40.0) == []
        assert layer.remembered == 0

    def test_one_forgotten_for_room_is_repeated_no_more(self, flow, answer, run):
        layer = TransactionLayer(remembered=1)
        answer(layer.receive(CALL, flow, 0.0), 405)
        answer(layer.receive(SUBSCRIBE, flow, 0.0), 200)

        assert run(layer, flow.sent, 40.0) == []

    def test_a_flow_that_closes_is_counted_and_no_more(
        self, layer, flow, answer, run, counted
    ):
        answer(layer.receive(CALL, flow, 0.0), 405)
        flow.close()
        run(layer, flow.sent, 40.0)

        assert counted()["undelivered_responses"] == 10
        assert layer.remembered == 0

    def test_a_challenged_one_comes_again_with_credentials(self, layer, flow, answer):
        answer(layer.receive(CALL, flow, 0.0), 407)
        layer.receive(ACK, flow, 0.1)
        second = CALL.replace(b"Contact", b"Proxy-Authorization: Digest x=y\r\nContact")
        transaction = layer.receive(second, flow, 0.2)
        answer(transaction, 405, now=0.3)
        layer.receive(ACK, flow, 0.4)
        layer.tick(40.0)

        assert len(flow.sent) == 2
        assert (layer.remembered, layer.octets) == (0, 0)


def test_an_ack_to_nothing_is_dropped(layer, flow, counted):
    assert layer.receive(ACK, flow, 0.0) is None
    assert flow.sent == []
    assert counted() == {"requests method=ACK": 1}


def test_an_ack_to_an_invite_not_yet_answered_changes_nothing(layer, flow, answer):
    transaction = layer.receive(CALL, flow, 0.0)
    layer.receive(ACK, flow, 0.1)
    answer(transaction, 405)

    assert len(flow.sent) == 1


@pytest.mark.parametrize("method", ["INVITE", "SUBSCRIBE"])
@pytest.mark.parametrize("happening", list(Happening))
def test_nothing_happens_after_the_end(flow, method, happening):
    answering = Answering("", method, flow, 0.0)
    answering.happen(Happening.OVER)

    assert answering.happen(happening) is Do.NOTHING
    assert answering.state is State.TERMINATED


@pytest.mark.parametrize("table", [INVITE, NON_INVITE], ids=["figure 7", "figure 8"])
def test_no_row_leads_back(table):
    assert [row for row, (after, _) in table.items() if after < row[0]] == []
