"""A user agent's end of the wire: sends texts as they stand, and waits for what comes."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping

import attrs

from presproxy.sip.flow import Address
from presproxy.testing.wire import (
    PIDF,
    Message,
    Value,
    compose,
    cut,
    family,
    fresh,
    respond,
    written,
)

#: Seconds an answer on the loopback is waited for, on a machine with others at work.
LIMIT = 5.0

#: Seconds of silence after which nothing will come any more.  Chosen above one turn of
#: the server's timers, below a retransmission.
QUIET = 0.3

#: Messages that are shown where another one was waited for.
_SHOWN = 10

Choice = Callable[[Message], bool]


class Silence(AssertionError):
    """What was waited for did not come."""


def is_response(message: Message) -> bool:
    """Choose final responses."""
    return message.status >= 200


def is_notify(message: Message) -> bool:
    """Choose NOTIFYs, and BENOTIFYs."""
    return not message.is_response and message.method in {"NOTIFY", "BENOTIFY"}


class Peer:
    """
    One user with one socket, by UDP or TCP.

    Requests that come are answered by ``answer``, with 200 unless another is set; None
    leaves them unanswered, as a BENOTIFY always is.  All that came and was not yet taken is in ``inbox``.
    ``connected`` is a stream that is there already; ``host`` is our end of datagrams, on the loopback
    unless another is given.
    """

    def __init__(
        self,
        server: Address,
        user: str = "alice@contoso.com",
        transport: str = "udp",
        connected: socket.socket | None = None,
        host: str = "",
    ) -> None:
        self.server = server
        self.host = host or ("::1" if ":" in server[0] else "127.0.0.1")
        self.aor = f"sip:{user}"
        self.transport = transport
        self.answer: Callable[[Message], bytes | None] = respond
        self.inbox: list[Message] = []
        self.pongs = 0
        self.is_closed = False
        self._stream = b""
        if transport == "udp":
            self.socket = socket.socket(family(self.host), socket.SOCK_DGRAM)
            self.socket.bind((self.host, 0))
        else:
            self.socket = connected or socket.create_connection(server, LIMIT)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(LIMIT)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    @property
    def port(self) -> int:
        """Our own port."""
        port: int = self.socket.getsockname()[1]
        return port

    @property
    def contact(self) -> str:
        """A URI which leads back here."""
        user = self.aor[4:].partition("@")[0]
        tcp = ";transport=tcp" if self.transport == "tcp" else ""
        return f"sip:{user}@{written(self.host)}:{self.port}{tcp}"

    # -- Out -------------------------------------------------------------------------

    def send(self, data: bytes | str) -> None:
        """Send octets as they stand; a text may be written with bare line ends."""
        if isinstance(data, str):
            data = data.replace("\r\n", "\n").replace("\n", "\r\n").encode()
        if self.transport == "udp":
            self.socket.sendto(data, self.server)
        else:
            self.socket.sendall(data)

    def write(
        self,
        method: str,
        uri: str,
        fields: Mapping[str, Value] | None = None,
        body: bytes | str = b"",
    ) -> bytes:
        """
        Write a request of this user's to somebody; ``fields`` replace those it would have.

        A field that is None is left out.
        """
        standard: dict[str, Value] = {
            "Via": self.via(),
            "Max-Forwards": "70",
            "From": f"<{self.aor}>;tag={fresh('f')}",
            "To": f"<{uri}>",
            "Call-ID": fresh("c"),
            "CSeq": f"1 {method}",
            "Contact": f"<{self.contact}>",
        }
        return compose(f"{method} {uri} SIP/2.0", {**standard, **(fields or {})}, body)

    def via(self) -> str:
        """Write a Via with a new branch."""
        return (
            f"SIP/2.0/{self.transport.upper()} {written(self.host)}:{self.port}"
            f";rport;branch=z9hG4bK{fresh()}"
        )

    def ask(
        self,
        method: str,
        uri: str,
        fields: Mapping[str, Value] | None = None,
        body: bytes | str = b"",
    ) -> Message:
        """Send a request, and give its final response."""
        data = self.write(method, uri, fields, body)
        self.send(data)
        return self.answered(Message.read(data).branch)

    def answered(self, branch: str) -> Message:
        """Wait for the final response with this branch."""
        return self.expect(lambda each: is_response(each) and each.branch == branch)

    # -- In --------------------------------------------------------------------------

    def expect(self, choice: Choice, limit: float = LIMIT) -> Message:
        """Wait for the first message that is meant, and take it; raises `Silence`."""
        until = time.monotonic() + limit
        while True:
            for number, message in enumerate(self.inbox):
                if choice(message):
                    return self.inbox.pop(number)
            left = until - time.monotonic()
            if left <= 0 or not self.pump(left):
                raise Silence(f"not among {len(self.inbox)}: {self.inbox[-_SHOWN:]}")

    def notified(
        self, text: str = "", call_id: str | None = None, limit: float = LIMIT
    ) -> Message:
        """Wait for a NOTIFY, of one dialog and with a text in it if these are given."""

        def is_meant(message: Message) -> bool:
            return (
                is_notify(message)
                and text.encode() in message.data
                and (call_id is None or message.call_id == call_id)
            )

        return self.expect(is_meant, limit)

    def rest(self, quiet: float = QUIET) -> list[Message]:
        """Give all that is there, once nothing more has come for ``quiet`` seconds."""
        while self.pump(quiet):
            pass
        taken, self.inbox = self.inbox, []
        return taken

    def pump(self, wait: float) -> bool:
        """Take what comes next, at most ``wait`` seconds later; say whether it came."""
        if self.is_closed or not self._has_come(wait):
            return False
        if self.transport == "udp":
            self._take(self.socket.recv(65535))
            return True
        try:
            data = self.socket.recv(65535)
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_closed = True
            return False
        if not self._stream and not data.strip(b"\r\n"):
            self.pongs += data.count(b"\r\n")
            return True
        messages, self._stream = cut(self._stream + data)
        for each in messages:
            self._take(each)
        return True

    def _has_come(self, wait: float) -> bool:
        # What TLS has read and not given yet nobody waits for at the socket.
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        return bool(select.select([self.socket], [], [], max(0.0, wait))[0])

    def closed_by_server(self, limit: float = LIMIT) -> bool:
        """Wait for the server to close the stream, taking what comes before."""
        until = time.monotonic() + limit
        while not self.is_closed and time.monotonic() < until:
            self.pump(until - time.monotonic())
        return self.is_closed

    def _take(self, data: bytes) -> None:
        message = Message.read(data)
        self.inbox.append(message)
        if not message.is_response and message.method != "BENOTIFY":
            answer = self.answer(message)
            if answer is not None:
                self.send(answer)

    # -- What users do ---------------------------------------------------------------

    def publish(
        self,
        body: bytes | str,
        fields: Mapping[str, Value] | None = None,
        *,
        expires: int | None = 600,
        entity_tag: str | None = None,
    ) -> Message:
        """Publish this user's presence; an empty body is a refresh or a removal."""
        standard: dict[str, Value] = {
            "Event": "presence",
            "Expires": None if expires is None else str(expires),
            "SIP-If-Match": entity_tag,
            "Content-Type": PIDF if body else None,
        }
        return self.ask("PUBLISH", self.aor, {**standard, **(fields or {})}, body)

    def subscribe(
        self,
        presentity: str,
        fields: Mapping[str, Value] | None = None,
        *,
        expires: int = 600,
        event: str = "presence",
    ) -> Subscribed:
        """Subscribe to somebody, and give what came of it."""
        data = self.write(
            "SUBSCRIBE",
            presentity,
            {"Event": event, "Expires": str(expires), **(fields or {})},
        )
        self.send(data)
        sent = Message.read(data)
        return Subscribed(self, sent, self.answered(sent.branch))

    def fetch(self, presentity: str, event: str = "presence") -> Message:
        """Poll somebody's state once, and give the NOTIFY."""
        return self.subscribe(presentity, expires=0, event=event).notified()


@attrs.define(eq=False)
class Subscribed:
    """A SUBSCRIBE that was sent, its response, and the dialog that may have come of it."""

    peer: Peer
    sent: Message
    response: Message
    cseq: int = 1

    @property
    def status(self) -> int:
        """The status it was answered with."""
        return self.response.status

    @property
    def call_id(self) -> str:
        """The Call-ID of the dialog."""
        return self.sent.call_id

    def notified(self, text: str = "", limit: float = LIMIT) -> Message:
        """Wait for a NOTIFY of this dialog."""
        return self.peer.notified(text, self.call_id, limit)

    def again(
        self, expires: int = 600, fields: Mapping[str, Value] | None = None
    ) -> Message:
        """Refresh, or end with 0, and give the response."""
        self.cseq += 1
        standard: dict[str, Value] = {
            "From": self.sent.need("from"),
            "To": self.response.need("to"),
            "Call-ID": self.call_id,
            "CSeq": f"{self.cseq} SUBSCRIBE",
            "Event": self.sent.need("event"),
            "Expires": str(expires),
        }
        return self.peer.ask("SUBSCRIBE", self.target, {**standard, **(fields or {})})

    @property
    def target(self) -> str:
        """Where requests in the dialog go: the server's Contact."""
        return self.response.need("contact").strip("<>")
