"""What one more watcher costs: a notification each change, and memory all the time."""

from __future__ import annotations

import gc
import time
import tracemalloc

import pytest
from twisted.internet.defer import Deferred

from presproxy.events.agent import PresenceAgent
from presproxy.events.compositor import Compositor, Published
from presproxy.events.fanout import FanOut
from presproxy.events.resource import Resources
from presproxy.events.winfo import Visitors
from presproxy.extend.guard import Guard
from presproxy.metrics import Counter
from presproxy.model.decision import FULL
from presproxy.model.identity import Identity
from presproxy.model.notice import Body, Notice
from presproxy.model.subscription import State, Subscription
from presproxy.notify.route import SipRoute
from presproxy.notify.sip import SipNotifier
from presproxy.packages.presence import PresencePackage
from presproxy.sip.flow import Flow
from presproxy.sip.message import parse_message
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import address_of_record
from presproxy.testing.recorders import FakeHouse

pytestmark = pytest.mark.speed

#: What a busy machine may add to what was measured.
SLACK = 3

#: Watchers told of one change, and things of which the memory is measured.
WATCHERS = 1000
MANY = 5000

PIDF = "application/pidf+xml"
SUBSCRIBE = """\
SUBSCRIBE sip:{presentity}@example.test SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{number};rport\r
Max-Forwards: 70\r
From: <sip:watcher{name}@example.test>;tag=a8sd7f6{name}\r
To: <sip:{presentity}@example.test>\r
Call-ID: 9f8a7s6df98a7s6{number}@192.0.2.1\r
CSeq: 1 SUBSCRIBE\r
Contact: <sip:watcher{name}@192.0.2.1:5060;ob>\r
Event: presence\r
Expires: 600\r
Content-Length: 0\r
\r
"""
DOCUMENT = """\
<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf"
 xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
 xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"
 entity="sip:{name}@example.test">
 <tuple id="t{name}"><status><basic>open</basic></status>
  <contact priority="0.8">sip:{name}@192.0.2.7</contact></tuple>
 <dm:person id="p{name}"><rpid:activities><rpid:busy/></rpid:activities>
  <dm:note>In meeting {number} until three</dm:note></dm:person>
</presence>
"""


class Silent(Flow):
    """A flow which sends nothing, at no cost."""

    __slots__ = ()

    transport = "UDP"

    def send(self, data):
        pass

    def towards(self, peer):
        return self


class NoWire:
    """Takes every NOTIFY, and answers none."""

    def send(self, method, data, branch, flow, user, now):
        pass


class Room:
    """The presence agent with what it really has around it, but for a wire."""

    def __init__(self):
        self.house = FakeHouse()
        self.tokens = Tokens(bytes)
        self.keys = iter(range(10**9))
        self.notifier = SipNotifier()
        self.notifier.connect(NoWire(), self.tokens, time.monotonic)
        Deferred.fromCoroutine(self.notifier.start(self.house))
        self.package = PresencePackage()
        guard = Guard(
            "package", "presence", self.package, self.house.metrics, self.house.reactor
        )
        self.resources = Resources({"presence": guard})
        fanout = FanOut(
            {"sip": self.notifier}, lambda act: act(), time.monotonic, Counter()
        )
        self.agent = PresenceAgent(
            self.resources,
            fanout,
            Visitors(),
            self.house.now,
            time.monotonic,
            lambda delay, act: None,
            lambda subscription: None,
        )
        self.compositor = Compositor(
            self.resources, self.agent.changed, self.key, self.key
        )

    def key(self):
        return f"{next(self.keys):016x}"

    def subscription(self, number, presentity):
        """A watcher, one of a thousand, and his peer."""
        name = number % 1000
        request = parse_message(
            SUBSCRIBE.format(number=number, name=name, presentity=presentity).encode()
        )
        flow = Silent(
            ("192.0.2.100", 5060),
            (f"192.0.{name // 250}.{name % 250}", 5060 + number % 30),
            "192.0.2.100:5060",
        )
        now = self.house.now()
        tag = self.key()
        return Subscription(
            key=tag,
            watcher=Identity(request.from_.aor, "digest"),
            presentity=address_of_record(request.uri),
            package="presence",
            content_type=PIDF,
            expires_at=now + 600 + number % 600,
            notifier="sip",
            route=SipRoute.of_request(request, flow, tag),
            state=State.ACTIVE,
            view=FULL,
            since=now,
            rule="a contact",
        )

    def watch(self, number, presentity):
        self.agent.begin(self.subscription(number, presentity))

    def publish(self, number, name):
        body = DOCUMENT.format(number=number, name=name).encode()
        now = self.house.now()
        published = Published(
            presentity=address_of_record(f"sip:{name}@example.test"),
            package="presence",
            content_type=PIDF,
            body=body,
            document=self.package.parse(PIDF, body),
            expires_at=now + 3600 + number % 600,
            at=now,
            source=f"udp:{name}.example.test:5060",
            changed_at=time.monotonic(),
        )
        self.compositor.stage_initial(published).live()


@pytest.fixture
def room():
    return Room()


def idle(subscriptions):
    """Let all have answered."""
    for each in subscriptions:
        each.route.is_busy = False
        each.route.waiting = None


def best_of(times, prepare, work):
    """Give the seconds of the quickest; ``prepare`` is not counted."""
    best = float("inf")
    for number in range(times):
        prepare(number)
        began = time.process_time()
        work(number)
        best = min(best, time.process_time() - began)
    return best


def octets_each(count, make):
    """Give what each of some things takes, when others like it are there already."""
    for number in range(1000):
        make(MANY + number)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            make(number)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / count


def test_a_watcher_is_notified(room):
    """Measured: 2.4 µs without a wire, 3.2 with the transaction."""
    subscriptions = [room.subscription(n, "alice") for n in range(WATCHERS)]
    bodies = [Body(PIDF, b"x" * 600 + b"%d" % number) for number in range(10)]

    def tell(number):
        room.notifier.notify(Notice(subscriptions, bodies[number], time.monotonic()))

    seconds = best_of(10, lambda number: idle(subscriptions), tell)

    assert seconds / WATCHERS < SLACK * 2.5e-6


def test_a_watcher_is_found_and_notified(room):
    """Measured: 3.0 µs from the change to the NOTIFY, of which 0.5 are not the notifier's."""
    for number in range(WATCHERS):
        room.watch(number, "alice")

    def prepare(number):
        idle(room.agent.subscriptions())
        room.publish(number, "alice")

    seconds = best_of(10, prepare, lambda number: room.agent.flush())

    assert room.notifier._sent.value == 11 * WATCHERS
    assert seconds / WATCHERS < SLACK * 3e-6


def test_a_subscription_is_small(room):
    """Measured: 1.98 kB with its dialog, route, flow and place in all tables."""
    octets = octets_each(MANY, lambda number: room.watch(number, f"p{number // 10}"))

    assert octets < 2048


def test_a_publication_is_small(room):
    """Measured: 2.1 kB with a body of 0.6 kB, read, and a presentity of its own."""
    octets = octets_each(MANY, lambda number: room.publish(number, f"user{number}"))

    assert octets < 3000
