"""
One request on its way through: its branches, and the responses that come back.

What is to be done is decided by `presproxy.proxying.context`; here it is done, with the
transactions of both sides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from presproxy.errors import LimitReached, MalformedField
from presproxy.proxying.branches import Branch, State, Target
from presproxy.proxying.context import (
    Act,
    Cancel,
    Context,
    KeepSilent,
    Open,
    PassBack,
    Respond,
)
from presproxy.proxying.forward import ASSERTED, passed_back
from presproxy.proxying.inspect import Passage
from presproxy.server.answer import RETRY_AFTER, Answer
from presproxy.server.copying import Copier, Manner
from presproxy.sip.flow import Flow
from presproxy.sip.message import (
    MalformedMessage,
    Request,
    Response,
    build_response,
    parse_message,
)
from presproxy.sip.tokens import Tokens
from presproxy.transaction.client import Sender, TransactionUser
from presproxy.transaction.derived import build_cancel
from presproxy.transaction.server import ServerTransaction

_log = Logger()

_ASSERTED = ASSERTED.lower()


class Wire(Sender, Protocol):
    """What is needed of the transactions; see `TransactionLayer`."""

    def invite(
        self, data: bytes, branch: str, flow: Flow, user: TransactionUser, now: float
    ) -> object:
        """Send an INVITE."""


@attrs.frozen(eq=False)
class Switchboard:
    """
    What all requests on their way share.

    ``watch`` has a branch looked at until it is over; ``ticks`` is the clock of
    transactions.
    """

    wire: Wire
    copier: Copier
    tokens: Tokens
    watch: Callable[[Leg, float], None]
    ticks: Callable[[], float]


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
        self.relayed.failed(self.branch, why, now)


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
    #: Whose it is counted as, once that is known.
    sender: str | None = attrs.field(default=None, init=False)
    _passage: Passage = attrs.field(default=None, init=False)
    _manner: Manner = attrs.field(factory=Manner, init=False)
    _context: Context | None = attrs.field(default=None, init=False)
    _legs: dict[Branch, Leg] = attrs.field(factory=dict, init=False)
    #: Of responses that may go back: who is asserted to have sent them.
    _asserted: dict[Response, Sequence[str]] = attrs.field(factory=dict, init=False)

    @property
    def request(self) -> Request:
        """The request as it came."""
        return self.transaction.request

    # -- What happens ----------------------------------------------------------------

    def begin(
        self,
        passage: Passage,
        targets: Iterable[Target],
        now: float,
        manner: Manner | None = None,
    ) -> None:
        """Pass it on; raises `NotForwarded` if it may not go to so many."""
        is_invite = self.request.method == "INVITE"
        self._passage = passage
        if manner is not None:
            self._manner = manner
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
        context, detour = self._context, branch.target.detour
        if context is None:
            return
        if detour is not None and status != 503:
            detour.heard()
        if response is not None and response.has(_ASSERTED):
            self._asserted[response] = self._manner.told(branch.target, response)
        if response is None:
            if status >= 200:
                self._do(context.fail(branch, 502, now), now)
        elif status < 200:
            self._do(context.provisional(branch, response, now), now)
            self._asserted.pop(response, None)  # It went back by now, or never will.
        elif status == 430 and self._by_another_flow(branch, now):
            return
        elif detour is not None and status == 503:
            found = detour.after_refusal(_retry_after(response))
            self._try_elsewhere(branch, found, partial(context.final, branch, response))
        else:
            self._do(context.final(branch, response, now), now)

    def failed(self, branch: Branch, why: str, now: float) -> None:
        """No response will come by a branch."""
        context, target = self._context, branch.target
        if context is None:
            return
        if not target.is_open and self._by_another_flow(branch, now):
            return
        if target.detour is None or not branch.is_open:
            status = 408 if target.is_open else 480
            self._do(context.fail(branch, status, now), now)
        elif target.is_open:
            self._leave(branch, target.detour.after_silence(why), 408)
        else:
            self._leave(branch, target.detour.after_close(), 503)

    def silent(self, branch: Branch, now: float) -> None:
        """Nobody who is called was heard by a branch yet: is the server there?"""
        detour = branch.target.detour
        if detour is None:
            return
        if detour.is_gone:
            if self.request.method == "INVITE" and branch.state is State.PROCEEDING:
                # It may have come farther than we have heard.
                self._cancel(branch, now)
            self._leave(branch, detour.after_silence("no answer to OPTIONS"), 503)
        else:
            detour.doubt()

    def _leave(
        self, branch: Branch, found: Awaitable[Target | None], status: int
    ) -> None:
        """Nobody answers by a way to a server: behave as if with a status, or try another."""
        context, detour = self._context, branch.target.detour

        def fail(now: float) -> Sequence[Act]:
            if context is None:
                return ()
            is_lasting = detour is not None and detour.is_away
            return context.fail(branch, status, now, is_lasting=is_lasting)

        self._try_elsewhere(branch, found, fail)

    def _by_another_flow(self, branch: Branch, now: float) -> bool:
        """
        Try another flow to the same user agent, as one has failed; say if there is one.

        It begins again where nothing was heard (RFC 5626 §6).
        """
        context, others = self._context, branch.target.others
        if context is None or not others:
            return False
        target = attrs.evolve(others[0], others=others[1:])
        acts = context.move_on(branch, target, now)
        self._do(acts, now)
        return bool(acts)

    def unheard(self, branch: Branch) -> None:
        """Nothing was heard by a branch for a while, and there may be another way."""
        detour, context = branch.target.detour, self._context
        if detour is not None and context is not None and detour.has_other:
            found = detour.after_silence("no answer for a while")
            self._try_elsewhere(branch, found, lambda now: [])

    def _try_elsewhere(
        self,
        branch: Branch,
        found: Awaitable[Target | None],
        otherwise: Callable[[float], Sequence[Act]],
    ) -> None:
        """Try the next way to a server; what is to happen if there is none is said."""

        async def go_on() -> None:
            target, now = await found, self.board.ticks()
            acts: Sequence[Act] = ()
            if target is not None and self._context is not None:
                acts = self._context.move_on(branch, target, now)
            self._do(acts or otherwise(now), now)

        self._in_background(go_on())

    def _in_background(self, coroutine: Coroutine[Deferred[Any], Any, None]) -> None:
        """Do what is waited for by nobody; a defect in it ends the request."""

        def defect(failure: Failure) -> None:
            _log.failure("A request was lost on its way", failure=failure)
            self._finish(Answer(500))

        Deferred.fromCoroutine(coroutine).addErrback(defect)

    def overdue(self, branch: Branch, now: float) -> None:
        """The time of a branch is over."""
        if self._context is not None:
            self._do(self._context.overdue(branch, now), now)

    def cancel(self, now: float) -> None:
        """Whoever sent it wants no answer any more."""
        self.is_cancelled = True
        if self._context is not None:
            self._do(self._context.cancel(now), now)

    def let_go(self) -> None:
        """
        Keep no more than what a further 2xx needs, if nothing else can come.

        It is here for half a minute still, and there may be thousands.
        """
        if self._context is not None and self._context.is_over:
            self.transaction.let_go()
            for leg in self._legs.values():
                leg.data = b""
            self._legs.clear()
            self._manner = Manner()

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
                    fields = RETRY_AFTER if act.status == 503 else ()
                    self._finish(Answer(act.status, fields))
                case KeepSilent():
                    self._finish(None)

    def _open(self, branch: Branch, now: float) -> None:
        flow, board = branch.target.flow, self.board
        word = f"{board.tokens.branch()}.{self.signature}"
        leg = self._legs[branch] = Leg(self, branch, word)
        if flow is not None and self._passage.is_secure and not flow.is_secure:
            self._fail(branch, 480, now)
            return
        try:
            if flow is None:
                raise LimitReached("flows to a contact that has none", 0)
            leg.data = board.copier.copy(
                self.transaction, self._passage, self._manner, branch, flow, word
            )
            self._send(leg, flow, now)
        except (LimitReached, MalformedField):
            self._fail(branch, 503, now)
        else:
            board.watch(leg, now)

    def _fail(self, branch: Branch, status: int, now: float) -> None:
        if self._context is not None:
            self._do(self._context.fail(branch, status, now), now)

    def _send(self, leg: Leg, flow: Flow, now: float) -> None:
        wire, method = self.board.wire, self.request.method
        if method == "INVITE":
            wire.invite(leg.data, leg.word, flow, leg, now)
        else:
            wire.send(method, leg.data, leg.word, flow, leg, now)

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
            asserted = self._asserted.pop(act.response, ())
            told = tuple((ASSERTED, value) for value in asserted)
            more = self._manner.more(act.response) if 200 <= status < 300 else ()
            data = passed_back(act.response, act.more + told + more)
        except MalformedField:
            data = None
        accepted = self._manner.accepted
        if data is not None and accepted is not None and 200 <= status < 300:
            self._in_background(self._keep(accepted, act.response, data))
            return
        if data is not None:
            self.transaction.respond(data, status, now)
        if status >= 200:
            self._finish(None if data is not None else Answer(502))

    async def _keep(
        self,
        accepted: Callable[[Response], Awaitable[Answer | None]],
        response: Response,
        data: bytes,
    ) -> None:
        """Pass back what was accepted once it is kept here, too; or our own refusal."""
        refusal = await accepted(response)
        if refusal is None:
            self.transaction.respond(data, response.status, self.board.ticks())
        self._finish(refusal)

    def _finish(self, answer: Answer | None) -> None:
        if not self.finished.called:
            self.finished.callback(answer)


def _read(data: bytes) -> Response | None:
    try:
        message = parse_message(data)
    except MalformedMessage:
        return None
    return message if isinstance(message, Response) else None


def _retry_after(response: Response) -> float | None:
    """Give the seconds of Retry-After, if there is one that can be read."""
    text = (response.get("retry-after") or "").partition(";")[0].partition("(")[0]
    return float(text) if text.strip().isdecimal() else None
