"""Many changes for many watchers at once, some of whom do badly."""

from __future__ import annotations

from itertools import count

import attrs
import pytest

from presproxy.events.fanout import SLICE
from presproxy.testing.desk import Desk, shown
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.wire import Message, pidf, respond

WANTED = {"Supported": "ms-benotify"}


def aor(user):
    return f"sip:{user}@example.test"


@attrs.define(eq=False)
class Storm:
    """A server in the middle, and what each watcher was told by Call-ID."""

    desk: Desk
    seen: dict = attrs.field(factory=dict)
    silent: set = attrs.field(factory=set)
    tags: dict = attrs.field(factory=dict)
    read: dict = attrs.field(factory=dict)
    _numbers: count = attrs.field(factory=lambda: count(1))

    def subscribe(self, presentity, fields=None, flow=None):
        """Let somebody subscribe, and give his Call-ID."""
        user = f"w{next(self._numbers)}"
        data = self.desk.write(
            "SUBSCRIBE",
            {"Event": "presence", **(fields or {})},
            uri=aor(presentity),
            user=user,
        )
        self.desk.send(data, flow)
        call_id = Message.read(data).call_id
        self.seen[call_id] = []
        return call_id

    def publish(self, presentity, note):
        """Let a presentity change; nothing goes out before the reactor turns."""
        tag = self.tags.get(presentity)
        answer = self.desk.publish(
            pidf(aor(presentity), note),
            {} if tag is None else {"SIP-If-Match": tag},
            user=presentity,
        )
        self.tags[presentity] = answer.need("sip-etag")

    def take(self, flow):
        """Take what came by a flow, and answer all who are not silent."""
        at = self.read.get(flow, 0)
        new, self.read[flow] = flow.sent[at:], len(flow.sent)
        for _, data in new:
            if data.startswith(b"SIP/2.0"):
                continue
            notify = Message.read(data)
            self.seen[notify.call_id].append(shown(notify))
            if notify.method == "NOTIFY" and notify.call_id not in self.silent:
                self.desk.send(respond(notify), flow)

    def settle(self, *flows):
        """Let the reactor turn until nothing more comes."""
        flows = flows or (self.desk.flow,)
        while True:
            self.desk.clock.advance(0)
            before = [self.read.get(flow, 0) for flow in flows]
            for flow in flows:
                self.take(flow)
            after = [self.read[flow] for flow in flows]
            if before == after and not len(self.desk.server.agent.fanout):
                return


@pytest.fixture
def storm():
    return Storm(Desk())


def test_all_change_at_once_again_and_again_and_everybody_is_told_the_last(storm):
    presentities = [f"p{number}" for number in range(30)]
    watchers = {
        each: [storm.subscribe(each) for _ in range(30)] for each in presentities
    }
    storm.settle()

    for number in range(4):
        for each in presentities:
            storm.publish(each, f"first {number}")
        storm.desk.clock.advance(0)
    for each in presentities:
        storm.publish(each, f"last of {each}")
    storm.settle()

    for each, crowd in watchers.items():
        for watcher in crowd:
            notes = storm.seen[watcher]
            assert notes[-1] == f"last of {each}"
            # The one in flight, and the last: what came in between was never sent.
            assert len(notes) <= 3
    assert storm.desk.defects == 0


def test_others_are_answered_while_many_are_told(storm):
    for _ in range(3 * SLICE):
        storm.subscribe("p0", WANTED)
    storm.settle()
    fanout, turns = storm.desk.server.agent.fanout, []
    fanout.soon = turns.append
    storm.publish("p0", "busy")
    storm.desk.clock.advance(0)

    published = storm.desk.publish(pidf(aor("other"), "here"), user="other")
    subscribed = storm.desk.subscribe(uri=aor("other"), user="somebody")
    waiting = len(fanout)
    storm.seen[subscribed.sent.call_id] = []
    while turns:
        turns.pop()()
    storm.settle()

    assert waiting == 2
    assert (published.status, subscribed.status) == (200, 200)
    assert [notes[-1] for notes in storm.seen.values()] == ["busy"] * 3 * SLICE + [
        "here"
    ]


def test_a_watcher_who_never_answers_is_sent_one_at_a_time_and_is_gone_at_last(storm):
    silent, good = (storm.subscribe("p0") for _ in range(2))
    storm.settle()
    storm.silent.add(silent)

    for number in range(20):
        storm.publish("p0", f"{number}")
        storm.settle()
        storm.desk.sleep(1)
    in_flight = storm.desk.server.core.layer.clients
    storm.settle()
    before = len(storm.desk.subscriptions)
    storm.desk.sleep(20)
    storm.settle()
    missed_one = len(storm.desk.subscriptions)
    storm.desk.sleep(33)
    storm.settle()

    assert storm.seen[good][1:] == [f"{number}" for number in range(20)]
    assert set(storm.seen[silent][1:]) == {"0", "19"}
    assert missed_one == 2
    assert (in_flight, before) == (1, 2)
    assert len(storm.desk.subscriptions) == 1
    assert len(storm.desk.kept("subscription")) == 1


def test_all_who_never_answer_are_sent_to_again_and_are_gone_at_last(storm):
    for _ in range(250):
        storm.silent.add(storm.subscribe("p0"))
    storm.settle()

    storm.desk.sleep(0.6)
    storm.settle()
    again = {len(notes) for notes in storm.seen.values()}
    storm.desk.sleep(65)

    assert again == {2}
    assert (storm.desk.subscriptions, storm.desk.kept("subscription")) == ((), [])
    assert storm.desk.defects == 0


@pytest.mark.parametrize("fields", [{}, WANTED], ids=["NOTIFY", "BENOTIFY"])
def test_watchers_behind_a_stream_that_nobody_reads_are_told_the_last_alone(
    storm, fields
):
    stream, healthy = RecordingStream(room=10_000), RecordingFlow()
    deaf = [storm.subscribe("p0", fields, stream) for _ in range(20)]
    good = [storm.subscribe("p0", None, healthy) for _ in range(20)]
    storm.settle(stream, healthy)
    stream.read(room=5)

    for number in range(50):
        storm.publish("p0", f"{number}")
        storm.settle(healthy)
    unread = len(stream.sent) - storm.read[stream]
    stream.read()
    storm.settle(stream, healthy)

    assert unread == 5
    for each in good:
        assert storm.seen[each][1:] == [f"{number}" for number in range(50)]
    for each in deaf:
        assert len(storm.seen[each]) <= 3
        assert storm.seen[each][-1] == "49"
    assert storm.desk.defects == 0
