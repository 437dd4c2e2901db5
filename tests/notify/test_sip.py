from __future__ import annotations

import pytest

from presproxy.errors import PresproxyError
from presproxy.model.notice import EMPTY, Body, NumberedBody
from presproxy.model.subscription import Reason, State
from presproxy.notify.sip import SipNotifier
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.watchers import Line, flow_of, subscribe

RECORD = "Record-Route: <sip:one.test;lr>\r\nRecord-Route: <sip:two.test;lr;transport=tcp>\r\n"


class Unreachable(PresproxyError):
    """Nobody knows the way."""


def bodies(notifies):
    return [each.body for each in notifies]


def cseqs(notifies):
    return [each.cseq.number for each in notifies]


def latencies(line):
    """How many were observed, and what they came to."""
    histogram = line.house.metrics.histogram("notify_seconds", "")
    return sum(histogram.counts), round(histogram.total, 6)


# --- What is written


def test_a_notify_as_it_goes_over_udp(line):
    watcher = line.watcher(subscribe(event="presence;id=7"))

    line.tell(b"away", watcher)

    ((peer, data),) = flow_of(watcher).sent
    assert peer == ("192.0.2.1", 5060)
    assert data.replace(b"\r\n", b"\n").decode() == (
        "NOTIFY sip:bob@192.0.2.1:5060 SIP/2.0\n"
        "Via: SIP/2.0/UDP 192.0.2.100:5060;rport;"
        "branch=z9hG4bK0000000000000000.1.000000000000\n"
        "Max-Forwards: 70\n"
        "From: <sip:alice@example.test>;tag=bob0\n"
        "To: <sip:bob@example.test>;tag=bob\n"
        "Call-ID: bob\n"
        "CSeq: 1 NOTIFY\n"
        "Contact: <sip:192.0.2.100:5060>\n"
        "Event: presence;id=7\n"
        "Subscription-State: active;expires=600\n"
        "Content-Type: text/plain\n"
        "Content-Length: 4\n"
        "\n"
        "away"
    )


def test_a_notify_as_it_goes_by_a_stream_and_proxies_that_stay(line):
    request = subscribe(transport="TCP", more=RECORD)
    watcher = line.watcher(request, RecordingStream())

    line.tell(b"away", watcher)

    (notify,) = line.taken(flow_of(watcher))
    assert notify.get("contact") == "<sip:192.0.2.100:5060;transport=tcp>"
    assert not notify.via.has_rport
    assert notify.get_all("route") == [
        "<sip:one.test;lr>",
        "<sip:two.test;lr;transport=tcp>",
    ]


def test_without_a_body_there_is_no_type_and_a_length_of_none(line):
    watcher = line.watcher()

    line.tell(EMPTY, watcher)

    (notify,) = line.taken(flow_of(watcher))
    assert (notify.get("content-type"), notify.get("content-length")) == (None, "0")


@pytest.mark.parametrize(
    ("state", "reason", "expires", "written"),
    [
        (State.ACTIVE, None, 600, "active;expires=600"),
        (State.PENDING, None, 600, "pending;expires=600"),
        (State.ACTIVE, None, 599.6, "active;expires=600"),
        (State.ACTIVE, None, 0.1, "active;expires=1"),
        (State.ACTIVE, None, -5, "active;expires=1"),
        (State.TERMINATED, None, 600, "terminated;reason=timeout"),
        *(
            (State.TERMINATED, reason, 600, f"terminated;reason={reason.value}")
            for reason in Reason
        ),
    ],
)
def test_the_state_of_the_subscription_is_told(line, state, reason, expires, written):
    watcher = line.watcher(state=state, expires=expires)
    watcher.reason = reason

    line.tell(b"away", watcher)

    (notify,) = line.taken(flow_of(watcher))
    assert notify.get("subscription-state") == written


def test_the_state_told_is_the_one_when_it_goes(line):
    watcher = line.watcher(state=State.PENDING)
    line.tell(b"nobody", watcher)
    line.tell(b"away", watcher)
    (first,) = line.taken(flow_of(watcher))

    watcher.state = State.ACTIVE
    line.sleep(0.4)
    line.answer(first)

    (second,) = line.taken(flow_of(watcher))
    assert second.get("subscription-state") == "active;expires=600"


def test_octets_beyond_ascii_come_back_as_they_were(line):
    watcher = line.watcher()
    watcher.route.event = "presence;id=\udcff"

    line.tell(b"away", watcher)

    ((_, sent),) = flow_of(watcher).sent
    assert b"Event: presence;id=\xff\r\n" in sent


# --- One in flight


def test_numbers_rise_by_one(line):
    watcher = line.watcher()
    notifies = []
    for word in (b"one", b"two", b"three"):
        line.tell(word, watcher)
        notifies += line.taken(flow_of(watcher))
        line.answer(notifies[-1])

    assert cseqs(notifies) == [1, 2, 3]
    assert bodies(notifies) == [b"one", b"two", b"three"]
    assert len({each.via.branch for each in notifies}) == 3


def test_the_latest_waits_for_the_answer_to_the_one_before(line):
    watcher = line.watcher()
    for word in (b"one", b"two", b"three"):
        line.tell(word, watcher)
    (first,) = line.taken(flow_of(watcher))

    line.answer(first)
    (last,) = line.taken(flow_of(watcher))
    line.answer(last)

    assert (first.body, last.body) == (b"one", b"three")
    assert line.taken(flow_of(watcher)) == []
    assert line.counted("notify_sent") == 2
    assert line.counted("notify_replaced") == 1


def test_a_provisional_answer_is_none(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)
    line.tell(b"two", watcher)
    (first,) = line.taken(flow_of(watcher))

    line.answer(first, 100)
    line.answer(first, 180)

    assert line.told(watcher) == []
    line.answer(first)
    assert line.told(watcher) == [b"two"]


def test_an_answer_that_comes_twice_is_one(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)
    (first,) = line.taken(flow_of(watcher))
    line.answer(first)
    line.tell(b"two", watcher)
    line.tell(b"three", watcher)

    line.answer(first)

    assert line.told(watcher) == [b"two"]


def test_sending_again_is_left_to_the_transaction(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)

    line.sleep(0.6)

    first, second = flow_of(watcher).sent
    assert first == second
    assert line.counted("notify_sent") == 1


def test_a_slow_watcher_keeps_nobody_else_waiting(line):
    watchers = [line.watcher(flow=RecordingFlow()) for _ in range(3)]
    line.tell(b"one", *watchers)
    notifies = [line.taken(flow_of(each))[0] for each in watchers]
    line.answer(notifies[0])
    line.answer(notifies[2])

    line.tell(b"two", *watchers)

    assert [line.told(each) for each in watchers] == [[b"two"], [], [b"two"]]


def test_the_last_notify_waits_for_the_answer_to_the_one_before(line):
    watcher = line.watcher()
    line.tell(b"away", watcher)
    watcher.state, watcher.reason = State.TERMINATED, Reason.REJECTED
    line.tell(b"nobody", watcher)
    (first,) = line.taken(flow_of(watcher))

    line.answer(first)

    (last,) = line.taken(flow_of(watcher))
    assert first.get("subscription-state") == "active;expires=600"
    assert last.get("subscription-state") == "terminated;reason=rejected"
    assert last.body == b"nobody"
    line.answer(last, 481)
    assert line.house.ends == [(watcher, Reason.NORESOURCE)]


def test_the_same_state_is_told_again_when_it_is_asked_for(line):
    watcher = line.watcher()
    line.tell(b"away", watcher)
    line.answer(line.taken(flow_of(watcher))[0])

    line.tell(b"away", watcher)

    assert line.told(watcher) == [b"away"]


# --- Numbered bodies (RFC 3858 §3)


def test_versions_rise_by_one_from_zero_for_each_watcher(line):
    one, other = line.watcher(flow=RecordingFlow()), line.watcher(flow=RecordingFlow())
    seen = {one.key: [], other.key: []}
    for watchers in ([one, other], [one], [one, other], [other]):
        line.tell(NumberedBody("text/plain", b"v", b"!"), *watchers)
        for each in (one, other):
            for notify in line.taken(flow_of(each)):
                seen[each.key].append(notify.body)
                line.answer(notify)

    assert seen == {
        one.key: [b"v0!", b"v1!", b"v2!"],
        other.key: [b"v0!", b"v1!", b"v2!"],
    }


def test_a_version_that_waited_is_counted_when_it_goes(line):
    watcher = line.watcher()
    for word in (b"a", b"b", b"c"):
        line.tell(NumberedBody("text/plain", word, b""), watcher)
    (first,) = line.taken(flow_of(watcher))
    line.answer(first)

    assert (first.body, line.told(watcher)) == (b"a0", [b"c1"])


# --- Nobody answers


def test_a_watcher_who_does_not_answer_is_gone(line):
    line.notifier.timeouts = 1
    watcher = line.watcher()
    line.tell(b"one", watcher)
    line.tell(b"two", watcher)

    line.sleep(31)
    before = list(line.house.ends)
    line.sleep(2)

    assert (before, line.house.ends) == ([], [(watcher, Reason.TIMEOUT)])
    assert set(line.told(watcher)) == {b"one"}


def test_a_proxy_that_waited_in_vain_is_no_answer(line):
    line.notifier.timeouts = 1
    watcher = line.watcher()
    line.tell(b"one", watcher)

    line.answer(line.taken(flow_of(watcher))[0], 408)

    assert line.house.ends == [(watcher, Reason.TIMEOUT)]


def test_a_watcher_may_miss_one(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)

    line.sleep(33)
    notifies = line.taken(flow_of(watcher))
    after_one = list(line.house.ends)
    line.sleep(33)

    assert set(bodies(notifies)) == {b"one"}
    assert set(cseqs(notifies)) == {1, 2}
    assert (after_one, line.house.ends) == ([], [(watcher, Reason.TIMEOUT)])


def test_whoever_answers_in_between_has_missed_none_in_a_row(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)
    line.sleep(33)
    line.answer(line.taken(flow_of(watcher))[-1])

    line.tell(b"two", watcher)
    line.sleep(33)

    assert line.house.ends == []
    line.answer(line.taken(flow_of(watcher))[-1])
    assert line.house.ends == []


def test_what_waited_is_told_to_whoever_missed_one(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)
    line.tell(b"two", watcher)

    line.sleep(33)

    assert line.taken(flow_of(watcher))[-1].body == b"two"


# --- Too many at once


def test_what_finds_no_room_goes_a_little_later():
    line = Line(most=1)
    one, other = line.watcher(flow=RecordingFlow()), line.watcher(flow=RecordingFlow())
    body = NumberedBody("text/plain", b"v", b"")

    line.tell(body, one, other)
    before = line.taken(flow_of(other))
    line.answer(line.taken(flow_of(one))[0])
    line.sleep(1.1)

    (notify,) = line.taken(flow_of(other))
    assert before == []
    assert (notify.body, notify.cseq.number) == (b"v0", 1)
    assert line.counted("notify_sent") == 2


def test_the_latest_goes_when_there_is_room():
    line = Line(most=1)
    one, other = line.watcher(flow=RecordingFlow()), line.watcher(flow=RecordingFlow())
    line.tell(b"one", one, other)
    line.tell(b"two", other)

    line.answer(line.taken(flow_of(one))[0])
    line.sleep(1.1)

    assert line.told(other) == [b"two"]


# --- How long it took


def test_the_time_from_a_change_to_its_notify_is_observed(line):
    watcher = line.watcher()
    line.sleep(0.5)

    line.tell(b"one", watcher, changed_at=line.ticks() - 0.25)

    assert latencies(line) == (1, 0.25)


def test_what_was_asked_for_is_not_observed(line):
    line.tell(b"one", line.watcher())

    assert latencies(line) == (0, 0)


def test_what_waited_is_observed_from_the_first_change_on(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)
    line.tell(b"two", watcher, changed_at=line.ticks())
    line.sleep(0.25)
    line.tell(b"three", watcher, changed_at=line.ticks())
    line.sleep(0.25)

    line.answer(line.taken(flow_of(watcher))[0])

    assert latencies(line) == (1, 0.5)


def test_what_waited_for_a_way_is_observed_from_the_first_change_on(line):
    watcher = line.connected()
    flow_of(watcher).close()
    line.ways.append(Unreachable())
    line.tell(b"one", watcher, changed_at=line.ticks())
    line.sleep(10)

    watcher.route.follow(subscribe(transport="TCP", cseq=2), RecordingStream())
    line.tell(b"two", watcher)

    assert latencies(line) == (1, 10)


def test_each_watcher_is_observed(line):
    watchers = [line.watcher(flow=RecordingFlow()) for _ in range(3)]

    line.tell(b"one", *watchers, changed_at=line.ticks() - 0.001)

    assert latencies(line) == (3, 0.003)


# --- Options


@pytest.mark.parametrize("timeouts", [0, -1])
def test_at_least_one_may_go_unanswered(timeouts):
    with pytest.raises(ValueError, match="timeouts"):
        SipNotifier(timeouts=timeouts)


def test_bodies_of_one_notice_are_written_once(line):
    class Counting(bytes):
        lengths = 0

        def __len__(self):
            Counting.lengths += 1
            return super().__len__()

    body = Body("text/plain", Counting(b"away"))
    watchers = [line.watcher(flow=RecordingFlow()) for _ in range(50)]

    line.tell(body, *watchers)

    assert Counting.lengths <= 2
