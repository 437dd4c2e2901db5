"""
Non-INVITE client transactions (RFC 3261 §17.1.2).

The table is figure 6.  What is not here: the INVITE client transaction, and the state
Completed, in which timer K would keep a transaction for T4 to absorb repeated responses.
A response which belongs to no transaction is dropped all the same, so that an answered
transaction is let go of at once.
"""

from __future__ import annotations

import enum
from typing import Protocol

from twisted.logger import Logger

from presproxy.errors import FlowClosed, LimitReached
from presproxy.metrics import has_doubled
from presproxy.sip.flow import Flow
from presproxy.transaction.tally import Tally
from presproxy.transaction.timers import DelayQueue, Timers

_log = Logger()

#: Requests that are sent again, or given up, in one turn.  To send one costs 5 µs, and to
#: end what it was for perhaps 100.
_IN_ONE_TURN = 100


class TransactionUser(Protocol):
    """Who sent a request and waits for its answer."""

    def answered(self, status: int, data: bytes, now: float) -> None:
        """
        Hear of a response, of which ``data`` is the whole message.

        Called any number of times with a provisional ``status`` and then once with a
        final one, unless `failed` comes first.
        """

    def failed(self, why: str, now: float) -> None:
        """
        Hear that no response will come: nobody answered in time, or the flow is closed.

        Called once, and never from within `ClientTransactions.send`.
        """


class Sender(Protocol):
    """Who sends requests for their users; see `TransactionLayer`."""

    def send(
        self,
        method: str,
        data: bytes,
        branch: str | bytes,
        flow: Flow,
        user: TransactionUser,
        now: float,
    ) -> ClientTransaction:
        """Send a request that is no INVITE."""


class State(enum.IntEnum):
    """The states of figure 6, without Completed."""

    TRYING = enum.auto()
    PROCEEDING = enum.auto()
    TERMINATED = enum.auto()


class Happening(enum.IntEnum):
    """What happens to a client transaction."""

    #: Timer E.
    DUE = enum.auto()
    #: Timer F.
    TIMED_OUT = enum.auto()
    #: "Transport error", by the figure's name.
    UNSENT = enum.auto()
    PROVISIONAL = enum.auto()
    FINAL = enum.auto()
    ABANDONED = enum.auto()


class Do(enum.IntEnum):
    """What is then to be done."""

    NOTHING = enum.auto()
    SEND = enum.auto()
    #: Give the response to the transaction user.
    TELL = enum.auto()
    FAIL = enum.auto()


_TABLE: dict[tuple[State, Happening], tuple[State, Do]] = {
    (State.TRYING, Happening.DUE): (State.TRYING, Do.SEND),
    (State.TRYING, Happening.TIMED_OUT): (State.TERMINATED, Do.FAIL),
    (State.TRYING, Happening.UNSENT): (State.TERMINATED, Do.FAIL),
    (State.TRYING, Happening.PROVISIONAL): (State.PROCEEDING, Do.TELL),
    (State.TRYING, Happening.FINAL): (State.TERMINATED, Do.TELL),
    (State.TRYING, Happening.ABANDONED): (State.TERMINATED, Do.NOTHING),
    (State.PROCEEDING, Happening.DUE): (State.PROCEEDING, Do.SEND),
    (State.PROCEEDING, Happening.TIMED_OUT): (State.TERMINATED, Do.FAIL),
    (State.PROCEEDING, Happening.UNSENT): (State.TERMINATED, Do.FAIL),
    (State.PROCEEDING, Happening.PROVISIONAL): (State.PROCEEDING, Do.TELL),
    (State.PROCEEDING, Happening.FINAL): (State.TERMINATED, Do.TELL),
    (State.PROCEEDING, Happening.ABANDONED): (State.TERMINATED, Do.NOTHING),
}


# To look these up in their enumerations takes ten times as long before Python 3.12.
_TRYING, _TERMINATED = State.TRYING, State.TERMINATED
_FINAL, _TELL = Happening.FINAL, Do.TELL


class ClientTransaction:
    """
    One request of ours and where the waiting for its response stands.

    ``data`` is what is sent again, nothing on a reliable flow.  ``interval`` is the one
    it waits now, and ``waited`` the sum of those before.
    """

    __slots__ = ("data", "flow", "interval", "key", "state", "user", "waited")

    def __init__(
        self,
        key: tuple[bytes, bytes],
        data: bytes,
        flow: Flow,
        user: TransactionUser,
        interval: float,
    ) -> None:
        self.key = key
        self.data = data
        self.flow = flow
        self.user = user
        self.interval = interval
        self.waited = 0.0
        self.state = _TRYING

    def happen(self, happening: Happening) -> Do:
        """Move on by one happening.  After the end, nothing happens any more."""
        row = _TABLE.get((self.state, happening))
        if row is None:
            return Do.NOTHING
        self.state, do = row
        return do

    @property
    def is_alive(self) -> bool:
        """Whether a response is still waited for."""
        return self.state is not _TERMINATED


class ClientTransactions:
    """
    All requests of ours which wait for a response, at most ``limit``.

    What is sent on a reliable flow goes the same way from delay to delay, only that
    nothing is sent again: so a flow that was closed is noticed, and an answered
    transaction is not kept waiting for timer F.
    """

    def __init__(self, timers: Timers, limit: int, tally: Tally) -> None:
        self._timers = timers
        self._limit = limit
        self._tally = tally
        #: By branch and method (RFC 3261 §17.1.3).
        self._waiting: dict[tuple[bytes, bytes], ClientTransaction] = {}
        self._queue: DelayQueue[ClientTransaction] = DelayQueue()
        self._unsent: list[tuple[ClientTransaction, str]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def send(
        self,
        method: bytes,
        data: bytes,
        branch: bytes,
        flow: Flow,
        user: TransactionUser,
        now: float,
    ) -> ClientTransaction:
        """Send a request; see `TransactionLayer.send`."""
        if len(self._waiting) >= self._limit:
            raise LimitReached("client transactions", self._limit)
        key = (branch, method)
        interval = self._timers.t1
        kept = b"" if flow.reliable else data
        transaction = ClientTransaction(key, kept, flow, user, interval)
        self._waiting[key] = transaction
        self._queue.put(transaction, interval, now)
        try:
            flow.send(data)
        except FlowClosed as error:
            # Told with the next tick, so that no user is told of a request while he is
            # still in the midst of sending it.
            self._unsent.append((transaction, str(error)))
        return transaction

    def receive(
        self, status: int, branch: bytes, method: bytes, data: bytes, now: float
    ) -> None:
        """Give a response to whoever waits for it."""
        key = (branch, method)
        transaction = self._waiting.get(key)
        if transaction is None:
            self._tally.stray.value += 1
            return
        if status < 200:
            do = transaction.happen(Happening.PROVISIONAL)
        else:
            do = transaction.happen(_FINAL)
            del self._waiting[key]
            # It stays in the queue until its delay is over, and its message need not.
            transaction.data = b""
        if do is _TELL:
            try:
                transaction.user.answered(status, data, now)
            except Exception:
                self._defect("A response was lost on whoever asked")

    def abandon(self, transaction: ClientTransaction) -> None:
        """Wait no longer; the transaction user hears nothing more."""
        transaction.happen(Happening.ABANDONED)
        self._waiting.pop(transaction.key, None)

    def tick(self, now: float) -> bool:
        """Do what is due: send again, or give up.  Say whether some of it is left."""
        unsent, self._unsent = self._unsent, []
        for transaction, why in unsent:
            self._fail(transaction, Happening.UNSENT, why, now)
        left = _IN_ONE_TURN
        for transaction in self._queue.due(now):
            if transaction.is_alive:
                self._wake(transaction, now)
                left -= 1
                if not left:
                    return True
        return False

    def _wake(self, transaction: ClientTransaction, now: float) -> None:
        timers = self._timers
        transaction.waited += transaction.interval
        if transaction.state is State.PROCEEDING:
            transaction.interval = timers.t2
        interval = timers.following(transaction.interval, transaction.waited)
        if not interval:
            self._tally.timeouts.value += 1
            self._fail(transaction, Happening.TIMED_OUT, "no answer in time", now)
        elif not transaction.flow.is_open:
            why = f"{transaction.flow} is closed"
            self._fail(transaction, Happening.UNSENT, why, now)
        else:
            transaction.interval = interval
            self._queue.put(transaction, interval, now)
            self._send_again(transaction, now)

    def _send_again(self, transaction: ClientTransaction, now: float) -> None:
        do = transaction.happen(Happening.DUE)
        if do is not Do.SEND or transaction.flow.reliable:
            return
        try:
            transaction.flow.send(transaction.data)
        except FlowClosed as error:
            self._fail(transaction, Happening.UNSENT, str(error), now)
        else:
            self._tally.sent_again.value += 1

    def _fail(
        self, transaction: ClientTransaction, happening: Happening, why: str, now: float
    ) -> None:
        if transaction.happen(happening) is not Do.FAIL:
            return
        self._waiting.pop(transaction.key, None)
        try:
            transaction.user.failed(why, now)
        except Exception:
            self._defect("That a request failed was lost on whoever asked")

    def _defect(self, what: str) -> None:
        """Report a defect of ours: counted always, logged when the number doubles."""
        defects = self._tally.defects
        defects.value += 1
        if has_doubled(defects.value):
            _log.failure("{what} (defect {count})", what=what, count=defects.value)
