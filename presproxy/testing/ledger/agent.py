"""One of the crowd: a request at a time, and what it was about until it is answered."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Mapping

import attrs

from presproxy.testing.instance import Instance
from presproxy.testing.peer import Peer, is_notify
from presproxy.testing.wire import Message, Value, fresh, respond

#: Seconds after which a request by UDP is sent again.
_T1 = 0.5


@attrs.frozen
class Pending:
    """What was asked for and not answered yet; ``new`` is the value that it would set."""

    what: str
    new: str
    data: bytes
    branch: str


@attrs.define(eq=False)
class Agent:
    """
    Somebody with one socket who asks again as soon as he was answered.

    ``wrong`` is what must not have happened, in words.
    """

    server: Instance
    chance: random.Random
    transport: str
    aor: str = attrs.field(factory=lambda: f"sip:{fresh('u')}@contoso.com")
    pending: Pending | None = None
    answers: int = 0
    #: Whether 503 is an answer, after which nothing has changed.
    may_be_refused: bool = False
    wrong: list[str] = attrs.field(factory=list)
    _peer: Peer | None = None
    _sent_at: float = 0.0

    # -- What each kind does ---------------------------------------------------------

    def next(self) -> None:
        """Ask for the next thing."""
        raise NotImplementedError

    def answered(self, response: Message, pending: Pending) -> None:
        """What was pending was answered."""
        raise NotImplementedError

    def answer(self, request: Message) -> bytes | None:
        """Answer a request that came."""
        return respond(request)

    def notified(self, notify: Message) -> None:
        """A NOTIFY came."""
        self.wrong.append(f"{self.aor} was told {notify.data!r}")

    # -- What all do -----------------------------------------------------------------

    @property
    def peer(self) -> Peer:
        """The socket; it must have been connected."""
        if self._peer is None:
            raise RuntimeError("not connected")
        return self._peer

    def connect(self) -> None:
        """Find the server that has just been started; a datagram socket stays the same."""
        if self._peer is None or self.transport == "tcp":
            self.close()
            address = self.server.udp if self.transport == "udp" else self.server.tcp
            self._peer = Peer(address, self.aor[4:], self.transport)
        self._peer.aor = self.aor
        self._peer.answer = self.answer

    def close(self) -> None:
        """Close the socket."""
        if self._peer is not None:
            self._peer.close()

    def sockets(self) -> list[socket.socket]:
        """Give the sockets by which something may come."""
        return [] if self.peer.is_closed else [self.peer.socket]

    def go_on(self) -> None:
        """Ask the next thing, or once more if there was no answer for long."""
        if self.pending is None:
            self.next()
        elif self.transport == "udp" and time.monotonic() > self._sent_at + _T1:
            self._send(self.pending.data)

    def ask(
        self,
        method: str,
        uri: str,
        fields: Mapping[str, Value],
        body: str = "",
        *,
        what: str,
        new: str = "",
    ) -> None:
        """Send a request, which is pending until it is answered."""
        data = self.peer.write(method, uri, fields, body)
        self.pending = Pending(what, new, data, Message.read(data).branch)
        self._send(data)

    def pump(self, ready: socket.socket) -> None:
        """Take what has come by a socket."""
        for message in pumped(self.peer):
            if is_notify(message):
                self.notified(message)
            elif self.pending is not None and message.branch == self.pending.branch:
                pending, self.pending = self.pending, None
                self.answers += 1
                if message.status == 200:
                    self.answered(message, pending)
                elif message.status != 503 or not self.may_be_refused:
                    self.wrong.append(f"{pending.data!r} was answered {message.data!r}")

    def forget_pending(self) -> Pending | None:
        """After a kill nobody will answer any more: give what was pending."""
        pending, self.pending = self.pending, None
        return pending

    def _send(self, data: bytes) -> None:
        self._sent_at = time.monotonic()
        try:
            self.peer.send(data)
        except OSError:
            self.peer.is_closed = True


def pumped(peer: Peer) -> list[Message]:
    """Take what has come to a peer, whose server may just have been killed."""
    try:
        peer.pump(0)
    except OSError:
        peer.is_closed = True
    inbox, peer.inbox = peer.inbox, []
    return inbox
