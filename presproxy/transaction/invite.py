"""
INVITE client transactions (RFC 3261 §17.1.1).

The table is figure 5 as RFC 6026 §7.2 has it.  What is added: an INVITE whose flow is
closed after a provisional response has failed, for on a stream no other can come.
"""

from __future__ import annotations

import enum

from twisted.logger import Logger

from presproxy.errors import FlowClosed, LimitReached, MalformedField
from presproxy.metrics import has_doubled
from presproxy.sip.flow import Flow
from presproxy.sip.message import MalformedMessage, Request, parse_message
from presproxy.transaction.client import TransactionUser
from presproxy.transaction.derived import build_ack
from presproxy.transaction.tally import Tally
from presproxy.transaction.timers import DelayQueue, Timers

_log = Logger()


class State(enum.Enum):
    """The states of figure 5."""

    CALLING = enum.auto()
    PROCEEDING = enum.auto()
    COMPLETED = enum.auto()
    ACCEPTED = enum.auto()
    TERMINATED = enum.auto()


class Happening(enum.Enum):
    """What happens to an INVITE of ours."""

    #: Timer A.
    DUE = enum.auto()
    #: Timer B.
    TIMED_OUT = enum.auto()
    #: "Transport error", by the figure's name.
    UNSENT = enum.auto()
    PROVISIONAL = enum.auto()
    SUCCESS = enum.auto()
    REFUSAL = enum.auto()
    #: Timers D and M.
    OVER = enum.auto()


class Do(enum.Enum):
    """What is then to be done."""

    NOTHING = enum.auto()
    SEND = enum.auto()
    #: Give the response to the transaction user.
    TELL = enum.auto()
    ACKNOWLEDGE = enum.auto()
    #: Both of these.
    ACKNOWLEDGE_AND_TELL = enum.auto()
    FAIL = enum.auto()


_TABLE: dict[tuple[State, Happening], tuple[State, Do]] = {
    (State.CALLING, Happening.DUE): (State.CALLING, Do.SEND),
    (State.CALLING, Happening.TIMED_OUT): (State.TERMINATED, Do.FAIL),
    (State.CALLING, Happening.UNSENT): (State.TERMINATED, Do.FAIL),
    (State.CALLING, Happening.PROVISIONAL): (State.PROCEEDING, Do.TELL),
    (State.CALLING, Happening.SUCCESS): (State.ACCEPTED, Do.TELL),
    (State.CALLING, Happening.REFUSAL): (State.COMPLETED, Do.ACKNOWLEDGE_AND_TELL),
    (State.PROCEEDING, Happening.UNSENT): (State.TERMINATED, Do.FAIL),
    (State.PROCEEDING, Happening.PROVISIONAL): (State.PROCEEDING, Do.TELL),
    (State.PROCEEDING, Happening.SUCCESS): (State.ACCEPTED, Do.TELL),
    (State.PROCEEDING, Happening.REFUSAL): (State.COMPLETED, Do.ACKNOWLEDGE_AND_TELL),
    (State.COMPLETED, Happening.REFUSAL): (State.COMPLETED, Do.ACKNOWLEDGE),
    (State.COMPLETED, Happening.UNSENT): (State.TERMINATED, Do.NOTHING),
    (State.COMPLETED, Happening.OVER): (State.TERMINATED, Do.NOTHING),
    (State.ACCEPTED, Happening.SUCCESS): (State.ACCEPTED, Do.TELL),
    (State.ACCEPTED, Happening.UNSENT): (State.TERMINATED, Do.NOTHING),
    (State.ACCEPTED, Happening.OVER): (State.TERMINATED, Do.NOTHING),
}


class InviteTransaction:
    """
    One INVITE of ours and where the waiting for its responses stands.

    ``request`` is what was sent.  ``until`` is when timer B, D or M fires, and
    ``interval`` what is waited now before the next look.
    """

    __slots__ = (
        "_request",
        "branch",
        "data",
        "flow",
        "interval",
        "state",
        "until",
        "user",
    )

    def __init__(
        self,
        data: bytes,
        branch: bytes,
        flow: Flow,
        user: TransactionUser,
        interval: float,
        until: float,
    ) -> None:
        self.data = data
        self.branch = branch
        self.flow = flow
        self.user = user
        self.interval = interval
        self.until = until
        self.state = State.CALLING
        self._request: Request | None = None

    @property
    def request(self) -> Request:
        """The INVITE as it was sent."""
        if self._request is None:
            message = parse_message(self.data)
            assert isinstance(message, Request)
            self._request = message
        return self._request

    def happen(self, happening: Happening) -> Do:
        """Move on by one happening.  A pair with no row in the table changes nothing."""
        stay = (self.state, Do.NOTHING)
        self.state, do = _TABLE.get((self.state, happening), stay)
        return do


class InviteTransactions:
    """All INVITEs of ours that responses may come to, at most ``limit``."""

    def __init__(self, timers: Timers, limit: int, tally: Tally) -> None:
        self._timers = timers
        self._limit = limit
        self._tally = tally
        self._waiting: dict[bytes, InviteTransaction] = {}
        self._queue: DelayQueue[InviteTransaction] = DelayQueue()

    def __len__(self) -> int:
        return len(self._waiting)

    def send(
        self,
        data: bytes,
        branch: bytes,
        flow: Flow,
        user: TransactionUser,
        now: float,
    ) -> InviteTransaction:
        """Send an INVITE; see `TransactionLayer.invite`."""
        if len(self._waiting) >= self._limit:
            raise LimitReached("INVITEs waiting for an answer", self._limit)
        timers = self._timers
        transaction = InviteTransaction(
            data, branch, flow, user, timers.t1, now + timers.longest
        )
        self._waiting[branch] = transaction
        # What could not be sent is told with the first look, not to who sends it still.
        self._queue.put(transaction, timers.t1 if self._sent(transaction) else 0.0, now)
        return transaction

    def receive(self, status: int, branch: bytes, data: bytes, now: float) -> None:
        """Give a response to whoever waits for it."""
        transaction = self._waiting.get(branch)
        if transaction is None:
            self._tally.stray.value += 1
            return
        was_accepted = transaction.state is State.ACCEPTED
        if status < 200:
            do = transaction.happen(Happening.PROVISIONAL)
        elif status < 300:
            do = transaction.happen(Happening.SUCCESS)
        else:
            do = transaction.happen(Happening.REFUSAL)
        if do in (Do.ACKNOWLEDGE, Do.ACKNOWLEDGE_AND_TELL):
            self._acknowledge(transaction, data)
        if do in (Do.TELL, Do.ACKNOWLEDGE_AND_TELL):
            if status >= 200 and not was_accepted:
                self._answered(transaction, now)
            self._tell(transaction, status, data, now)

    def tick(self, now: float) -> None:
        """Do what is due: send again, give up, or forget."""
        for transaction in self._queue.tick(now):
            if transaction.state is not State.TERMINATED:
                self._wake(transaction, now)

    # -- Responses -------------------------------------------------------------------

    def _answered(self, transaction: InviteTransaction, now: float) -> None:
        """The first final response came: timer M begins, or timer D."""
        accepted = transaction.state is State.ACCEPTED
        if accepted:
            # It is neither sent again nor acknowledged here.
            transaction.data = b""
        if accepted or not transaction.flow.reliable:
            transaction.until = now + self._timers.longest
        else:
            self._end(transaction, Happening.OVER)

    def _acknowledge(self, transaction: InviteTransaction, data: bytes) -> None:
        try:
            to = parse_message(data).get("to") or ""
            transaction.flow.send(build_ack(transaction.request, to))
        except (FlowClosed, MalformedField, MalformedMessage):
            # It comes again, if whoever sent it wants more of an answer.
            self._tally.undelivered.value += 1

    def _tell(
        self, transaction: InviteTransaction, status: int, data: bytes, now: float
    ) -> None:
        try:
            transaction.user.answered(status, data, now)
        except Exception:
            self._defect("A response to an INVITE was lost on whoever asked")

    # -- Time ------------------------------------------------------------------------

    def _wake(self, transaction: InviteTransaction, now: float) -> None:
        if not transaction.flow.is_open:
            self._fail(transaction, Happening.UNSENT, "its flow is closed", now)
        elif transaction.state is State.CALLING:
            self._call_again(transaction, now)
        elif transaction.state is not State.PROCEEDING and transaction.until <= now:
            self._end(transaction, Happening.OVER)
        else:
            self._queue.put(transaction, self._timers.t2, now)

    def _call_again(self, transaction: InviteTransaction, now: float) -> None:
        """Timers A and B."""
        if transaction.until <= now:
            self._tally.timeouts.value += 1
            self._fail(transaction, Happening.TIMED_OUT, "no answer in time", now)
            return
        transaction.happen(Happening.DUE)
        # Twice as long each time, without the bound of timer E (§17.1.1.2).
        transaction.interval = min(2 * transaction.interval, transaction.until - now)
        self._queue.put(transaction, transaction.interval, now)
        if not transaction.flow.reliable and self._sent(transaction):
            self._tally.sent_again.value += 1

    def _sent(self, transaction: InviteTransaction) -> bool:
        try:
            transaction.flow.send(transaction.data)
        except FlowClosed:
            return False
        return True

    def _fail(
        self,
        transaction: InviteTransaction,
        happening: Happening,
        why: str,
        now: float,
    ) -> None:
        if self._end(transaction, happening) is not Do.FAIL:
            return
        try:
            transaction.user.failed(why, now)
        except Exception:
            self._defect("That an INVITE failed was lost on whoever asked")

    def _end(self, transaction: InviteTransaction, happening: Happening) -> Do:
        do = transaction.happen(happening)
        self._waiting.pop(transaction.branch, None)
        return do

    def _defect(self, what: str) -> None:
        """Report a defect of ours: counted always, logged when the number doubles."""
        defects = self._tally.defects
        defects.value += 1
        if has_doubled(defects.value):
            _log.failure("{what} (defect {count})", what=what, count=defects.value)
