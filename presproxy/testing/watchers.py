"""
Watchers at the other end of a SIP notifier: they take NOTIFYs and answer when told to.

Between them and the notifier is a real transaction layer, and no socket.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import attrs
from twisted.internet.defer import Deferred, fail, succeed

from presproxy.errors import StorageUnavailable
from presproxy.interfaces import IRouteKeeper
from presproxy.model.decision import FULL
from presproxy.model.identity import Identity
from presproxy.model.notice import Body, Notice, NumberedBody
from presproxy.model.subscription import State, Subscription
from presproxy.notify.route import SipRoute
from presproxy.notify.sip import SipNotifier
from presproxy.sip.flow import Address, Flow
from presproxy.sip.message import Request, build_response, parse_message
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.recorders import FakeHouse
from presproxy.transaction.client import ClientTransaction, TransactionUser
from presproxy.transaction.layer import TransactionLayer

ALICE = AddressOfRecord("sip:alice@example.test")

#: Seconds between two looks at the timers of transactions, as the server does.
_TURN = 0.05

_SUBSCRIBE = (
    "SUBSCRIBE sip:alice@example.test SIP/2.0\r\n"
    "Via: SIP/2.0/{transport} {host}:{port};branch=z9hG4bK{cseq}{via}\r\n"
    "{more}"
    "Max-Forwards: 70\r\n"
    "From: <sip:{name}@example.test>;tag={name}\r\n"
    "To: <sip:alice@example.test>{to}\r\n"
    "Call-ID: {name}\r\n"
    "CSeq: {cseq} SUBSCRIBE\r\n"
    "Contact: <{contact}>\r\n"
    "Event: {event}\r\n"
    "Expires: 600\r\n"
    "Content-Length: 0\r\n"
    "\r\n"
)


def subscribe(
    name: str = "bob",
    contact: str = "sip:bob@192.0.2.1:5060",
    event: str = "presence",
    transport: str = "UDP",
    host: str = "192.0.2.1",
    port: int = 5060,
    via: str = ";rport",
    more: str = "",
    to: str = "",
    cseq: int = 1,
) -> Request:
    """
    Give a SUBSCRIBE as it came.

    ``more`` are more header lines below the first Via, ``via`` and ``to`` more parameters.
    """
    text = _SUBSCRIBE.format(
        name=name,
        contact=contact,
        event=event,
        transport=transport,
        host=host,
        port=port,
        via=via,
        more=more,
        to=to,
        cseq=cseq,
    )
    request = parse_message(text.encode())
    assert isinstance(request, Request)
    return request


@attrs.define(eq=False)
class KeepingHouse(FakeHouse):
    """
    A house that keeps routes in ``lasting``, as they were written last, by key.

    It fails while ``is_failing``, and after `hold` lets its callers wait until `release`.
    """

    keeper: IRouteKeeper | None = None
    is_failing: bool = False
    lasting: dict[str, bytes] = attrs.field(factory=dict, init=False)
    _held: list[Deferred[None]] | None = attrs.field(default=None, init=False)

    def hold(self) -> None:
        """Let callers wait from now on."""
        self._held = []

    def release(self) -> None:
        """Do what was held, in order, and what comes from now on at once."""
        held, self._held = self._held or [], None
        for each in held:
            each.callback(None)

    async def keep(self, subscription: Subscription) -> None:
        assert self.keeper is not None
        self.kept.append(subscription)
        payload = self.keeper.write(subscription.route)
        if self._held is not None:
            waiting: Deferred[None] = Deferred()
            self._held.append(waiting)
            await waiting
        if self.is_failing:
            raise StorageUnavailable("the disk is full")
        self.lasting[subscription.key] = payload
        self.keeper.kept(subscription.route, payload)


@attrs.define(eq=False)
class Line:
    """
    A notifier, and what is between it and its watchers.

    ``ways`` are what is found in turn when a way is looked for: a flow, an error, or a
    Deferred of either.  ``looked_for`` is what for.
    """

    notifier: SipNotifier = attrs.field(factory=SipNotifier)
    #: How many NOTIFYs may wait for their answers at once.
    most: int = 1000
    ways: list[Flow | Exception | Deferred[Flow]] = attrs.field(factory=list)
    house: FakeHouse = attrs.field()
    layer: TransactionLayer = attrs.field(init=False)
    looked_for: list[tuple[str, Address | None]] = attrs.field(factory=list, init=False)
    _taken: set[bytes] = attrs.field(factory=set, init=False)
    _numbers: count[int] = attrs.field(factory=count, init=False)

    @house.default
    def _keeping(self) -> FakeHouse:
        return KeepingHouse(keeper=self.notifier)

    def __attrs_post_init__(self) -> None:
        self.layer = TransactionLayer(clients=self.most, metrics=self.house.metrics)
        self.notifier.connect(self, Tokens(bytes), self.ticks)
        Deferred.fromCoroutine(self.notifier.start(self.house))

    def ticks(self) -> float:
        """The moment on the clock of latencies."""
        return 100.0 + float(self.house.reactor.seconds())

    # -- What the notifier needs -----------------------------------------------------

    def send(
        self,
        method: str,
        data: bytes,
        branch: str | bytes,
        flow: Flow,
        user: TransactionUser,
        now: float,
    ) -> ClientTransaction:
        """See `Wire`."""
        return self.layer.send(method, data, branch, flow, user, now)

    def flow_to(self, uri: str, peer: Address | None) -> Deferred[Flow]:
        """See `Wire`."""
        self.looked_for.append((uri, peer))
        way = self.ways.pop(0)
        if isinstance(way, Deferred):
            return way
        return fail(way) if isinstance(way, Exception) else succeed(way)

    # -- Watchers --------------------------------------------------------------------

    def watcher(
        self,
        request: Request | None = None,
        flow: Flow | None = None,
        state: State = State.ACTIVE,
        version: int = 0,
        expires: float = 600,
    ) -> Subscription:
        """Let somebody subscribe; with a ``version`` his route is kept."""
        if request is None:
            request = subscribe()
        key = f"{request.call_id}{next(self._numbers)}"
        route = SipRoute.of_request(request, flow or RecordingFlow(), key)
        made = Subscription(
            key=key,
            watcher=Identity(request.from_.aor, "open"),
            presentity=ALICE,
            package="presence",
            content_type="text/plain",
            expires_at=self.house.now() + expires,
            notifier="sip",
            route=route,
            state=state,
            view=FULL,
            version=version,
            since=self.house.now(),
        )
        if version and isinstance(self.house, KeepingHouse):
            self.house.lasting[made.key] = route.write()
        return made

    def connected(self, state: State = State.ACTIVE) -> Subscription:
        """Let somebody subscribe by a stream."""
        contact = "sip:bob@192.0.2.1:5060;transport=tcp"
        request = subscribe(contact=contact, transport="TCP")
        return self.watcher(request, RecordingStream(), state)

    def tell(
        self,
        body: bytes | Body | NumberedBody,
        *subscriptions: Subscription,
        changed_at: float = 0.0,
    ) -> None:
        """Hand the notifier a notice."""
        if isinstance(body, bytes):
            body = Body("text/plain", body)
        self.notifier.notify(Notice(subscriptions, body, changed_at))

    def taken(self, flow: Flow | None) -> list[Request]:
        """
        Give the NOTIFYs that came by a flow since this was asked last.

        One that was sent again is the same.
        """
        assert isinstance(flow, RecordingFlow)
        new = [data for _, data in flow.sent if data not in self._taken]
        self._taken.update(new)
        return [_notify(data) for data in dict.fromkeys(new)]

    def told(self, subscription: Subscription) -> list[bytes]:
        """Give the bodies that a watcher was told since this was asked last."""
        return [each.body for each in self.taken(flow_of(subscription))]

    def counted(self, name: str) -> int:
        """Give what a counter of the notifier says."""
        return self.house.metrics.counter(name, "").value

    def answer(
        self,
        notify: Request,
        status: int = 200,
        fields: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Let a watcher answer a NOTIFY."""
        response = build_response(notify, status, fields, to_tag="w")
        self.layer.receive(response, RecordingFlow(), self.ticks())

    def sleep(self, seconds: float) -> None:
        """Let time go by."""
        for _ in range(round(seconds / _TURN)):
            self.house.reactor.advance(_TURN)
            self.layer.tick(self.ticks())


def _notify(data: bytes) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    assert message.method in {"NOTIFY", "BENOTIFY"}
    return message


def flow_of(subscription: Subscription) -> RecordingFlow:
    """Give the flow by which a watcher is told."""
    route = subscription.route
    assert isinstance(route, SipRoute)
    assert isinstance(route.flow, RecordingFlow)
    return route.flow
