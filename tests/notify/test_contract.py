from __future__ import annotations

from presproxy.notify.route import SipRoute
from presproxy.notify.sip import SipNotifier
from presproxy.testing.contracts.notifier import NotifierContract
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.watchers import Line, subscribe


class TestByStreams(NotifierContract):
    """Watchers who are connected."""

    transport = "TCP"
    flow = RecordingStream

    def make(self, house):
        self.line = Line(SipNotifier(), house=house)
        self.flows = {}
        self.bodies = {}
        self.hesitating = set()
        self.lost = set()
        return self.line.notifier

    def route(self, name):
        flow = self.flows[name] = self.flow()
        self.bodies[name] = []
        self.line.ways.append(flow)
        request = subscribe(name, transport=self.transport)
        return SipRoute.of_request(request, flow, name)

    def received(self, name):
        return self.bodies[name]

    def hesitate(self, name):
        self.hesitating.add(name)

    def answer(self, name):
        self.hesitating.discard(name)

    def lose(self, name):
        self.lost.add(name)

    async def settle(self):
        while sum(self.take(name) for name in self.flows):
            pass

    def take(self, name):
        if name in self.hesitating:
            return 0
        notifies = self.line.taken(self.flows[name])
        for notify in notifies:
            self.bodies[name].append(notify.body)
            self.line.answer(notify, 404 if name in self.lost else 200)
        return len(notifies)


class TestByDatagrams(TestByStreams):
    """Watchers who are not."""

    transport = "UDP"
    flow = RecordingFlow
