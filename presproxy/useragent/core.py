"""
The core of a user agent (RFC 3261 §8): asking one server, and being asked by it.

Everything goes to the one server, whatever the request's URI is, as with an outbound
proxy.  Who uses the core says what stands in a request; the core adds Via and
credentials, waits, and answers challenges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import random
from typing import Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from presproxy.errors import (
    FlowClosed,
    LimitReached,
    MalformedField,
    PresproxyError,
)
from presproxy.sip.flow import Flow
from presproxy.sip.message import (
    MalformedMessage,
    Request,
    Response,
    build_request,
    build_response,
    parse_message,
)
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord, escape_user, user_of
from presproxy.transaction.layer import TransactionLayer
from presproxy.transaction.server import ServerTransaction
from presproxy.transport.hop import Unreachable
from presproxy.useragent.alarms import Alarms
from presproxy.useragent.errors import NoAnswer
from presproxy.useragent.login import Login, Place
from presproxy.useragent.wire import Wire

_log = Logger()

Fields = Sequence[tuple[str, str]]

#: A first try, one answer each to a server and a proxy, one nonce gone stale meanwhile.
_TRIES = 4
#: How often the transactions look at the clock, in seconds.
_TICK = 0.05

#: The methods in which Contact means nothing (RFC 3903 §4).
_WITHOUT_CONTACT = frozenset({"PUBLISH"})
_STOPPED = "the user agent has stopped"
ALLOWED = ("NOTIFY", "OPTIONS")


@attrs.frozen
class Draft:
    """
    A request without what each sending adds to it: Via and credentials.

    ``contact`` is a name-addr in place of our own; ``contact_parameters`` stand behind
    whichever it is.
    """

    method: str
    uri: str
    fields: Fields
    body: bytes = b""
    content_type: str | None = None
    contact: str | None = None
    contact_parameters: str = ""


class Usage(Protocol):
    """What NOTIFYs within a dialog are for: a subscription."""

    def notified(self, request: Request) -> int:
        """Take a NOTIFY, and say with which status it is answered."""

    def cut_off(self) -> None:
        """Hear that the server cannot reach us where it thinks we are."""

    def stopped(self, error: PresproxyError) -> None:
        """Hear that the user agent stops: nothing can come any more."""


@attrs.define(eq=False)
class Core:
    """
    A user agent's core, for the user ``aor``.

    ``usages`` has what waits for NOTIFYs, by Call-ID and our own tag.  ``limit`` is how
    many seconds an answer is waited for.  When a connection breaks, what hangs on it is
    refreshed within ``spread`` seconds, each when ``random`` says.
    """

    aor: AddressOfRecord
    wire: Wire
    login: Login
    tokens: Tokens
    clock: IReactorTime
    limit: float
    agent_name: str = "presproxy"
    spread: float = 0.0
    random: Callable[[], float] = random
    #: Told when the connection broke: a server that starts again may have lost all.
    cut_off: Callable[[], None] = lambda: None
    usages: dict[tuple[str, str], Usage] = attrs.field(factory=dict)
    _layer: TransactionLayer = attrs.field(factory=TransactionLayer)
    _exchanges: set[_Exchange] = attrs.field(factory=set)
    _ticking: LoopingCall | None = None
    alarms: Alarms = attrs.field()

    @alarms.default
    def _make_alarms(self) -> Alarms:
        return Alarms(self.clock)

    async def start(self) -> None:
        """Open the way to the server.  Raises `NoAnswer` when there is none."""
        self.wire.start(self)
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = self.clock
        self._ticking.start(_TICK, now=False)
        await self._flow("")

    async def stop(self) -> None:
        """Close everything; nothing is said to the server."""
        self.alarms.stop()
        if self._ticking is not None and self._ticking.running:
            self._ticking.stop()
        for usage in tuple(self.usages.values()):
            usage.stopped(NoAnswer("NOTIFY", self.wire.name, _STOPPED))
        for exchange in tuple(self._exchanges):
            exchange.failed(_STOPPED, self.clock.seconds())
        await self.wire.close()

    async def request(
        self, compose: Callable[[], Draft], limit: float | None = None
    ) -> Response:
        """
        Ask, and give the final response, whatever it is.

        ``compose`` is called for every try, as each needs a CSeq of its own.  Raises
        `NoAnswer` after ``limit`` seconds.
        """
        answered: set[Place] = set()
        for _ in range(_TRIES):
            response = await self._try(compose(), limit or self.limit)
            if not self.login.learn(response, answered):
                break
        return response

    def received(self, data: bytes, flow: Flow) -> None:
        """Take a message that came in."""
        if data.startswith(b"BENOTIFY "):
            self._told(data)
            return
        transaction = self._layer.receive(data, flow, self.clock.seconds())
        if transaction is not None:
            self._asked(transaction)

    def broke(self) -> None:
        """Give up what waits; have all subscriptions refreshed by a new connection."""
        for exchange in tuple(self._exchanges):
            exchange.failed("the connection broke", self.clock.seconds())
        for usage in tuple(self.usages.values()):
            usage.cut_off()
        self.cut_off()

    def contact(self, flow: Flow) -> str:
        """Give our Contact on ``flow``, as a name-addr."""
        user = user_of(self.aor)
        address = f"{escape_user(user)}@{flow.sent_by}" if user else flow.sent_by
        parameter = (
            "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
        )
        return f"<sip:{address}{parameter}>"

    def _contacts(self, draft: Draft, flow: Flow) -> Fields:
        if draft.method in _WITHOUT_CONTACT:
            return ()
        contact = draft.contact or self.contact(flow)
        return [("Contact", contact + draft.contact_parameters)]

    async def _try(self, draft: Draft, limit: float) -> Response:
        flow = await self._flow(draft.method)
        branch = self.tokens.branch()
        data = build_request(
            draft.method,
            draft.uri,
            [
                (
                    "Via",
                    f"SIP/2.0/{flow.transport} {flow.sent_by};branch={branch};rport",
                ),
                ("Max-Forwards", "70"),
                *draft.fields,
                *self._contacts(draft, flow),
                *self.login.fields(draft.method, draft.uri),
                ("User-Agent", self.agent_name),
            ],
            draft.body,
            content_type=draft.content_type,
        )
        exchange = _Exchange()
        self._exchanges.add(exchange)
        transaction = None
        try:
            transaction = self._layer.send(
                draft.method, data, branch, flow, exchange, self.clock.seconds()
            )
            response = await exchange.response(limit, self.clock)
            if response.status == 503:
                self.wire.silent(flow)
            return response
        except (FlowClosed, LimitReached, _Failed) as error:
            self.wire.silent(flow)
            raise NoAnswer(draft.method, self.wire.name, str(error)) from error
        finally:
            self._exchanges.discard(exchange)
            if transaction is not None:
                self._layer.abandon(transaction)

    async def _flow(self, method: str) -> Flow:
        try:
            return await self.wire.flow()
        except FlowClosed as error:
            why = str(error)
        except DeferredTimedOut:
            why = f"waited {self.limit:g} seconds"
        except Unreachable as error:
            why = error.why
        except LimitReached as error:
            why = str(error)
        except OSError as error:
            why = error.strerror or str(error)
        raise NoAnswer(method, self.wire.name, why)

    def _tick(self) -> None:
        self._layer.tick(self.clock.seconds())

    def _asked(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        try:
            status = self._answer_to(request)
        except MalformedField as error:
            _log.debug("{method} refused: {error}", method=request.method, error=error)
            status = 400
        response = build_response(
            request,
            status,
            _fields_of_answer(request, status),
            to_tag=self.tokens.tag(),
        )
        transaction.respond(response, status, self.clock.seconds())

    def _told(self, data: bytes) -> None:
        """Take a BENOTIFY, which is never answered ([MS-SIP] 3.5)."""
        try:
            request = parse_message(data)
            assert isinstance(request, Request)
            self._answer_to_notification(request)
        except (MalformedMessage, MalformedField) as error:
            _log.debug("BENOTIFY passed over: {error}", error=error)

    def _answer_to(self, request: Request) -> int:
        if request.method == "OPTIONS":
            return 200
        if request.method != "NOTIFY":
            return 405
        return self._answer_to_notification(request)

    def _answer_to_notification(self, request: Request) -> int:
        usage = self.usages.get((request.call_id, request.to.tag or ""))
        if usage is None:
            return 481
        return usage.notified(request)


def _fields_of_answer(request: Request, status: int) -> Fields:
    if request.method == "OPTIONS" or status == 405:
        return [("Allow", ", ".join(ALLOWED))]
    if status == 489:
        return [("Allow-Events", "presence, presence.winfo")]
    return []


class _Failed(PresproxyError):
    """Nothing came of a transaction."""


@attrs.define(eq=False)
class _Exchange:
    """One request under way: the transaction's user, and somebody who waits."""

    _ended: Deferred[bytes] = attrs.field(factory=Deferred)

    def answered(self, status: int, data: bytes, now: float) -> None:
        """Take a response; the first final one is what was waited for."""
        if status >= 200 and not self._ended.called:
            self._ended.callback(data)

    def failed(self, why: str, now: float) -> None:
        """Learn that there will be no response."""
        if not self._ended.called:
            self._ended.errback(_Failed(why))

    async def response(self, limit: float, clock: IReactorTime) -> Response:
        """Wait for the final response.  Raises `_Failed`."""
        self._ended.addTimeout(limit, clock)
        try:
            message = parse_message(await self._ended)
        except DeferredTimedOut as error:
            raise _Failed(f"waited {limit:g} seconds") from error
        assert isinstance(message, Response)
        return message
