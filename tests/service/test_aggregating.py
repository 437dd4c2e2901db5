"""The aggregator is asked behind its guard, by those packages that have a use for it."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.task import Clock
from zope.interface import implementer

from presproxy.documents.lync.categories import Category, CategoryName, ExpireType
from presproxy.documents.lync.state import StateInput, StateKind, write_state
from presproxy.extend.guard import Guard, PluginFailed
from presproxy.interfaces import IAggregator, Material
from presproxy.metrics import Metrics
from presproxy.packages.presence import PresencePackage
from presproxy.packages.winfo import WinfoPackage
from presproxy.service.aggregating import aggregating
from presproxy.sip.uri import AddressOfRecord

BOB = AddressOfRecord("sip:bob@example.test")
MACHINE = Category(
    CategoryName("state", 7, 2),
    1,
    ExpireType.ENDPOINT,
    write_state(StateInput(StateKind.MACHINE, 3500)),
    1.0,
)


@implementer(IAggregator)
@attrs.define(eq=False)
class Scripted:
    failure: Exception | None = None
    asked: int = 0

    def aggregate(self, inputs):
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return StateInput(StateKind.AGGREGATE, 9500)


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def aggregator():
    return Scripted()


@pytest.fixture
def packages(aggregator, metrics):
    guard = Guard("aggregator", "scripted", aggregator, metrics, Clock())
    winfo, presence = WinfoPackage(), PresencePackage()
    return aggregating({"presence.winfo": winfo, "presence": presence}, guard), winfo


def test_presence_is_made_by_the_aggregator(packages, aggregator):
    served, _ = packages

    state = served["presence"].compose(Material(BOB, categories=[MACHINE]))

    body = served["presence"].render(state, "application/msrtc-event-categories+xml")
    assert b"<availability>9500</availability>" in body.data
    assert aggregator.asked == 1


def test_other_packages_stay_as_they_are(packages):
    served, winfo = packages

    assert served["presence.winfo"] is winfo


def test_an_aggregator_that_fails_is_counted_and_named(packages, aggregator, metrics):
    aggregator.failure = ZeroDivisionError("no")
    served, _ = packages

    with pytest.raises(PluginFailed, match="aggregator scripted failed"):
        served["presence"].compose(Material(BOB, categories=[MACHINE]))

    failures = metrics.counter(
        "plugin_failures",
        "Calls in which a plugin failed.",
        kind="aggregator",
        plugin="scripted",
    )
    assert failures.value == 1
