"""Whatever comes in whatever order: each request once, each answer as it was."""

from __future__ import annotations

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
)

from presproxy.sip.message import build_response
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.transaction.layer import TransactionLayer

#: Timers J and L, and the longest anybody waits, but for the answer to an INVITE.
LONGEST = 32.0
NEVER = float("inf")
T4 = 5.0

STEPS = st.sampled_from([0.25, 0.5, 1.0, 4.0, 5.0, 16.0, 31.75, 32.0])


def message(method, branch, cseq, credentials=b""):
    return b"""\
%b sip:alice@example.test SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK%d\r
Max-Forwards: 70\r
From: <sip:bob@example.test>;tag=theirs\r
To: <sip:alice@example.test>\r
Call-ID: c%d\r
CSeq: %d %b\r
%bContent-Length: 0\r
\r
""" % (method, branch, branch, cseq, method, credentials)


@attrs.define(eq=False)
class Asked:
    """A request as whoever sent it knows it."""

    method: bytes
    branch: int
    data: bytes
    flow: RecordingFlow
    transaction: object
    until: float
    #: The last response and its status.
    response: bytes = b""
    status: int = 0
    is_acknowledged: bool = False

    @property
    def is_final(self):
        return self.status >= 200

    @property
    def is_accepted_call(self):
        return self.method == b"INVITE" and 200 <= self.status < 300

    def is_remembered(self, now):
        return now < self.until


class Servers(RuleBasedStateMachine):
    """Requests, retransmissions, answers and time against what ought to be handed up."""

    asked = Bundle("asked")

    def __init__(self):
        super().__init__()
        self.layer = TransactionLayer()
        self.now = 0.0
        self.count = 0
        self.all = []
        self.flow = RecordingFlow()
        self.stream = RecordingStream()

    @rule(
        target=asked,
        method=st.sampled_from([b"SUBSCRIBE", b"PUBLISH", b"INVITE"]),
        is_stream=st.booleans(),
    )
    def ask(self, method, is_stream):
        self.count += 1
        flow = self.stream if is_stream else self.flow
        return self._new(method, self.count, message(method, self.count, 1), flow)

    @rule(asked=asked)
    def repeat(self, asked):
        before = len(asked.flow.sent)
        handed = self.layer.receive(asked.data, asked.flow, self.now)
        sent = [data for _, data in asked.flow.sent[before:]]

        if not asked.is_remembered(self.now):
            assert handed is not None
            assert sent == []
            asked.transaction, asked.status, asked.response = handed, 0, b""
            asked.until, asked.is_acknowledged = self._given_up(asked.method), False
        else:
            assert handed is None
            expected = (
                asked.response
                and not asked.is_acknowledged
                and not asked.is_accepted_call
            )
            assert sent == ([asked.response] if expected else [])

    @rule(asked=asked, status=st.sampled_from([100, 183, 200, 202, 401, 407, 489, 500]))
    def answer(self, asked, status):
        response = build_response(
            asked.transaction.request, status, [("X-Count", str(self.count))]
        )
        follows = asked.is_accepted_call and 200 <= status < 300
        goes = (not asked.is_final or follows) and asked.is_remembered(self.now)
        before = len(asked.flow.sent)
        asked.transaction.respond(response, status, self.now)
        sent = [data for _, data in asked.flow.sent[before:]]

        assert sent == ([response] if goes else [])
        if goes:
            asked.status, asked.response = status, response
        if goes and status >= 200 and not follows:
            is_kept = not asked.flow.reliable or asked.method == b"INVITE"
            asked.until = self.now + LONGEST if is_kept else self.now

    @rule(
        target=asked,
        asked=consumes(asked).filter(lambda each: each.status in (401, 407)),
        counts_on=st.booleans(),
    )
    def ask_with_credentials(self, asked, counts_on):
        self.all.remove(asked)
        self.count += 1
        credentials = b"Authorization: Digest response=%d\r\n" % self.count
        cseq = self.count if counts_on else 1
        data = message(asked.method, asked.branch, cseq, credentials)
        return self._new(asked.method, asked.branch, data, asked.flow)

    @rule(asked=asked)
    def acknowledge(self, asked):
        if asked.method != b"INVITE":
            return
        before = len(asked.flow.sent)
        data = asked.data.replace(b"INVITE", b"ACK")
        handed = self.layer.receive(data, asked.flow, self.now)

        assert handed is None
        assert len(asked.flow.sent) == before
        is_first = asked.status >= 300 and not asked.is_acknowledged
        if is_first and asked.is_remembered(self.now):
            asked.is_acknowledged = True
            rest = 0.0 if asked.flow.reliable else T4
            asked.until = min(asked.until, self.now + rest)

    @rule(step=STEPS)
    def wait(self, step):
        self.now += step
        before = len(self.flow.sent), len(self.stream.sent)
        self.layer.tick(self.now)
        sent = [data for _, data in self.flow.sent[before[0] :]]
        repeated = {
            each.response
            for each in self.all
            if each.method == b"INVITE"
            and each.status >= 300
            and not each.is_acknowledged
        }

        assert set(sent) <= repeated
        assert len(self.stream.sent) == before[1]

    @invariant()
    def what_is_counted_is_what_there_is(self):
        open_ones = [
            each
            for each in self.all
            if not each.is_final and each.is_remembered(self.now)
        ]
        assert self.layer.servers == len(open_ones)
        assert (self.layer.remembered == 0) is (self.layer.octets == 0)

    def _new(self, method, branch, data, flow):
        before = len(flow.sent)
        transaction = self.layer.receive(data, flow, self.now)

        assert transaction is not None
        assert transaction.request.method == method.decode()
        assert len(flow.sent) == before
        until = self._given_up(method)
        asked = Asked(method, branch, data, flow, transaction, until)
        self.all.append(asked)
        return asked

    def _given_up(self, method):
        return NEVER if method == b"INVITE" else self.now + LONGEST

    def teardown(self):
        for each in self.all:
            if each.method == b"INVITE":
                response = build_response(each.transaction.request, 500)
                each.transaction.respond(response, 500, self.now)
        self.now += LONGEST
        self.layer.tick(self.now)

        assert self.layer.servers == self.layer.remembered == self.layer.octets == 0


@attrs.define(eq=False)
class Asking:
    """A request of ours, and what its user was told."""

    branch: int
    flow: RecordingFlow
    began: float
    final: list[object] = attrs.field(factory=list)
    provisional: int = 0

    def answered(self, status, data, now):
        if status < 200:
            assert self.final == []
            self.provisional += 1
        else:
            self.final.append(status)

    def failed(self, why, now):
        self.final.append(why)


class Clients(RuleBasedStateMachine):
    """Requests of ours, responses and time against what ought to be told."""

    asking = Bundle("asking")

    def __init__(self):
        super().__init__()
        self.layer = TransactionLayer()
        self.now = 0.0
        self.all = []
        self.flow = RecordingFlow()
        self.stream = RecordingStream()

    @rule(target=asking, is_stream=st.booleans())
    def ask(self, is_stream):
        flow = self.stream if is_stream else self.flow
        asking = Asking(len(self.all), flow, self.now)
        self.all.append(asking)
        data = message(b"NOTIFY", asking.branch, 1)
        branch = f"z9hG4bK{asking.branch}"
        self.layer.send("NOTIFY", data, branch, flow, asking, self.now)

        assert flow.sent[-1] == (flow.peer, data)
        return asking

    @rule(asking=asking, status=st.sampled_from([100, 183, 200, 401, 481, 699]))
    def answer(self, asking, status):
        before = list(asking.final)
        request = message(b"NOTIFY", asking.branch, 1)
        response = b"SIP/2.0 %d X\r\n" % status + request.partition(b"\r\n")[2]
        handed = self.layer.receive(response, asking.flow, self.now)

        assert handed is None
        if before or status < 200:
            assert asking.final == before
        else:
            assert asking.final == [status]

    @rule(step=STEPS)
    def wait(self, step):
        quiet = {each.branch for each in self.all if each.final}
        before = len(self.flow.sent), len(self.stream.sent)
        self.now += step
        self.layer.tick(self.now)
        again = {data for _, data in self.flow.sent[before[0] :]}

        assert not again & {message(b"NOTIFY", branch, 1) for branch in quiet}
        assert len(self.stream.sent) == before[1]

    @invariant()
    def each_is_told_once_and_counted_until_then(self):
        assert all(len(each.final) <= 1 for each in self.all)
        assert self.layer.clients == sum(not each.final for each in self.all)

    def teardown(self):
        # Ticks as they come: late ones put off what follows.
        for _ in range(800):
            self.now += 0.05
            self.layer.tick(self.now)

        assert all(len(each.final) == 1 for each in self.all)
        assert len(self.layer._clients._queue) == 0


TestServers = Servers.TestCase
TestServers.settings = settings(
    max_examples=100, stateful_step_count=40, derandomize=True, deadline=None
)
TestClients = Clients.TestCase
TestClients.settings = settings(
    max_examples=50, stateful_step_count=30, derandomize=True, deadline=None
)
