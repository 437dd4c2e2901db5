"""
The transaction layer (RFC 3261 §17): messages and time in, messages out.

It sits between the transports and whoever asks or answers.  It knows no socket and no
clock: a message comes with the flow it came by and the moment it came.

On its way is each response to a NOTIFY, which is never read further than
`presproxy.sip.message.peek_response` does.
"""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from presproxy.errors import FlowClosed, MalformedField
from presproxy.metrics import Metrics
from presproxy.sip.diagnostics import (
    SIP_STACK,
    diagnosis,
    host_of,
    reads_diagnoses,
)
from presproxy.sip.flow import Flow
from presproxy.sip.message import (
    MalformedMessage,
    Request,
    Response,
    build_response,
    parse_message,
    peek_response,
)
from presproxy.sip.status import reason
from presproxy.transaction.client import (
    ClientTransaction,
    ClientTransactions,
    TransactionUser,
)
from presproxy.transaction.invite import InviteTransaction, InviteTransactions
from presproxy.transaction.matching import key_of, way_back
from presproxy.transaction.refusal import read_usual, retry_after
from presproxy.transaction.server import (
    Answering,
    ServerTransaction,
    ServerTransactions,
)
from presproxy.transaction.tally import Tally
from presproxy.transaction.timers import Timers

#: Shorter datagrams are keep-alives of one kind or another: CRLF CRLF, a NUL, or what a
#: router's application layer gateway makes of them.
_SHORTEST = 5

#: Characters; a longer reason phrase helps nobody.
_LONGEST_PHRASE = 160

#: How far the first line is looked at to say what cannot be read.
_LONGEST_LINE = 2048


class TransactionLayer:
    """
    All transactions of one node.

    ``clients`` and ``servers`` bound how many requests of ours wait for a response, and
    how many of others' wait for ours.  ``remembered`` and ``octets`` bound the answers
    kept to be sent again.  With ``to_source``, every response goes to the port its
    request came from, as if all had asked for that by ``rport``.
    """

    def __init__(
        self,
        timers: Timers | None = None,
        *,
        clients: int = 100_000,
        servers: int = 20_000,
        remembered: int = 30_000,
        octets: int = 32 * 2**20,
        to_source: bool = False,
        metrics: Metrics | None = None,
    ) -> None:
        timers = timers or Timers()
        metrics = metrics or Metrics()
        self._to_source = to_source
        self._tally = Tally(metrics)
        self._clients = ClientTransactions(timers, clients, self._tally)
        self._invites = InviteTransactions(timers, clients, self._tally)
        self._acknowledged: Callable[[Request, Flow, float], None] | None = None
        self._servers = ServerTransactions(
            timers, servers, remembered, octets, self._tally
        )
        self._measure(metrics)

    def receive(
        self, data: bytes, flow: Flow, now: float, *, is_late: bool = False
    ) -> ServerTransaction | None:
        """
        Take a whole message that came by ``flow``.

        Answers the transaction of a new request.  None is all else: a response, a
        retransmission, an ACK, a keep-alive; or what could not be read or not be taken,
        and was answered 400 or 503 here if it had a way back.  With ``is_late`` every
        new request is answered 503.
        """
        peeked = peek_response(data)
        if peeked is not None:
            status, branch, method = peeked
            self._tally.response(status)
            # As `_give` does, without the call: most of what comes are these.
            if method == b"INVITE":
                self._invites.receive(status, branch, data, now)
            else:
                self._clients.receive(status, branch, method, data, now)
            return None
        if len(data) < _SHORTEST or not data.strip(b"\r\n\0 \t"):
            return None
        try:
            message = parse_message(data)
        except MalformedMessage as error:
            self._refuse(error.request, error.status, error.why, data, flow)
            return None
        if isinstance(message, Response):
            self._receive_response(message, data, now)
            return None
        try:
            return self._receive_request(message, data, flow, now, is_late)
        except MalformedField as error:
            self._refuse(message, 400, str(error), data, flow)
            return None

    def refuse(self, data: bytes, flow: Flow, now: float) -> bool:
        """
        Take a message as `receive` does, but begin nothing: there is no time.

        A new request is answered 503 without a transaction; says whether it was one.  One
        that came again is still answered as before, or waits for its answer.
        """
        usual = read_usual(data)
        if usual is None or self._servers.find(usual.key) is not None:
            before = self._tally.refused.value
            self.receive(data, flow, now, is_late=True)
            return self._tally.refused.value > before
        self._tally.refused.value += 1
        back = usual.way_back(flow, to_source=self._to_source)
        try:
            back.send(usual.refusal(flow))
        except FlowClosed:
            self._tally.undelivered.value += 1
        return True

    def send(
        self,
        method: str,
        data: bytes,
        branch: str | bytes,
        flow: Flow,
        user: TransactionUser,
        now: float,
    ) -> ClientTransaction:
        """
        Send a request, again and again until there is a response.

        ``branch`` is that of its Via, used once; a CANCEL has that of its INVITE.  Not
        for INVITE and ACK.  Raises `LimitReached` and sends nothing when too many wait; a
        closed flow is told to ``user`` with the next `tick`.
        """
        if isinstance(branch, str):
            branch = branch.encode("ascii")
        return self._clients.send(method.encode("ascii"), data, branch, flow, user, now)

    def invite(
        self,
        data: bytes,
        branch: str,
        flow: Flow,
        user: TransactionUser,
        now: float,
    ) -> InviteTransaction:
        """
        Send an INVITE, again and again until there is a response.

        A refusal is acknowledged here.  A 2xx is given to ``user`` each time it comes,
        who has it acknowledged.  Raises `LimitReached` as `send` does.
        """
        return self._invites.send(data, branch.encode("ascii"), flow, user, now)

    def give_acks_to(self, user: Callable[[Request, Flow, float], None]) -> None:
        """Let ``user`` have each ACK that belongs to no refusal of ours."""
        self._acknowledged = user

    def abandon(self, transaction: ClientTransaction) -> None:
        """Wait no longer for a response; the transaction user hears nothing more."""
        self._clients.abandon(transaction)

    def tick(self, now: float) -> bool:
        """
        Do what is due by ``now``, and say whether some of it is left.

        To be called every 50 ms: timers of half a second need no finer.  What is left is
        for the next turn, so that a thousand watchers who do not answer keep nobody
        waiting who does.
        """
        self._servers.tick(now)
        self._invites.tick(now)
        return self._clients.tick(now)

    @property
    def clients(self) -> int:
        """How many requests of ours wait for a response."""
        return len(self._clients) + len(self._invites)

    @property
    def servers(self) -> int:
        """How many requests wait for a response of ours."""
        return len(self._servers)

    @property
    def remembered(self) -> int:
        """How many answers are kept to be sent again."""
        return self._servers.remembered

    @property
    def octets(self) -> int:
        """What these take, roughly."""
        return self._servers.octets

    def _measure(self, metrics: Metrics) -> None:
        metrics.gauge(
            "client_transactions",
            "Requests of ours which wait for a response.",
            lambda: self.clients,
        )
        metrics.gauge(
            "server_transactions",
            "Requests which wait for a response of ours.",
            lambda: self.servers,
        )
        metrics.gauge(
            "answers_remembered",
            "Responses kept to be sent again.",
            lambda: self.remembered,
        )
        metrics.gauge(
            "answers_remembered_octets",
            "What the responses kept to be sent again take.",
            lambda: self.octets,
        )

    def _receive_response(self, response: Response, data: bytes, now: float) -> None:
        """Take a response which is not written as most are, with Via first."""
        try:
            branch, method = response.via.branch or "", response.cseq.method
        except MalformedField:
            self._tally.malformed["response"].value += 1
            return
        self._tally.response(response.status)
        self._give(response.status, _bytes(branch), _bytes(method), data, now)

    def _give(
        self, status: int, branch: bytes, method: bytes, data: bytes, now: float
    ) -> None:
        """Give a response to whoever waits for it."""
        if method == b"INVITE":
            self._invites.receive(status, branch, data, now)
        else:
            self._clients.receive(status, branch, method, data, now)

    def _receive_request(
        self, request: Request, data: bytes, flow: Flow, now: float, is_late: bool
    ) -> ServerTransaction | None:
        if request.method == "BENOTIFY":
            # Never answered ([MS-SIP] 3.5), and nobody here has asked to be told by one.
            self._tally.request("BENOTIFY")
            return None
        key = key_of(request)
        known = self._servers.find(key)
        if request.method == "ACK":
            self._tally.request("ACK")
            self._receive_ack(request, known, flow, now)
            return None
        if known is not None and known.is_of(data):
            self._tally.repeated.value += 1
            self._servers.repeat(known)
            return None
        self._tally.request(request.method)
        back = way_back(request, flow, to_source=self._to_source)
        if is_late or self._servers.is_full:
            self._tally.refused.value += 1
            wait = str(retry_after(crc32(data)))
            fields = (("Retry-After", wait),)
            self._answer_statelessly(request, 503, None, data, back, fields)
            return None
        return self._servers.begin(key, request, data, flow, back, now)

    def _receive_ack(
        self, request: Request, known: Answering | None, flow: Flow, now: float
    ) -> None:
        """Take an ACK: to a refusal it ends here, all else is for who accepted."""
        if known is not None and self._servers.acknowledge(known, now):
            return
        if self._acknowledged is not None:
            self._acknowledged(request, flow, now)

    def _refuse(
        self, request: Request | None, status: int, why: str, data: bytes, flow: Flow
    ) -> None:
        """Answer what cannot be read, if the answer finds its way."""
        kind = _kind_of(data)
        if request is not None and request.method != "ACK":
            try:
                back = way_back(request, flow, to_source=self._to_source)
                phrase = _printable(f"{reason(status)}: {why}")
                self._answer_statelessly(request, status, phrase, data, back)
                kind = "answered"
            except MalformedField:
                pass
        self._tally.malformed[kind].value += 1

    def _answer_statelessly(
        self,
        request: Request,
        status: int,
        phrase: str | None,
        data: bytes,
        back: Flow,
        fields: tuple[tuple[str, str], ...] = (),
    ) -> None:
        if reads_diagnoses(request):
            why = phrase or reason(status)
            fields = (*fields, diagnosis(SIP_STACK, why, host_of(back)))
        # The same request gets the same tag each time (RFC 3261 §8.2.7).
        response = build_response(
            request, status, fields, to_tag=f"{crc32(data):08x}", reason=phrase
        )
        try:
            back.send(response)
        except FlowClosed:
            self._tally.undelivered.value += 1


def _kind_of(data: bytes) -> str:
    first_line = data[:_LONGEST_LINE].lstrip(b"\r\n").partition(b"\n")[0].upper()
    if first_line.startswith(b"SIP/"):
        return "response"
    return "unanswered" if b"SIP/" in first_line else "nonsense"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _printable(text: str) -> str:
    shown = "".join(each if each.isprintable() else "?" for each in text)
    return shown[:_LONGEST_PHRASE]
