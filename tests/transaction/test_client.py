from __future__ import annotations

import pytest

from presproxy.errors import LimitReached
from presproxy.transaction.client import (
    _TABLE,
    ClientTransaction,
    Do,
    Happening,
    State,
)
from presproxy.transaction.layer import TransactionLayer

NOTIFY = b"""\
NOTIFY sip:bob@192.0.2.1 SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.100:5060;rport;branch=z9hG4bKn1\r
Max-Forwards: 70\r
From: <sip:alice@example.test>;tag=ours\r
To: <sip:bob@example.test>;tag=theirs\r
Call-ID: c1\r
CSeq: 1 NOTIFY\r
Contact: <sip:192.0.2.100:5060>\r
Event: presence\r
Subscription-State: active;expires=600\r
Content-Length: 0\r
\r
"""


def response(status=200, branch="z9hG4bKn1", method="NOTIFY"):
    return b"""\
SIP/2.0 %d Some Reason\r
Via: SIP/2.0/UDP 192.0.2.100:5060;rport=5060;branch=%b;received=192.0.2.100\r
From: <sip:alice@example.test>;tag=ours\r
To: <sip:bob@example.test>;tag=theirs\r
Call-ID: c1\r
CSeq: 1 %b\r
Content-Length: 0\r
\r
""" % (status, branch.encode(), method.encode())


@pytest.fixture
def notify(layer, flow, user):
    return layer.send("NOTIFY", NOTIFY, "z9hG4bKn1", flow, user, 0.0)


@pytest.mark.usefixtures("notify")
class TestOnDatagrams:
    def test_a_request_is_sent_at_once(self, flow):
        assert flow.sent == [(("192.0.2.1", 5060), NOTIFY)]

    def test_it_is_sent_again_until_64_t1_are_over(self, layer, flow, user, run):
        moments = run(layer, flow.sent, 40.0)

        assert moments == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert {data for _, data in flow.sent} == {NOTIFY}
        assert user.told == [("no answer in time", 32.0)]
        assert layer.clients == 0

    def test_a_final_response_ends_it(self, layer, flow, user, run):
        layer.receive(response(), flow, 0.7)
        run(layer, flow.sent, 40.0, begin=0.7)

        assert user.told == [(200, 0.7)]
        assert len(flow.sent) == 1
        assert layer.clients == 0

    def test_a_provisional_response_slows_it_down(self, layer, flow, user, run):
        layer.receive(response(100), flow, 0.2)
        moments = run(layer, flow.sent, 40.0)

        assert moments == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
        assert user.told == [(100, 0.2), ("no answer in time", 32.0)]

    def test_a_repeated_response_is_told_once(self, layer, flow, user, counted):
        layer.receive(response(), flow, 0.1)
        layer.receive(response(), flow, 0.6)

        assert user.told == [(200, 0.1)]
        assert counted() == {"responses status=2xx": 2, "stray_responses": 1}

    def test_what_it_repeats_is_counted(self, layer, flow, run, counted):
        run(layer, flow.sent, 40.0)

        assert counted() == {
            "retransmissions direction=out": 10,
            "timeouts lacking=response": 1,
        }

    def test_a_flow_that_closes_meanwhile_fails_it(self, layer, flow, user):
        flow.close()
        layer.tick(0.5)

        assert user.told == [("udp:192.0.2.1:5060 is closed", 0.5)]


class TestOnStreams:
    def test_nothing_is_sent_again(self, layer, stream, user, run):
        layer.send("NOTIFY", NOTIFY, "z9hG4bKn1", stream, user, 0.0)

        assert run(layer, stream.sent, 40.0) == []
        assert user.told == [("no answer in time", 32.0)]

    def test_a_closed_stream_is_noticed_before_the_time_is_over(
        self, layer, stream, user, run
    ):
        layer.send("NOTIFY", NOTIFY, "z9hG4bKn1", stream, user, 0.0)
        run(layer, stream.sent, 2.0)
        stream.close()
        run(layer, stream.sent, 40.0, begin=2.0)

        assert user.told == [("tcp:192.0.2.1:5060 is closed", 3.5)]


def test_a_closed_flow_is_told_with_the_next_tick(layer, flow, user):
    flow.close()
    layer.send("NOTIFY", NOTIFY, "z9hG4bKn1", flow, user, 0.0)
    before = list(user.told)
    layer.tick(0.05)
    layer.tick(40.0)

    assert before == []
    assert user.told == [("udp:192.0.2.1:5060 is closed", 0.05)]
    assert layer.clients == 0


def test_a_user_who_asks_again_at_once_is_told_tick_by_tick(layer, flow):
    class Stubborn:
        count = 0

        def answered(self, status, data, now):
            pass

        def failed(self, why, now):
            self.count += 1
            layer.send("NOTIFY", NOTIFY, f"z9hG4bK{self.count}", flow, self, now)

    flow.close()
    user = Stubborn()
    user.failed("", 0.0)
    layer.tick(0.05)
    layer.tick(0.1)

    assert user.count == 3


@pytest.mark.parametrize(
    ("data", "is_told"),
    [
        (response(), True),
        (response(481), True),
        (response(branch="z9hG4bKn2"), False),
        (response(branch="Z9HG4BKN1"), False),
        (response(method="SUBSCRIBE"), False),
        (response().replace(b"Via:", b"v:"), True),
        (response().replace(b"Via:", b"Subject: x\r\nVia:"), True),
        (response().replace(b"CSeq", b"cseq"), True),
        (response().replace(b";branch=z9hG4bKn1", b""), False),
        (response().replace(b"SIP/2.0/UDP 192.0.2.100:5060", b"nothing"), False),
        (response().replace(b"1 NOTIFY", b"NOTIFY"), False),
        (response().replace(b"200", b"099"), False),
        (response().replace(b"200", b"700"), False),
        (response().replace(b"200", b"2000"), False),
    ],
    ids=[
        "branch and method",
        "whatever the status",
        "another branch",
        "a branch in other letters",
        "another method",
        "the compact form",
        "Via further down",
        "odd spelling",
        "no branch",
        "no Via",
        "no number",
        "status too low",
        "status too high",
        "no status",
    ],
)
def test_a_response_finds_its_request(layer, flow, user, notify, data, is_told):
    layer.receive(data, flow, 0.1)

    assert bool(user.told) is is_told
    assert notify.is_alive is not is_told


def test_two_methods_may_share_a_branch(layer, flow, user, notify):
    layer.send("CANCEL", b"CANCEL ...", "z9hG4bKn1", flow, user, 0.0)
    layer.receive(response(method="CANCEL"), flow, 0.1)

    assert notify.is_alive
    assert layer.clients == 1


def test_a_branch_may_be_given_as_bytes(layer, flow, user):
    layer.send("NOTIFY", NOTIFY, b"z9hG4bKn1", flow, user, 0.0)
    layer.receive(response(), flow, 0.1)

    assert user.told == [(200, 0.1)]


def test_an_abandoned_request_is_heard_of_no_more(layer, flow, user, notify, run):
    layer.abandon(notify)
    layer.receive(response(), flow, 0.1)

    assert run(layer, flow.sent, 40.0) == []
    assert user.told == []
    assert layer.clients == 0


def test_no_more_wait_than_the_bound_allows(flow, user):
    layer = TransactionLayer(clients=2)
    layer.send("NOTIFY", NOTIFY, "z9hG4bKn1", flow, user, 0.0)
    layer.send("NOTIFY", NOTIFY, "z9hG4bKn2", flow, user, 0.0)

    with pytest.raises(LimitReached, match="at most 2 client transactions"):
        layer.send("NOTIFY", NOTIFY, "z9hG4bKn3", flow, user, 0.0)
    assert len(flow.sent) == 2

    layer.receive(response(), flow, 0.1)
    layer.send("NOTIFY", NOTIFY, "z9hG4bKn3", flow, user, 0.2)

    assert layer.clients == 2


def test_an_answered_request_is_let_go_of_after_its_first_interval(
    layer, flow, stream, user
):
    for each, branch in ((flow, "z9hG4bKn1"), (stream, "z9hG4bKn2")):
        layer.send("NOTIFY", NOTIFY, branch, each, user, 0.0)
        layer.receive(response(branch=branch), each, 0.1)
    layer.tick(0.5)

    assert len(layer._clients._queue) == 0


def test_many_that_are_due_at_once_have_their_turns_one_after_the_other(
    layer, flow, user
):
    for number in range(250):
        layer.send("NOTIFY", NOTIFY, f"z9hG4bKn{number}", flow, user, 0.0)
    flow.sent.clear()

    turns = []
    for _ in range(4):
        is_left = layer.tick(0.5)
        turns.append((is_left, len(flow.sent)))

    assert turns == [(True, 100), (True, 200), (False, 250), (False, 250)]


def test_what_was_answered_keeps_no_message(layer, flow, user):
    sent = layer.send("NOTIFY", NOTIFY, "z9hG4bKn1", flow, user, 0.0)
    before = sent.data
    layer.receive(response(), flow, 0.1)

    assert (before, sent.data) == (NOTIFY, b"")


class TestAUserWhoFails:
    class Failing:
        def answered(self, status, data, now):
            raise LookupError

        def failed(self, why, now):
            raise LookupError

    def test_stops_nobody_else(self, layer, flow, user, counted):
        for number, each in enumerate([self.Failing(), user]):
            branch = f"z9hG4bKn{number}"
            layer.send("NOTIFY", NOTIFY, branch, flow, each, 0.0)
        for now in range(40):
            layer.tick(float(now))

        assert [why for why, _ in user.told] == ["no answer in time"]
        assert counted()["transaction_defects"] == 1

    def test_does_not_break_the_flow_of_its_response(self, layer, flow, counted):
        layer.send("NOTIFY", NOTIFY, "z9hG4bKn1", flow, self.Failing(), 0.0)
        layer.receive(response(), flow, 0.1)

        assert counted()["transaction_defects"] == 1
        assert layer.clients == 0


@pytest.mark.parametrize("happening", list(Happening))
def test_nothing_happens_after_the_end(flow, user, happening):
    transaction = ClientTransaction((b"", b""), b"", flow, user, 0.5)
    transaction.happen(Happening.FINAL)

    assert transaction.happen(happening) is Do.NOTHING
    assert transaction.state is State.TERMINATED


@pytest.mark.parametrize("state", [State.TRYING, State.PROCEEDING])
def test_the_table_has_a_row_for_all_that_can_happen_before_the_end(state):
    assert {happening for each, happening in _TABLE if each is state} == set(Happening)
