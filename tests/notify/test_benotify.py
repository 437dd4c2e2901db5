"""BENOTIFY: told without an answer ([MS-SIP] 3.5)."""

from __future__ import annotations

import json

import pytest

from presproxy.errors import FlowClosed
from presproxy.model.notice import NumberedBody
from presproxy.model.subscription import Reason, State
from presproxy.notify.route import RESERVED, SipRoute, read_route
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.watchers import Line, flow_of, subscribe

WANTED = "Supported: ms-benotify\r\n"
DIALOG = ["c", "l", "r", "<a>;tag=l", "<b>;tag=r", "sip:b@c", [], 5, 1]


class Breaking(RecordingStream):
    """A stream that takes the first message, and breaks on the next."""

    def send(self, data):
        if self.sent:
            self.close()
        super().send(data)


@pytest.fixture(params=["UDP", "TCP"])
def watcher(request, line):
    flow = RecordingFlow() if request.param == "UDP" else RecordingStream()
    return line.watcher(subscribe(transport=request.param, more=WANTED), flow)


def bodies(notifies):
    return [each.body for each in notifies]


def methods(notifies):
    return [each.method for each in notifies]


def test_it_is_as_a_notify_but_for_its_method(line, watcher):
    other = line.watcher(
        subscribe(transport=flow_of(watcher).transport), type(flow_of(watcher))()
    )

    line.tell(b"away", watcher, other)

    ((_, best_effort),) = flow_of(watcher).sent
    ((_, notify),) = flow_of(other).sent
    assert best_effort.startswith(b"BENOTIFY sip:bob@192.0.2.1:5060 SIP/2.0\r\n")
    assert b"\r\nCSeq: 1 BENOTIFY\r\n" in best_effort
    assert _names(best_effort) == _names(notify)


def _names(data):
    head, _, body = data.partition(b"\r\n\r\n")
    return [line.partition(b":")[0] for line in head.split(b"\r\n")[1:]], body


@pytest.mark.parametrize(
    ("supported", "method"),
    [
        ("", "NOTIFY"),
        ("Supported: ms-piggyback-first-notify\r\n", "NOTIFY"),
        ("Proxy-Require: ms-benotify\r\n", "NOTIFY"),
        ("Supported: 100rel, MS-BENotify\r\n", "BENOTIFY"),
        ("Supported: eventlist\r\nk: ms-benotify\r\n", "BENOTIFY"),
    ],
)
def test_it_is_for_whoever_asks_and_nobody_else(line, supported, method):
    watcher = line.watcher(subscribe(more=supported))

    line.tell(b"away", watcher)

    assert methods(line.taken(flow_of(watcher))) == [method]


def test_nothing_is_waited_for(line, watcher):
    words = [b"%d" % number for number in range(5)]
    for word in words:
        line.tell(word, watcher)

    notifies = line.taken(flow_of(watcher))
    assert bodies(notifies) == words
    assert [each.cseq.number for each in notifies] == [1, 2, 3, 4, 5]
    assert line.layer.clients == 0
    assert line.counted("benotify_sent") == 5
    assert (line.counted("notify_sent"), line.counted("notify_replaced")) == (0, 0)


def test_it_is_not_sent_again_and_silence_is_no_end(line, watcher):
    line.tell(b"away", watcher)

    line.sleep(60)

    assert len(flow_of(watcher).sent) == 1
    assert line.house.ends == []


@pytest.mark.parametrize("status", [200, 408, 481, 500])
def test_an_answer_that_comes_all_the_same_changes_nothing_and_is_counted(
    line, watcher, status
):
    line.tell(b"one", watcher)
    (notify,) = line.taken(flow_of(watcher))

    line.answer(notify, status, [("Retry-After", "5")])
    line.tell(b"two", watcher)

    assert line.told(watcher) == [b"two"]
    assert line.house.ends == []
    assert line.counted("stray_responses") == 1


def test_versions_rise_by_one(line, watcher):
    for _ in range(3):
        line.tell(NumberedBody("text/plain", b"v", b""), watcher)

    assert line.told(watcher) == [b"v0", b"v1", b"v2"]


def test_the_last_one_says_that_it_is_over(line, watcher):
    watcher.state, watcher.reason = State.TERMINATED, Reason.TIMEOUT

    line.tell(b"nobody", watcher)

    (last,) = line.taken(flow_of(watcher))
    assert last.method == "BENOTIFY"
    assert last.get("subscription-state") == "terminated;reason=timeout"


def test_the_time_from_a_change_is_observed(line, watcher):
    line.tell(b"one", watcher, changed_at=line.ticks() - 0.25)

    latency = line.house.metrics.histogram("notify_seconds", "")
    assert (sum(latency.counts), latency.total) == (1, 0.25)


# --- Changing one's mind


def test_each_subscribe_says_it_for_what_follows(line):
    watcher = line.watcher(subscribe())
    told = []
    for cseq, more in ((2, WANTED), (3, ""), (4, WANTED)):
        watcher.route.follow(subscribe(cseq=cseq, more=more), flow_of(watcher))
        line.tell(b"%d" % cseq, watcher)
        for notify in line.taken(flow_of(watcher)):
            told.append((notify.cseq.number, notify.method))
            if notify.method == "NOTIFY":
                line.answer(notify)

    assert told == [(1, "BENOTIFY"), (2, "NOTIFY"), (3, "BENOTIFY")]


def test_none_overtakes_a_notify_that_is_under_way(line):
    watcher = line.watcher(subscribe())
    line.tell(b"one", watcher)
    (notify,) = line.taken(flow_of(watcher))
    watcher.route.follow(subscribe(cseq=2, more=WANTED), flow_of(watcher))

    line.tell(b"two", watcher)
    before = line.taken(flow_of(watcher))
    line.answer(notify)

    (after,) = line.taken(flow_of(watcher))
    assert before == []
    assert (after.method, after.body, after.cseq.number) == ("BENOTIFY", b"two", 2)


# --- A flow that breaks


def broken(line, ways):
    """A watcher whose stream broke as he was told "two"."""
    watcher = line.watcher(subscribe(transport="TCP", more=WANTED), Breaking())
    line.ways += ways
    line.tell(b"one", watcher)
    line.tell(b"two", watcher)
    return watcher


def test_what_did_not_go_goes_another_way(line):
    other = RecordingStream()

    broken(line, [other])

    (notify,) = line.taken(other)
    assert (notify.method, notify.body) == ("BENOTIFY", b"two")
    assert line.house.ends == []


def test_a_way_that_breaks_at_once_is_not_taken_for_ever(line):
    line.notifier.timeouts = 1

    class Broken(RecordingStream):
        def send(self, data):
            self.close()
            raise FlowClosed(str(self))

    watcher = broken(line, [Broken() for _ in range(5)])

    assert line.house.ends == [(watcher, Reason.TIMEOUT)]
    assert len(line.looked_for) == 1


def test_what_went_clears_a_way_of_suspicion(line):
    watcher = broken(line, [RecordingStream()])
    for number in range(5):
        flow_of(watcher).close()
        line.ways.append(Breaking())
        line.tell(b"%d" % number, watcher)

    assert line.house.ends == []


# --- Numbers and records


def test_no_number_goes_before_it_is_lasting(line):
    watcher = line.watcher(subscribe(more=WANTED), version=1)
    line.house.hold()

    for number in range(RESERVED + 10):
        line.tell(b"%d" % number, watcher)
    before = line.taken(flow_of(watcher))
    line.house.release()

    assert before[-1].cseq.number == RESERVED
    assert bodies(line.taken(flow_of(watcher))) == [b"%d" % (RESERVED + 9)]


def test_it_is_remembered_over_a_start(line):
    watcher = line.watcher(subscribe(more=WANTED), version=1)
    watcher.route = read_route(line.house.lasting[watcher.key])
    way = RecordingFlow()
    line.ways.append(way)

    line.tell(b"after", watcher)

    (notify,) = line.taken(way)
    assert (notify.method, notify.cseq.number) == ("BENOTIFY", RESERVED + 1)


def test_a_record_from_before_there_was_a_choice_means_notify():
    written = b"1000\n" + json.dumps([DIALOG, "presence", None, 1]).encode()

    assert read_route(written).method == "NOTIFY"


def test_a_record_for_notify_is_as_it_was_before_there_was_a_choice():
    route = SipRoute.of_request(subscribe(), RecordingFlow(), "local")

    assert len(json.loads(route.write().partition(b"\n")[2])) == 4


@pytest.mark.parametrize(
    "more",
    [
        ["NOTIFY"],
        ["INVITE"],
        [1],
        [None],
        ["BENOTIFY", "BENOTIFY"],
        ["INVITE", "urn:x"],
    ],
    ids=repr,
)
def test_a_record_with_anything_else_is_refused(more):
    written = json.dumps([DIALOG, "presence", None, 1, *more]).encode()

    with pytest.raises(ValueError, match="not a route"):
        read_route(b"1000\n" + written)


def test_one_that_comes_is_absorbed():
    line, flow = Line(), RecordingFlow()
    watcher = line.watcher(subscribe(more=WANTED))
    line.tell(b"away", watcher)
    ((_, data),) = flow_of(watcher).sent

    assert line.layer.receive(data, flow, 1.0) is None
    assert flow.sent == []
    assert line.layer.servers == 0
