"""
One request on its way through: its branches, and the responses that come back.

What is to be done is decided by `presproxy.proxying.context`; here it is done, with the
transactions of both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import attrs
from twisted.internet.defer import Deferred

from presproxy.errors import LimitReached, MalformedField
from presproxy.proxying.branches import Branch, Target
from presproxy.proxying.context import (
    Act,
    Cancel,
    Context,
    KeepSilent,
    Open,
    PassBack,
    Respond,
)
from presproxy.proxying.forward import Onward, forwarded, passed_back
from presproxy.proxying.inspect import Passage
from presproxy.proxying.token import RouteTokens
from presproxy.server.answer import Answer
from presproxy.server.ways import Ways
from presproxy.sip.flow import Flow, uri_parameter
from presproxy.sip.message import (
    MalformedMessage,
    Request,
    Response,
    build_response,
    parse_message,
)
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord
from presproxy.transaction.client import TransactionUser
from presproxy.transaction.derived import build_cancel
from presproxy.transaction.server import ServerTransaction

#: These begin a dialog, and what follows in it has to come by us.
_BEGINNING = frozenset({"INVITE", "SUBSCRIBE", "REFER"})


class Wire(Protocol):
    """What is needed of the transactions; see `TransactionLayer`."""

    def send(
        self,
        method: str,
        data: bytes,
        branch: str | bytes,
        flow: Flow,
        user: TransactionUser,
        now: float,
    ) -> object:
        """Send a request that is no INVITE."""

    def invite(
        self, data: bytes, branch: str, flow: Flow, user: TransactionUser, now: float
    ) -> object:
        """Send an INVITE."""


@attrs.frozen(eq=False)
class Switchboard:
    """
    What all requests on their way share.

    ``is_for_us`` says of credentials whether they were asked for here; ``watch`` has a
    branch looked at until it is over.
    """

    wire: Wire
    ways: Ways
    tokens: Tokens
    route_tokens: RouteTokens
    is_for_us: Callable[[str], bool]
    watch: Callable[[Leg, float], None]


@attrs.define(eq=False)
class Leg:
    """A branch and the client transaction that is under way for it."""

    relayed: Relayed
    branch: Branch
    word: str
    data: bytes = b""

    def answered(self, status: int, data: bytes, now: float) -> None:
        """See `TransactionUser`."""
        self.relayed.answered(self.branch, status, data, now)

    def failed(self, why: str, now: float) -> None:
        """See `TransactionUser`."""
        status = 408 if self.branch.target.is_open else 480
        self.relayed.failed(self.branch, status, now)


@attrs.define(eq=False)
class _Nobody:
    """Who waits for the answer to a CANCEL: that to its INVITE says all."""

    def answered(self, status: int, data: bytes, now: float) -> None:
        """See `TransactionUser`."""

    def failed(self, why: str, now: float) -> None:
        """See `TransactionUser`."""


@attrs.define(eq=False)
class Relayed:
    """
    A request that is passed on.

    ``finished`` fires with our own final response; or with None once another's was sent,
    after which more of an INVITE's may follow, or if there never will be one.
    """

    board: Switchboard
    transaction: ServerTransaction
    signature: str
    finished: Deferred[Answer | None] = attrs.field(factory=Deferred, init=False)
    is_cancelled: bool = attrs.field(default=False, init=False)
    #: Whose it is, once he is known.
    sender: AddressOfRecord | None = attrs.field(default=None, init=False)
    _passage: Passage = attrs.field(default=None, init=False)
    _context: Context | None = attrs.field(default=None, init=False)
    _legs: dict[Branch, Leg] = attrs.field(factory=dict, init=False)

    @property
    def request(self) -> Request:
        """The request as it came."""
        return self.transaction.request

    # -- What happens ----------------------------------------------------------------

    def begin(self, passage: Passage, targets: Iterable[Target], now: float) -> None:
        """Pass it on; raises `NotForwarded` if it may not go to so many."""
        is_invite = self.request.method == "INVITE"
        self._passage = passage
        self._context = Context(is_invite, targets, passage.breadth)
        if is_invite:
            self.try_on(now)
        self._do(self._context.begin(now), now)

    def try_on(self, now: float) -> None:
        """Say that it takes a while, unless there was a final response."""
        if not self.transaction.is_answered:
            self.transaction.respond(build_response(self.request, 100), 100, now)

    def answered(self, branch: Branch, status: int, data: bytes, now: float) -> None:
        """A response came by a branch."""
        response = _read(data)
        context = self._context
        if context is None:
            return
        if response is None:
            if status >= 200:
                self._do(context.fail(branch, 502, now), now)
        elif status < 200:
            self._do(context.provisional(branch, response, now), now)
        else:
            self._do(context.final(branch, response, now), now)

    def failed(self, branch: Branch, status: int, now: float) -> None:
        """No response will come by a branch."""
        if self._context is not None:
            self._do(self._context.fail(branch, status, now), now)

    def overdue(self, branch: Branch, now: float) -> None:
        """The time of a branch is over."""
        if self._context is not None:
            self._do(self._context.overdue(branch, now), now)

    def cancel(self, now: float) -> None:
        """Whoever sent it wants no answer any more."""
        self.is_cancelled = True
        if self._context is not None:
            self._do(self._context.cancel(now), now)

    # -- What is done ----------------------------------------------------------------

    def _do(self, acts: Sequence[Act], now: float) -> None:
        for act in acts:
            match act:
                case Open():
                    self._open(act.branch, now)
                case Cancel():
                    self._cancel(act.branch, now)
                case PassBack():
                    self._pass_back(act, now)
                case Respond():
                    self._finish(Answer(act.status))
                case KeepSilent():
                    self._finish(None)

    def _open(self, branch: Branch, now: float) -> None:
        flow, board = branch.target.flow, self.board
        word = f"{board.tokens.branch()}.{self.signature}"
        leg = self._legs[branch] = Leg(self, branch, word)
        try:
            if flow is None:
                raise LimitReached("flows to a contact that has none", 0)
            leg.data = self._copy(branch, flow, word)
            self._send(leg, flow, now)
        except (LimitReached, MalformedField):
            self.failed(branch, 503, now)
        else:
            board.watch(leg, now)

    def _send(self, leg: Leg, flow: Flow, now: float) -> None:
        wire, method = self.board.wire, self.request.method
        if method == "INVITE":
            wire.invite(leg.data, leg.word, flow, leg, now)
        else:
            wire.send(method, leg.data, leg.word, flow, leg, now)

    def _copy(self, branch: Branch, flow: Flow, word: str) -> bytes:
        target, passage = branch.target, self._passage
        onward = Onward(
            target.uri,
            target.routes,
            passage.forwards,
            branch.breadth,
            self._record_routes(target, flow),
        )
        return forwarded(self.request, onward, flow, word, self.board.is_for_us)

    def _record_routes(self, target: Target, flow: Flow) -> Sequence[str]:
        """
        Write ourselves into the dialog that begins, if one does.

        Twice if the sides differ: each end is to know us as it can reach us (RFC 5658 §4).
        """
        request = self.request
        if request.method not in _BEGINNING or request.to.tag is not None:
            return ()
        back = self.transaction.flow
        board = self.board
        token = board.route_tokens.write(request, board.ways.name(back), target.name)
        values = [_record_route(each, token) for each in (flow, back)]
        return values if values[0] != values[1] else values[:1]

    def _cancel(self, branch: Branch, now: float) -> None:
        leg, flow = self._legs[branch], branch.target.flow
        invite = parse_message(leg.data)
        if flow is None or not isinstance(invite, Request):
            return
        try:
            data = build_cancel(invite)
            self.board.wire.send("CANCEL", data, leg.word, flow, _Nobody(), now)
        except LimitReached:
            # Its time is over all the same, a little later.
            pass

    def _pass_back(self, act: PassBack, now: float) -> None:
        status = act.response.status
        try:
            data = passed_back(act.response, act.more)
        except MalformedField:
            data = None
        if data is not None:
            self.transaction.respond(data, status, now)
        if status >= 200:
            self._finish(None if data is not None else Answer(502))

    def _finish(self, answer: Answer | None) -> None:
        if not self.finished.called:
            self.finished.callback(answer)


def _read(data: bytes) -> Response | None:
    try:
        message = parse_message(data)
    except MalformedMessage:
        return None
    return message if isinstance(message, Response) else None


def _record_route(flow: Flow, token: str) -> str:
    return f"<sip:{token}@{flow.sent_by}{uri_parameter(flow.transport)};lr>"
