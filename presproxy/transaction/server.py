"""
Server transactions (RFC 3261 §17.2).

The tables are figures 7 and 8, the former as RFC 6026 §7.1 has it.  What is left out: 100
to an INVITE is the transaction user's to send.  What is added: to what is no INVITE the
transaction user has 64 * T1 to answer, after which nobody waits any more and the
transaction is forgotten (RFC 4320 §4.2).

Once it is answered, an unreliable request is remembered without the request, the oldest
forgotten first when there are too many.  On reliable flows timers I and J are 0, and
only INVITEs are remembered: a refused one until its ACK, an accepted one for more 2xx.
"""

from __future__ import annotations

import enum
from collections import OrderedDict

from presproxy.errors import FlowClosed
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.transaction.tally import Tally
from presproxy.transaction.timers import DelayQueue, Timers


class State(enum.IntEnum):
    """The states of figures 7 and 8."""

    TRYING = enum.auto()
    PROCEEDING = enum.auto()
    COMPLETED = enum.auto()
    #: Of an INVITE that had a 2xx.
    ACCEPTED = enum.auto()
    CONFIRMED = enum.auto()
    TERMINATED = enum.auto()


class Happening(enum.IntEnum):
    """What happens to a server transaction."""

    REPEATED = enum.auto()
    ACKNOWLEDGED = enum.auto()
    #: Responses of the transaction user: 1xx, 2xx, 3xx to 6xx.
    PROVISIONAL = enum.auto()
    SUCCESS = enum.auto()
    REFUSAL = enum.auto()
    #: Timer G.
    DUE = enum.auto()
    #: Timers H, I, J and L, a closed flow, or no room left to remember it.
    OVER = enum.auto()


class Do(enum.IntEnum):
    """What is then to be done."""

    NOTHING = enum.auto()
    #: Send the new response, and keep it for next time.
    RESPOND = enum.auto()
    #: Send the last response again, if there was one.
    REPEAT = enum.auto()


Table = dict[tuple[State, Happening], tuple[State, Do]]

#: Figure 8.
NON_INVITE: Table = {
    (State.TRYING, Happening.PROVISIONAL): (State.PROCEEDING, Do.RESPOND),
    (State.TRYING, Happening.SUCCESS): (State.COMPLETED, Do.RESPOND),
    (State.TRYING, Happening.REFUSAL): (State.COMPLETED, Do.RESPOND),
    (State.TRYING, Happening.OVER): (State.TERMINATED, Do.NOTHING),
    (State.PROCEEDING, Happening.REPEATED): (State.PROCEEDING, Do.REPEAT),
    (State.PROCEEDING, Happening.PROVISIONAL): (State.PROCEEDING, Do.RESPOND),
    (State.PROCEEDING, Happening.SUCCESS): (State.COMPLETED, Do.RESPOND),
    (State.PROCEEDING, Happening.REFUSAL): (State.COMPLETED, Do.RESPOND),
    (State.PROCEEDING, Happening.OVER): (State.TERMINATED, Do.NOTHING),
    (State.COMPLETED, Happening.REPEATED): (State.COMPLETED, Do.REPEAT),
    (State.COMPLETED, Happening.OVER): (State.TERMINATED, Do.NOTHING),
}

#: Figure 7.
INVITE: Table = {
    (State.PROCEEDING, Happening.REPEATED): (State.PROCEEDING, Do.REPEAT),
    (State.PROCEEDING, Happening.PROVISIONAL): (State.PROCEEDING, Do.RESPOND),
    (State.PROCEEDING, Happening.SUCCESS): (State.ACCEPTED, Do.RESPOND),
    (State.PROCEEDING, Happening.REFUSAL): (State.COMPLETED, Do.RESPOND),
    (State.PROCEEDING, Happening.OVER): (State.TERMINATED, Do.NOTHING),
    (State.COMPLETED, Happening.REPEATED): (State.COMPLETED, Do.REPEAT),
    (State.COMPLETED, Happening.DUE): (State.COMPLETED, Do.REPEAT),
    (State.COMPLETED, Happening.ACKNOWLEDGED): (State.CONFIRMED, Do.NOTHING),
    (State.COMPLETED, Happening.OVER): (State.TERMINATED, Do.NOTHING),
    (State.CONFIRMED, Happening.OVER): (State.TERMINATED, Do.NOTHING),
    # Each 2xx goes on its way, and whoever sent it sends it again: nothing is repeated.
    (State.ACCEPTED, Happening.SUCCESS): (State.ACCEPTED, Do.RESPOND),
    (State.ACCEPTED, Happening.OVER): (State.TERMINATED, Do.NOTHING),
}

# To look these up in their enumerations takes ten times as long before Python 3.12.
_TRYING, _PROCEEDING, _COMPLETED = State.TRYING, State.PROCEEDING, State.COMPLETED
_SUCCESS, _RESPOND = Happening.SUCCESS, Do.RESPOND

#: The user agent is expected to come again with credentials.
_CHALLENGES = frozenset({401, 407})

#: Octets that one remembered answer takes besides its response and key: 280 by
#: ``tracemalloc``, and as many again for a flow of its own.
_OVERHEAD = 560


class Answering:
    """
    Where the answering of one request stands.

    ``response`` is the last one sent, ``flow`` where responses go, and ``until`` when
    it is to be forgotten.  ``challenged`` is a hash of the request that was answered 401
    or 407: what has another one is a new request (see `presproxy.transaction.matching`).
    """

    __slots__ = (
        "challenged",
        "flow",
        "interval",
        "key",
        "response",
        "state",
        "table",
        "until",
        "waited",
    )

    def __init__(self, key: str, method: str, flow: Flow, until: float) -> None:
        self.key = key
        self.flow = flow
        self.until = until
        if method == "INVITE":
            self.table, self.state = INVITE, State.PROCEEDING
        else:
            self.table, self.state = NON_INVITE, _TRYING
        self.response = b""
        self.challenged: int | None = None
        self.interval = self.waited = 0.0

    def happen(self, happening: Happening) -> Do:
        """Move on by one happening.  A pair with no row in the table changes nothing."""
        row = self.table.get((self.state, happening))
        if row is None:
            return Do.NOTHING
        self.state, do = row
        return do

    def is_of(self, data: bytes) -> bool:
        """Whether ``data`` is this request again, given that it has the same key."""
        return self.challenged is None or self.challenged == hash(data)

    @property
    def size(self) -> int:
        """The octets it takes to remember it, roughly."""
        return len(self.response) + len(self.key) + _OVERHEAD


class ServerTransaction:
    """
    One new request, to be answered once.

    ``flow`` is the one it came by, ``arrived`` when.
    """

    __slots__ = ("_answering", "_data", "_transactions", "arrived", "flow", "request")

    def __init__(
        self,
        request: Request,
        data: bytes,
        flow: Flow,
        arrived: float,
        answering: Answering,
        transactions: ServerTransactions,
    ) -> None:
        self.request = request
        self.flow = flow
        self.arrived = arrived
        self._data = data
        self._answering = answering
        self._transactions = transactions

    @property
    def key(self) -> str:
        """What it has in common with its retransmissions, its ACK and its CANCEL."""
        return self._answering.key

    @property
    def is_answered(self) -> bool:
        """Whether there was a final response, or it is too late for one."""
        return self._answering.state >= State.COMPLETED

    def respond(self, response: bytes, status: int, now: float) -> None:
        """
        Send a response of ``status``.

        One after a final one, or after 64 * T1, goes nowhere, but for a 2xx that follows
        another to an INVITE.  So does one whose flow is closed.
        """
        answering = self._answering
        if status in _CHALLENGES and not self.is_answered:
            answering.challenged = hash(self._data)
        self._transactions.respond(answering, response, status, now)

    def let_go(self) -> None:
        """
        Keep the request no longer, once it was answered.

        Further 2xx to an INVITE may still follow, for half a minute, and need none of it.
        """
        del self.request
        self._data = b""


class ServerTransactions:
    """
    All requests which are being answered, and those which were a short while ago.

    At most ``limit`` are being answered; at most ``remembered`` answers are kept, of at
    most ``octets`` together.
    """

    def __init__(
        self, timers: Timers, limit: int, remembered: int, octets: int, tally: Tally
    ) -> None:
        self._timers = timers
        self._longest = timers.longest
        self._limit = limit
        self._remembered = remembered
        self._octets = octets
        self._tally = tally
        self._open: dict[str, Answering] = {}
        #: In the order in which they are to be forgotten.
        self._answered: OrderedDict[str, Answering] = OrderedDict()
        self._size = 0
        self._queue: DelayQueue[Answering] = DelayQueue()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def is_full(self) -> bool:
        """Whether no more can be taken."""
        return len(self._open) >= self._limit

    @property
    def remembered(self) -> int:
        """The number of answers kept to be sent again."""
        return len(self._answered)

    @property
    def octets(self) -> int:
        """What these take, roughly."""
        return self._size

    def find(self, key: str) -> Answering | None:
        """Give what has this key."""
        return self._open.get(key) or self._answered.get(key)

    def begin(
        self,
        key: str,
        request: Request,
        data: bytes,
        flow: Flow,
        back: Flow,
        now: float,
    ) -> ServerTransaction:
        """Begin to answer a request which came by ``flow``, with responses to ``back``."""
        answering = Answering(key, request.method, back, now + self._longest)
        self._open[key] = answering
        return ServerTransaction(request, data, flow, now, answering, self)

    def repeat(self, answering: Answering) -> None:
        """A request came again."""
        if answering.happen(Happening.REPEATED) is Do.REPEAT and answering.response:
            self._send_again(answering)

    def acknowledge(self, answering: Answering, now: float) -> bool:
        """An ACK came; whether it is for this transaction, and not for who accepted."""
        if answering.state is State.ACCEPTED:
            return False
        before = answering.state
        answering.happen(Happening.ACKNOWLEDGED)
        if answering.state is not before:
            if answering.flow.reliable:
                self._forget(answering)
            else:
                answering.until = now + self._timers.t4
                self._queue.put(answering, self._timers.t4, now)
        return True

    def respond(
        self, answering: Answering, response: bytes, status: int, now: float
    ) -> None:
        """Send the response of a transaction user."""
        if status < 200:
            happening = Happening.PROVISIONAL
        elif status < 300:
            happening = _SUCCESS
        else:
            happening = Happening.REFUSAL
        if answering.happen(happening) is not _RESPOND:
            return
        answering.response = response
        if answering.state is not _PROCEEDING:
            self._keep(answering, now)
        try:
            answering.flow.send(response)
        except FlowClosed:
            self._tally.undelivered.value += 1

    def tick(self, now: float) -> None:
        """Do what is due: send again, and forget."""
        for answering in self._queue.tick(now):
            self._wake(answering, now)
        late = []
        for answering in self._open.values():
            if answering.until > now:
                break
            late.append(answering)
        for answering in late:
            del self._open[answering.key]
            if answering.table is INVITE:
                # It may ring for long: to give it up is the transaction user's.
                answering.until = now + self._longest
                self._open[answering.key] = answering
            else:
                self._tally.unanswered.value += 1
                answering.happen(Happening.OVER)
        while self._answered:
            answering = next(iter(self._answered.values()))
            if answering.until > now:
                break
            self._forget(answering)

    def _keep(self, answering: Answering, now: float) -> None:
        """It has a final response: remember it, if something of it may come again."""
        if answering.state is State.ACCEPTED:
            answering.response = b""
            if self._open.pop(answering.key, None) is not None:
                self._remember(answering, now)
            return
        del self._open[answering.key]
        if answering.table is INVITE or not answering.flow.reliable:
            self._remember(answering, now)

    def _remember(self, answering: Answering, now: float) -> None:
        answered = self._answered
        answering.until = now + self._longest
        old = answered.get(answering.key)
        if old is not None:
            self._forget(old)
        answered[answering.key] = answering
        self._size += answering.size
        while self._size > self._octets or len(answered) > self._remembered:
            self._forget(next(iter(answered.values())))
        if answering.table is INVITE and answering.state is _COMPLETED:
            answering.interval = self._timers.t1
            self._queue.put(answering, self._timers.t1, now)

    def _forget(self, answering: Answering) -> None:
        answering.happen(Happening.OVER)
        del self._answered[answering.key]
        self._size -= answering.size

    def _wake(self, answering: Answering, now: float) -> None:
        """Timers G, H and I of a refused INVITE."""
        if answering.state is State.CONFIRMED:
            # Timer G may still come once; it is before ``until``.
            if answering.until <= now:
                self._forget(answering)
        elif answering.happen(Happening.DUE) is Do.REPEAT:
            answering.waited += answering.interval
            interval = self._timers.following(answering.interval, answering.waited)
            if not interval:
                self._tally.unacknowledged.value += 1
                self._forget(answering)
                return
            answering.interval = interval
            self._queue.put(answering, interval, now)
            if not answering.flow.reliable:
                self._send_again(answering)

    def _send_again(self, answering: Answering) -> None:
        try:
            answering.flow.send(answering.response)
        except FlowClosed:
            self._tally.undelivered.value += 1
        else:
            self._tally.sent_again.value += 1
