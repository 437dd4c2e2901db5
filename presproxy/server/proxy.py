"""
The proxy core (RFC 3261 §16): requests between user agents of ours, and to a server.

A request goes to the contacts that a user of ours has registered, along a dialog that
began here, or to a server behind us; nothing goes anywhere else.  Departures from §16.10: a CANCEL of what is not
known here is answered 481 and not passed on, as no request is passed on statelessly but
the ACK to a 2xx.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from presproxy.errors import FlowClosed, MalformedField, PresproxyError
from presproxy.metrics import Counter, Metrics
from presproxy.proxying.branches import State, Target
from presproxy.proxying.forward import Onward, forwarded, is_of_realm
from presproxy.proxying.inspect import (
    NotForwarded,
    Passage,
    branch_of,
    inspect,
    is_loop,
    loop_signature,
)
from presproxy.proxying.keys import Keyring
from presproxy.proxying.token import Ends, RouteTokens
from presproxy.server.answer import Answer, Refusal
from presproxy.server.copying import Copier, Manner, nobodys
from presproxy.server.exchange import Exchange
from presproxy.server.front.front import Front
from presproxy.server.front.routes import Action
from presproxy.server.identify import Identifier
from presproxy.server.orders import Orders
from presproxy.server.relaying import Leg, Relayed, Switchboard, Wire
from presproxy.server.screen import Screen
from presproxy.server.targets import Targets
from presproxy.server.underway import UnderWay
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import SipURI, parse_uri
from presproxy.transaction.server import ServerTransaction
from presproxy.transaction.timers import DelayQueue

_log = Logger()

#: What is passed on wherever it comes; any other method only within a dialog that does.
RELAYED = (
    "INVITE",
    "ACK",
    "CANCEL",
    "BYE",
    "MESSAGE",
    "INFO",
    "REFER",
    "UPDATE",
    "PRACK",
)

_RELAYED = frozenset(RELAYED)

#: What is the sender's own, or ends what has begun, concerns nobody who has blocked him.
_UNSCREENED = frozenset({"BYE", "PUBLISH", "REGISTER"})

#: What methods nobody knows are counted as.
_OTHER = "other"

_ASKING = {"WWW-Authenticate": "Proxy-Authenticate"}

#: Seconds between two looks at a branch whose time may be over, or whose server may be
#: gone.  Chosen: most are done with at the first, and who is there says 100 sooner.
_LOOK = 2.0

#: Seconds without an answer after which the sender of what is no INVITE is told to wait:
#: when timer E has come to T2 (RFC 4320 §4.1).
_TRYING = 3.5


@attrs.define(eq=False)
class Proxy:
    """
    Passes requests on; ``under_way`` are those that it has not done with.

    ``keys`` seal what is written for ourselves; ``secret`` tells what was here before, and
    is at most 32 bytes long.  ``screen`` knows who is blocked.  ``ticks`` is the clock of
    transactions.
    """

    wire: Wire
    identifier: Identifier
    targets: Targets
    tokens: Tokens
    keys: Keyring
    secret: bytes
    realms: Collection[str]
    ticks: Callable[[], float]
    metrics: Metrics
    under_way: UnderWay
    orders: Orders
    front: Front | None = None
    screen: Screen | None = None
    _route_tokens: RouteTokens = attrs.field(init=False)
    _board: Switchboard = attrs.field(init=False)
    _legs: DelayQueue[Leg] = attrs.field(factory=DelayQueue, init=False)
    _unheard: DelayQueue[Leg] = attrs.field(factory=DelayQueue, init=False)
    _trying: DelayQueue[Relayed] = attrs.field(factory=DelayQueue, init=False)
    _counters: dict[str, Counter] = attrs.field(init=False)
    _acks_lost: Counter = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._route_tokens = RouteTokens(self.keys)
        self._board = Switchboard(
            self.wire,
            Copier(self._name, self._route_tokens, is_of_realm(self.realms)),
            self.tokens,
            self._watch,
            self.ticks,
        )
        self._counters = {
            method: self.metrics.counter(
                "relayed", "Requests passed on.", method=method
            )
            for method in (*RELAYED, _OTHER)
        }
        self._acks_lost = self.metrics.counter(
            "acks_lost", "ACKs to a 2xx that no way was known for."
        )
        self.metrics.gauge(
            "relaying",
            "Requests that are being passed on.",
            lambda: len(self.under_way),
        )

    # -- Requests --------------------------------------------------------------------

    def takes(self, request: Request, flow: Flow) -> bool:
        """
        Whether a request is to be passed on, and not for the server itself.

        Raises `Refusal` for one that a rule refuses.
        """
        if request.method in _RELAYED:
            return True
        if request.has("route") and self._is_on_its_way(request):
            return True
        if request.method == "NOTIFY" and self.orders.has(request, flow):
            return True
        if self.front is None:
            return False
        return self.front.decide(request, flow) is Action.FORWARD

    def _is_on_its_way(self, request: Request) -> bool:
        """Whether its Route is one that we wrote."""
        if request.method == "REGISTER":
            return False
        try:
            first = parse_uri(request.routes[0].uri)
        except (IndexError, MalformedField):
            return False
        return isinstance(first, SipURI) and self._is_written_here(first, request)

    async def serve(
        self, exchange: Exchange, transaction: ServerTransaction
    ) -> Answer | None:
        """
        Pass a request on; give our own answer, None if what came back was sent.

        Raises `Refusal`, `NotForwarded` or another error with a row in the table.
        """
        request = exchange.request
        if request.method == "CANCEL":
            return self._cancel(exchange)
        self.under_way.check()
        signature = self._signature(request, exchange.flow)
        relayed = Relayed(self._board, transaction, signature)
        self.under_way.begun(relayed)
        try:
            await self._pass_on(exchange, relayed)
            return await relayed.finished
        finally:
            self.under_way.ended(relayed)
            if relayed.transaction.is_answered:
                relayed.let_go()

    def _sender(self, exchange: Exchange) -> str | None:
        """
        Say whose requests one is counted with; None for servers that bring others'.

        Where nobody asked, whoever else is at the same address is in the same boat: to
        count by what From says would let anybody use up what is another's.
        """
        identity, flow = exchange.identity, exchange.flow
        if identity is not None:
            return None if identity.is_asserted else identity.aor
        if self.front is None:
            # Within a dialog, of which the Route is sealed for its parties.
            return exchange.request.from_.aor
        return None if self.front.is_near(flow) else flow.peer[0]

    async def _pass_on(self, exchange: Exchange, relayed: Relayed) -> None:
        request = exchange.request
        passage = inspect(request, self._knows_us(request, exchange.flow))
        if is_loop(relayed.signature, request):
            raise NotForwarded(482)
        targets = await self._find(exchange, passage)
        if relayed.is_cancelled:
            raise Refusal(487)
        self.under_way.count(relayed, self._sender(exchange))
        self._count(request.method)
        now = self.ticks()
        relayed.begin(passage, targets, now, self._manner(exchange))
        self._trying.put(relayed, _TRYING, now)

    async def _find(self, exchange: Exchange, passage: Passage) -> Sequence[Target]:
        """Give the targets (§16.5); who is within no dialog of ours says who he is first."""
        request = exchange.request
        target = await self._within(request, passage)
        if target is not None:
            if exchange.flow.seal is not None:
                # Who signs all that he sends may expect that it is looked at.
                await self._identify(exchange)
            return [target]
        if self.orders.has(request, exchange.flow):
            return await self.targets.of_user(passage.uri)
        front = self.front
        if front is None:
            await self._identify(exchange)
        else:
            target = await front.by_path(passage, exchange.flow)
            if target is not None:
                return [target]
            is_forwarded = front.decide(request, exchange.flow) is Action.FORWARD
            if not front.is_near(exchange.flow) and (
                front.asks_here or not is_forwarded
            ):
                await self._identify(exchange)
            if is_forwarded:
                await self._screen(exchange, passage)
                return [await front.onward(exchange, passage)]
        await self._screen(exchange, passage)
        if passage.routes:
            raise NotForwarded(403, "Route leads elsewhere")
        if request.to.tag is not None:
            target = await self.targets.of_contact(request, passage.uri)
            if target is not None:
                return [target]
            if not self.targets.is_ours(passage.uri):
                raise NotForwarded(481)
        return await self.targets.of_user(passage.uri)

    async def _screen(self, exchange: Exchange, passage: Passage) -> None:
        """
        Keep away whom a user of ours has blocked, if it is known who sends.

        """
        request, sender = exchange.request, exchange.identity
        if self.screen is None or sender is None or request.method in _UNSCREENED:
            return
        await self.screen.check(sender, self.targets.meant(request, passage.uri))

    async def _identify(self, exchange: Exchange) -> None:
        """Ask who the sender is, as a proxy does (RFC 3261 §22.3)."""
        try:
            exchange.identity = await self.identifier.identify(exchange)
        except Refusal as refusal:
            answer = refusal.answer
            if answer.status == 401:
                fields = tuple(
                    (_ASKING.get(name, name), v) for name, v in answer.fields
                )
                raise Refusal(407, fields, answer.reason) from refusal
            raise

    async def _within(self, request: Request, passage: Passage) -> Target | None:
        """
        Give where a request within a dialog goes; None if no Route of ours says so.

        Its other end may have come by a new flow since, and registered by it.
        """
        ends = self._ends_of(request, passage)
        if ends is None:
            return None
        if self.front is not None:
            target = await self.front.within(ends.other, passage, request)
            if target is not None:
                return target
        if not passage.routes:
            of_contact = self.targets.of_contact
            target = await of_contact(request, passage.uri, ends.other)
            if target is not None:
                return target
        flow = await self.targets.other_end(ends.other, request)
        if flow is None:
            raise NotForwarded(430)
        return Target(passage.uri, flow, ends.other, passage.routes)

    def _cancel(self, exchange: Exchange) -> Answer:
        """Answer a CANCEL, and cancel all branches of its INVITE (§16.10)."""
        relayed = self.under_way.cancelled(exchange.request, exchange.flow)
        if relayed is None:
            raise Refusal(481)
        now = self.ticks()
        return Answer(200, then=lambda: relayed.cancel(now))

    # -- ACK -------------------------------------------------------------------------

    def acknowledge(self, request: Request, flow: Flow, now: float) -> None:
        """Pass the ACK to a 2xx on, which nobody answers."""

        def lost(failure: Failure) -> None:
            self._acks_lost.value += 1
            if not failure.check(PresproxyError):
                _log.failure("An ACK went wrong in a way it must not", failure=failure)

        passing = Deferred.fromCoroutine(self._pass_ack(request, flow))
        passing.addErrback(lost)

    async def _pass_ack(self, request: Request, flow: Flow) -> None:
        passage = inspect(request, self._knows_us(request, flow))
        target = await self._within(request, passage)
        if target is None or target.flow is None:
            raise NotForwarded(481)
        if passage.is_secure and not target.flow.is_secure:
            raise NotForwarded(480)
        signature = self._signature(request, flow)
        if is_loop(signature, request):
            raise NotForwarded(482)
        onward = Onward(target.uri, target.routes, passage.forwards, passage.breadth)
        branch = f"{branch_of(self.secret, request)}.{signature}"
        is_for_us, front = self._board.copier.is_for_us, self.front
        if target.detour is not None and front is not None and not front.asks_here:
            is_for_us = nobodys
        data = forwarded(request, onward, target.flow, branch, is_for_us)
        try:
            target.flow.send(data)
        except FlowClosed as error:
            raise NotForwarded(430) from error
        self._count("ACK")

    # -- Time ------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Do what is due: timer C, and 100 to who waits long."""
        for leg in self._legs.tick(now):
            branch = leg.branch
            if branch.is_open:
                if branch.until <= now:
                    leg.relayed.overdue(branch, now)
                if branch.is_silent:
                    leg.relayed.silent(branch, now)
                if branch.is_open:
                    self._legs.put(leg, _LOOK, now)
        for leg in self._unheard.tick(now):
            if leg.branch.state is State.CALLING:
                leg.relayed.unheard(leg.branch)
        for relayed in self._trying.tick(now):
            if not relayed.finished.called and relayed.request.method != "INVITE":
                relayed.try_on(now)

    def close(self) -> None:
        """End what is under way: nobody will be here for its answers."""
        now = self.ticks()
        for relayed in self.under_way.all():
            relayed.cancel(now)

    # -- Within ----------------------------------------------------------------------

    def _knows_us(self, request: Request, flow: Flow) -> Callable[[SipURI], bool]:
        def is_us(uri: SipURI) -> bool:
            if uri.host in self.targets.domains.names:
                return True
            port = uri.port or (5061 if uri.transport == "tls" else 5060)
            if f"{uri.host}:{port}" == flow.sent_by:
                return True
            return self._is_written_here(uri, request)

        return is_us

    def _is_written_here(self, uri: SipURI, request: Request) -> bool:
        """Whether a URI is one of our Record-Route, or of our Path."""
        if self._ends(uri, request) is not None:
            return True
        front = self.front
        return front is not None and front.tokens.read(uri.user or "") is not None

    def _ends_of(self, request: Request, passage: Passage) -> Ends | None:
        """Read the last of ours: a dialog may come by us twice, with nobody between."""
        for text in reversed(passage.ours):
            ends = self._route_tokens.read(text, request)
            if ends is not None:
                return ends
        return None

    def _ends(self, uri: SipURI, request: Request) -> Ends | None:
        return self._route_tokens.read(uri.user or "", request)

    def _signature(self, request: Request, flow: Flow) -> str:
        """Sign what tells a loop: where it goes from here is another thing from a server."""
        front = self.front
        more = ("near",) if front is not None and front.is_near(flow) else ()
        return loop_signature(self.secret, request, *more)

    def _name(self, flow: Flow) -> str:
        """Name a flow: a server by what it is, for its flows come and go."""
        name = None if self.front is None else self.front.name_of(flow)
        return self.targets.ways.name(flow) if name is None else name

    def _watch(self, leg: Leg, now: float) -> None:
        self._legs.put(leg, _LOOK, now)
        if self.front is not None and leg.branch.target.detour is not None:
            self._unheard.put(leg, self.front.options.patience, now)

    def _manner(self, exchange: Exchange) -> Manner:
        """Say how the copies of a request differ where there is a server behind us."""
        front = self.front
        return Manner() if front is None else front.manner(exchange, self._name)

    def _count(self, method: str) -> None:
        self._counters.get(method, self._counters[_OTHER]).value += 1
