from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from presproxy.useragent.alarms import Alarms
from presproxy.useragent.errors import NoAnswer, Refused
from presproxy.useragent.held import Holder

NOBODY = NoAnswer("PUBLISH", "udp:192.0.2.1:5060", "waited 32 seconds")


class Refreshing:
    """Refreshes as told, and notes when."""

    def __init__(self, *outcomes):
        self.clock = Clock()
        self.outcomes = list(outcomes)
        self.at = []
        self.lost = []
        self.holder = Holder(Alarms(self.clock).alarm(), self.refresh, self.lost.append)

    async def refresh(self):
        self.at.append(self.clock.seconds())
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        self.holder.hold(outcome)

    def run(self, seconds):
        self.clock.pump([1.0] * seconds)


def test_it_refreshes_at_nine_tenths():
    refreshing = Refreshing(100, 100)

    refreshing.holder.hold(100)
    refreshing.run(200)

    assert refreshing.at == [90, 180]


def test_without_an_answer_it_asks_again_less_and_less_often():
    refreshing = Refreshing(*[NOBODY] * 9)

    refreshing.holder.hold(10)
    refreshing.run(9 + 1 + 2 + 4 + 8 + 16 + 32 + 60 + 60)

    assert refreshing.at == [9, 10, 12, 16, 24, 40, 72, 132, 192]
    assert refreshing.lost == []


def test_after_an_answer_it_begins_anew():
    refreshing = Refreshing(NOBODY, NOBODY, 10, NOBODY, 10)

    refreshing.holder.hold(10)
    refreshing.run(22)

    assert refreshing.at == [9, 10, 12, 21, 22]


@pytest.mark.parametrize("status", [408, 480, 500, 503, 504])
def test_what_may_pass_is_asked_again(status):
    refreshing = Refreshing(Refused("PUBLISH", status, ""), 100)

    refreshing.holder.hold(10)
    refreshing.run(10)

    assert refreshing.at == [9, 10]


def test_retry_after_is_obeyed():
    refreshing = Refreshing(Refused("PUBLISH", 404, "", retry_after=30), 100)

    refreshing.holder.hold(10)
    refreshing.run(39)

    assert refreshing.at == [9, 39]


@pytest.mark.parametrize("status", [400, 403, 404, 489, 501, 603])
def test_what_will_not_pass_is_told_once(status):
    refused = Refused("PUBLISH", status, "")
    refreshing = Refreshing(refused)

    refreshing.holder.hold(10)
    refreshing.run(1000)

    assert refreshing.at == [9]
    assert refreshing.lost == [refused]


def test_it_can_be_let_go():
    refreshing = Refreshing()
    refreshing.holder.hold(10)

    refreshing.holder.let_go()
    refreshing.run(1000)

    assert refreshing.at == []
