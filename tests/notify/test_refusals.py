"""What the refusal of a NOTIFY means (RFC 6665 §4.2.2, RFC 5057 §5.1)."""

from __future__ import annotations

import pytest

from presproxy.model.subscription import Reason
from presproxy.testing.watchers import flow_of


@pytest.mark.parametrize(
    ("status", "ends"),
    [
        *((status, False) for status in (300, 302, 400, 401, 406, 407, 413, 415, 420)),
        *((status, False) for status in (423, 486, 488, 491, 500, 503, 504, 513, 600)),
        *((status, True) for status in (403, 404, 405, 410, 416, 480, 481, 482, 483)),
        *((status, True) for status in (484, 485, 489, 501, 502, 604)),
    ],
)
def test_some_refusals_end_a_subscription(line, status, ends):
    watcher = line.watcher()
    line.sleep(2)
    line.tell(b"one", watcher)
    line.tell(b"two", watcher)

    line.answer(line.taken(flow_of(watcher))[0], status)

    assert line.house.ends == ([(watcher, Reason.NORESOURCE)] if ends else [])
    assert line.told(watcher) == ([] if ends else [b"two"])


def test_what_was_refused_is_not_told_again_by_itself(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)
    line.answer(line.taken(flow_of(watcher))[0], 500)

    line.sleep(60)
    before = line.told(watcher)
    line.tell(b"two", watcher)

    assert (before, line.told(watcher)) == ([], [b"two"])


@pytest.mark.parametrize("status", [404, 480, 481, 500, 503])
@pytest.mark.parametrize(
    ("value", "pause"),
    [("5", 5), ("20 (rebooting)", 20), ("7;duration=60", 7), ("0", 1), ("86400", 300)],
)
def test_who_says_when_to_come_again_is_told_then(line, status, value, pause):
    watcher = line.watcher()
    line.sleep(2)
    line.tell(b"one", watcher)
    line.answer(line.taken(flow_of(watcher))[0], status, [("Retry-After", value)])

    line.sleep(pause - 0.5)
    before = line.told(watcher)
    line.sleep(1)

    assert line.house.ends == []
    assert (before, line.told(watcher)) == ([], [b"one"])


def test_who_says_when_to_come_again_is_told_the_latest_then(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)
    line.tell(b"two", watcher)
    line.answer(line.taken(flow_of(watcher))[0], 503, [("Retry-After", "5")])
    line.sleep(2)
    line.tell(b"three", watcher)

    line.sleep(2)
    before = line.told(watcher)
    line.sleep(2)

    assert (before, line.told(watcher)) == ([], [b"three"])


def test_an_hour_that_cannot_be_read_is_none(line):
    watcher = line.watcher()
    line.sleep(2)
    line.tell(b"one", watcher)

    line.answer(line.taken(flow_of(watcher))[0], 481, [("Retry-After", "soon")])

    assert line.house.ends == [(watcher, Reason.NORESOURCE)]


# --- A NOTIFY that overtook the 2xx


def test_a_first_notify_that_came_too_early_is_sent_once_more(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)
    (first,) = line.taken(flow_of(watcher))

    line.answer(first, 481)
    at_once = line.taken(flow_of(watcher))
    line.sleep(0.6)
    (second,) = line.taken(flow_of(watcher))
    line.answer(second, 481)

    assert at_once == []
    assert (second.body, second.cseq.number) == (b"one", 2)
    assert line.house.ends == [(watcher, Reason.NORESOURCE)]


def test_what_came_in_between_is_told_instead(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)
    line.tell(b"two", watcher)

    line.answer(line.taken(flow_of(watcher))[0], 481)
    line.sleep(0.6)

    assert line.told(watcher) == [b"two"]


def test_after_a_second_a_first_notify_did_not_come_too_early(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)
    line.sleep(1.1)

    line.answer(line.taken(flow_of(watcher))[0], 481)

    assert line.house.ends == [(watcher, Reason.NORESOURCE)]


def test_a_second_notify_did_not_come_too_early(line):
    watcher = line.watcher()
    line.tell(b"one", watcher)
    line.answer(line.taken(flow_of(watcher))[0])
    line.tell(b"two", watcher)

    line.answer(line.taken(flow_of(watcher))[0], 481)

    assert line.house.ends == [(watcher, Reason.NORESOURCE)]
