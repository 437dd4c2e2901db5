"""Who asks for BENOTIFY is told so, and by it ([MS-SIP] 3.5)."""

from __future__ import annotations

import pytest

from presproxy.testing.wire import pidf

BOB = "sip:bob@example.test"
WANTED = {"Supported": "ms-benotify", "Proxy-Require": "ms-benotify"}


@pytest.mark.parametrize(
    ("fields", "confirmed", "method"),
    [
        (WANTED, "ms-benotify", "BENOTIFY"),
        ({"Supported": "ms-benotify"}, "ms-benotify", "BENOTIFY"),
        ({**WANTED, "Expires": "0"}, "ms-benotify", "BENOTIFY"),
        ({}, None, "NOTIFY"),
        ({"Proxy-Require": "ms-benotify"}, None, "NOTIFY"),
    ],
    ids=["asked", "without Proxy-Require", "a poll", "not asked", "of proxies only"],
)
def test_who_asks_is_told_so_and_by_it(desk, fields, confirmed, method):
    watching = desk.subscribe(fields)

    assert watching.status == 200
    assert watching.answer.get("supported") == confirmed
    assert [each.method for each in desk.notified()] == [method]


def test_changes_and_the_end_come_by_it_too(desk):
    watching = desk.subscribe(WANTED)
    desk.publish(pidf(BOB, "here"))
    told = desk.notified()
    ended = watching.again({**WANTED, "Expires": "0"})

    told += desk.notified()
    assert ended.get("supported") == "ms-benotify"
    assert [(each.method, each.cseq) for each in told] == [
        ("BENOTIFY", 1),
        ("BENOTIFY", 2),
        ("BENOTIFY", 3),
    ]
    assert told[-1].need("subscription-state").startswith("terminated")
    assert (desk.subscriptions, desk.defects) == ((), 0)


def test_a_refresh_says_it_anew(desk):
    watching = desk.subscribe(WANTED)

    answer = watching.again()

    assert answer.get("supported") is None
    assert [each.method for each in desk.notified()] == ["BENOTIFY", "NOTIFY"]


def test_one_that_comes_to_us_is_not_answered(desk):
    assert desk.ask("BENOTIFY", {"Event": "presence"}) is None
    desk.sleep(40)

    assert (desk.flow.sent, desk.defects) == ([], 0)
    assert desk.counted("timeouts") == 0
