"""The way to a watcher: found, lost, and found again."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from presproxy.errors import PresproxyError
from presproxy.model.subscription import Reason, State
from presproxy.notify.route import read_route
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.watchers import flow_of, subscribe

RECORD = "Record-Route: <sip:one.test;lr>\r\nRecord-Route: <sip:two.test;lr;transport=tcp>\r\n"


class Unreachable(PresproxyError):
    """Nobody knows the way."""


def bodies(notifies):
    return [each.body for each in notifies]


def test_another_way_is_taken_where_the_flow_is_closed(line):
    watcher = line.connected()
    flow_of(watcher).close()
    other = RecordingStream()
    line.ways.append(other)

    line.tell(b"one", watcher)

    assert line.looked_for == [("sip:bob@192.0.2.1:5060;transport=tcp", None)]
    assert bodies(line.taken(other)) == [b"one"]
    line.tell(b"two", watcher)
    assert len(line.looked_for) == 1


def test_the_way_leads_to_the_first_proxy_that_stays(line):
    request = subscribe(transport="TCP", more=RECORD)
    watcher = line.watcher(request, RecordingStream())
    flow_of(watcher).close()
    line.ways.append(RecordingStream())

    line.tell(b"one", watcher)

    assert line.looked_for == [("sip:one.test;lr", None)]


def test_what_may_have_been_lost_with_its_flow_is_told_another_way(line):
    watcher = line.connected()
    first, other = flow_of(watcher), RecordingStream()
    line.tell(b"one", watcher)
    line.ways.append(other)

    first.close()
    line.sleep(1)

    (again,) = line.taken(other)
    assert (again.body, again.cseq.number) == (b"one", 2)
    assert line.house.ends == []


def test_a_flow_that_closes_while_it_is_sent_on_is_noticed(line):
    class Closing(RecordingStream):
        def send(self, data):
            self.close()
            super().send(data)

    watcher = line.watcher(subscribe(transport="TCP"), Closing())
    other = RecordingStream()
    line.ways.append(other)

    line.tell(b"one", watcher)
    line.sleep(0.1)

    assert bodies(line.taken(other)) == [b"one"]


def test_a_way_that_closes_at_once_is_not_taken_for_ever(line):
    line.notifier.timeouts = 1
    watcher = line.connected()
    flow_of(watcher).close()
    others = [RecordingStream() for _ in range(5)]
    line.ways.extend(others)
    line.tell(b"one", watcher)

    for other in others:
        other.close()
        line.sleep(1)

    assert line.house.ends == [(watcher, Reason.TIMEOUT)]
    assert len(line.looked_for) == 2


def test_what_waits_is_told_the_other_way_and_not_what_was_lost(line):
    watcher = line.connected()
    line.tell(b"one", watcher)
    line.tell(b"two", watcher)
    other = RecordingStream()
    line.ways.append(other)

    flow_of(watcher).close()
    line.sleep(1)

    assert bodies(line.taken(other)) == [b"two"]


def test_a_watcher_is_looked_for_now_and_then_while_he_cannot_be_reached(line):
    watcher = line.connected()
    flow_of(watcher).close()
    other = RecordingStream()
    line.ways += [Unreachable(), Unreachable(), other]

    line.tell(b"one", watcher)
    line.tell(b"two", watcher)
    line.sleep(29)
    looked = [len(line.looked_for)]
    line.sleep(2)
    looked.append(len(line.looked_for))
    line.sleep(30)

    assert (looked, len(line.looked_for)) == ([1, 2], 3)
    assert bodies(line.taken(other)) == [b"two"]
    assert line.counted("notify_replaced") == 1
    assert line.house.ends == []


def test_a_watcher_who_has_left_is_not_looked_for_again(line):
    watcher = line.connected(State.TERMINATED)
    flow_of(watcher).close()
    line.ways.append(Unreachable())

    line.tell(b"nobody", watcher)

    assert not line.house.reactor.getDelayedCalls()


def test_nothing_is_known_any_more_of_a_way_that_was_not_found(line):
    watcher = line.connected(State.TERMINATED)
    flow_of(watcher).close()
    unreachable = Unreachable()
    line.ways.append(unreachable)

    line.tell(b"nobody", watcher)

    assert line.looked_for
    assert unreachable.__traceback__ is None


def test_a_watcher_who_shows_himself_is_told_at_once_and_nothing_older_after(line):
    watcher = line.connected()
    flow_of(watcher).close()
    line.ways.append(Unreachable())
    line.tell(b"one", watcher)

    other = RecordingStream()
    watcher.route.follow(subscribe(transport="TCP", cseq=2), other)
    line.tell(b"two", watcher)
    (notify,) = line.taken(other)
    line.answer(notify)
    line.sleep(60)

    assert notify.body == b"two"
    assert line.taken(other) == []


def test_a_watcher_who_shows_himself_while_he_is_looked_for_is_told_at_once(line):
    watcher = line.connected()
    flow_of(watcher).close()
    found = Deferred()
    line.ways.append(found)
    line.tell(b"one", watcher)

    own, late = RecordingStream(), RecordingStream()
    watcher.route.follow(subscribe(transport="TCP", cseq=2), own)
    line.tell(b"two", watcher)
    (notify,) = line.taken(own)
    line.tell(b"three", watcher)
    found.callback(late)
    before = line.taken(own)
    line.answer(notify)

    assert (notify.body, before) == (b"two", [])
    assert bodies(line.taken(own)) == [b"three"]
    assert line.taken(late) == []


def test_a_watcher_is_looked_for_once_at_a_time(line):
    watcher = line.connected()
    flow_of(watcher).close()
    found, other = Deferred(), RecordingStream()
    line.ways += [found, Unreachable()]

    for word in (b"one", b"two", b"three"):
        line.tell(word, watcher)
        line.sleep(20)
    found.callback(other)

    assert len(line.looked_for) == 1
    assert bodies(line.taken(other)) == [b"three"]
    assert line.counted("notify_replaced") == 2


def test_a_search_in_vain_disturbs_nobody_who_has_shown_himself(line):
    watcher = line.connected()
    flow_of(watcher).close()
    found = Deferred()
    line.ways.append(found)
    line.tell(b"one", watcher)
    own = RecordingStream()
    watcher.route.follow(subscribe(transport="TCP", cseq=2), own)
    line.tell(b"two", watcher)

    found.errback(Unreachable())
    line.answer(line.taken(own)[0])
    line.tell(b"three", watcher)

    assert bodies(line.taken(own)) == [b"three"]


def test_a_way_that_is_closed_when_it_is_found_is_none(line):
    watcher = line.connected()
    flow_of(watcher).close()
    closed, other = RecordingStream(), RecordingStream()
    closed.close()
    line.ways += [closed, other]

    line.tell(b"one", watcher)
    before = len(line.looked_for)
    line.sleep(31)

    assert before == 1
    assert bodies(line.taken(other)) == [b"one"]


def test_a_defect_in_the_search_is_no_end_of_searching(line, monkeypatch):
    watcher = line.connected()
    flow_of(watcher).close()
    other = RecordingStream()
    line.ways += [ZeroDivisionError(), other]

    line.tell(b"one", watcher)
    line.sleep(31)

    assert bodies(line.taken(other)) == [b"one"]


def test_after_a_start_a_watcher_is_told_where_his_datagrams_went(line):
    watcher = line.watcher(flow=RecordingFlow(("192.0.2.1", 40000)))
    watcher.route = read_route(watcher.route.write())
    way = RecordingFlow(("192.0.2.1", 40000))
    line.ways.append(way)

    line.tell(b"one", watcher)

    assert line.looked_for == [("sip:bob@192.0.2.1:5060", ("192.0.2.1", 40000))]
    assert bodies(line.taken(way)) == [b"one"]
