"""
The core of the user agent server: from a request to its answer.

Each request is one coroutine, which walks a short list of steps: admit, identify, and the
step of its method; or it is passed on.  Whatever goes wrong on the way is answered, counted, and stops
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from presproxy.errors import PresproxyError
from presproxy.metrics import Counter, Histogram, Metrics, has_doubled
from presproxy.server.admit import Door
from presproxy.server.answer import RETRY_AFTER, Answer, Refusal, for_now
from presproxy.server.answers import answer_to
from presproxy.server.diagnostics import with_diagnosis
from presproxy.server.exchange import Exchange
from presproxy.server.identify import Identifier
from presproxy.server.proxy import Proxy
from presproxy.sip.flow import Flow
from presproxy.sip.message import build_response
from presproxy.sip.tokens import Tokens
from presproxy.trace import Tap
from presproxy.transaction.layer import TransactionLayer
from presproxy.transaction.server import ServerTransaction

_log = Logger()


class Step(Protocol):
    """What serves one method, and whether it must know the sender."""

    identifies: ClassVar[bool]

    async def serve(self, exchange: Exchange) -> Answer:
        """Answer, or raise a `Refusal` or an error that has a row in the table."""


@attrs.define(eq=False)
class Core:
    """
    The transaction user of requests.

    ``ticks`` is the clock of latencies and transactions.
    """

    layer: TransactionLayer
    door: Door
    identifier: Identifier
    steps: Mapping[str, Step]
    proxy: Proxy
    tokens: Tokens
    ticks: Callable[[], float]
    metrics: Metrics
    tap: Tap = attrs.field(factory=Tap)
    _defects: Counter = attrs.field(init=False)
    _took: Histogram = attrs.field(init=False)
    _answers: dict[int, Counter] = attrs.field(factory=dict, init=False)
    _under_way: set[ServerTransaction] = attrs.field(factory=set, init=False)
    #: Those of them that wait for others to answer.
    _passed_on: set[ServerTransaction] = attrs.field(factory=set, init=False)
    #: Fires when the last one is answered, once nothing new is taken.
    _finished: Deferred[None] | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._defects = self.metrics.counter(
            "defects", "Requests that ended in an error nobody expected."
        )
        self._took = self.metrics.histogram(
            "request_seconds", "From the arrival of a request to its final response."
        )
        self.metrics.gauge(
            "requests_under_way",
            "Requests that are being served.",
            lambda: len(self._under_way) - len(self._passed_on),
        )

    def receive(self, data: bytes, flow: Flow, arrived: float | None = None) -> None:
        """Take one message, which has waited if it did not arrive now."""
        now = self.ticks()
        try:
            transaction = self.layer.receive(data, flow, now)
        except Exception:
            self._defect("A message could not be taken")
            return
        if transaction is not None:
            transaction.arrived = now if arrived is None else arrived
            _go_on(None, self._serve(transaction))

    def finish(self) -> Deferred[None]:
        """
        Take nothing new, and answer when all that was taken is answered.

        What comes from now on is refused for now.  What was passed on is not waited for: a
        phone may ring for long.  Called once.
        """
        self._finished = Deferred()
        self._end_if_finished()
        return self._finished

    def close(self) -> None:
        """Refuse for now what is still under way."""
        for transaction in tuple(self._under_way):
            self._refuse(transaction, for_now("The server stops").answer)
        self._under_way.clear()
        self._passed_on.clear()
        self.proxy.close()

    async def _serve(self, transaction: ServerTransaction) -> None:
        """Serve one request; the root of its coroutine, so nothing is raised from here."""
        self._under_way.add(transaction)
        try:
            answer = await self._answer(transaction)
            if answer is not None and transaction in self._under_way:
                self._respond(transaction, answer)
                if answer.then is not None:
                    self._follow(answer.then, transaction.arrived)
        except Exception:
            self._defect("A request could not be answered as it should")
            if not transaction.is_answered:
                self._refuse(transaction, Answer(500, RETRY_AFTER))
        finally:
            self._under_way.discard(transaction)
            self._passed_on.discard(transaction)
            if self._finished is not None:
                self._end_if_finished()

    def _follow(self, then: Callable[[], None], arrived: float) -> None:
        """Do what follows on an answer; what is sent by it was caused by the request."""
        self.tap.cause = arrived
        try:
            then()
        finally:
            self.tap.cause = 0.0

    def _end_if_finished(self) -> None:
        finished = self._finished
        if finished is None or finished.called:
            return
        if len(self._under_way) == len(self._passed_on):
            finished.callback(None)

    async def _answer(self, transaction: ServerTransaction) -> Answer | None:
        """Give the answer; None if what was passed on has been answered by others."""
        exchange = Exchange(transaction.request, transaction.flow, transaction.arrived)
        try:
            if self._finished is not None:
                raise for_now("The server stops")
            if self.proxy.takes(exchange.request, exchange.flow):
                self._passed_on.add(transaction)
                return await self.proxy.serve(exchange, transaction)
            self.door.admit(exchange)
            step = self.steps[exchange.request.method]
            if step.identifies:
                exchange.identity = await self.identifier.identify(exchange)
            return await step.serve(exchange)
        except Refusal as refusal:
            return refusal.answer
        except PresproxyError as error:
            answer = answer_to(error)
            if answer is None:
                raise
            return answer

    def _refuse(self, transaction: ServerTransaction, answer: Answer) -> None:
        """Answer where nobody is left to catch what goes wrong."""
        try:
            self._respond(transaction, answer)
        except Exception:
            self._defect("A request could not be answered at all")

    def _respond(self, transaction: ServerTransaction, answer: Answer) -> None:
        if answer.status >= 400:
            answer = with_diagnosis(transaction.request, answer, transaction.flow)
        response = build_response(
            transaction.request,
            answer.status,
            answer.fields,
            answer.body,
            content_type=answer.content_type,
            to_tag=answer.to_tag or self.tokens.tag(),
            reason=answer.reason,
        )
        now = self.ticks()
        transaction.respond(response, answer.status, now)
        self._took.observe(now - transaction.arrived)
        self._counter(answer.status).value += 1

    def _counter(self, status: int) -> Counter:
        counter = self._answers.get(status)
        if counter is None:
            counter = self._answers[status] = self.metrics.counter(
                "answers", "Final responses sent.", status=str(status)
            )
        return counter

    def _defect(self, what: str) -> None:
        """Report a defect of ours: counted always, logged each time the number doubles."""
        self._defects.value += 1
        count = self._defects.value
        if has_doubled(count):
            _log.failure("{what} (defect {count})", what=what, count=count)


def _go_on(result: object, request: Coroutine[Deferred[Any], Any, None]) -> None:
    """
    Take a request on with what it waited for, to its end or to what it waits for next.

    Nobody waits for a request as a whole or cancels it, so that it needs no Deferred and
    no context of its own, which are a tenth of what a PUBLISH costs.
    """
    try:
        if isinstance(result, Failure):
            waited_for = result.throwExceptionIntoGenerator(request)
        else:
            waited_for = request.send(None)
    except StopIteration:
        return
    waited_for.addBoth(_go_on, request)
