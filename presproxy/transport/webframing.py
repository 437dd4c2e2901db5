"""
What goes over a WebSocket connection (RFC 6455, RFC 7118).

No sockets here: octets come in, whole SIP messages go out, and what has to be answered by
WebSocket itself.  Each WebSocket message is one SIP message (RFC 7118 §5.1), so its end
needs no Content-Length.
"""

from __future__ import annotations

from collections.abc import Iterable

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import RemoteProtocolError

from presproxy.sip.framing import Limits, StreamBroken
from presproxy.sip.message import salvage

#: What the client offers and we take (RFC 7118 §4).
SUBPROTOCOL = "sip"

#: "Going away" and "message too big" (RFC 6455 §7.4.1).
_GOING_AWAY, _TOO_BIG = 1001, 1009

#: As on any stream; SIP.js sends it, though RFC 7118 has none.
_PING = b"\r\n\r\n"


class WebFraming:
    """
    Takes octets as they come, and gives whole messages.

    What `take_reply` gives has to be sent as it is, after each `feed`.  Once the
    connection is broken it stays so.
    """

    __slots__ = (
        *("_last_word", "_limits", "_octets", "_parts", "_reply", "_web"),
        "keepalives",
    )

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = Limits() if limits is None else limits
        self._web = WSConnection(ConnectionType.SERVER)
        self._parts: list[bytes] = []
        self._octets = 0
        self._reply = b""
        self._last_word = _GOING_AWAY
        self.keepalives = 0
        """How many pings of SIP the last `feed` saw; each is answered by CRLF."""

    @property
    def is_idle(self) -> bool:
        """Whether both agree to speak WebSocket, and no message is half read."""
        return not self._parts and self._web.state is not ConnectionState.CONNECTING

    @property
    def is_over(self) -> bool:
        """Whether the peer has said its last word, or was refused."""
        return self._web.state in (ConnectionState.CLOSED, ConnectionState.REJECTING)

    def feed(self, data: bytes) -> list[bytes]:
        """
        Take the next octets, and give the messages which they complete.

        Raises `StreamBroken`.
        """
        self.keepalives = 0
        messages: list[bytes] = []
        try:
            self._web.receive_data(data)
            for event in self._web.events():
                self._take(event, messages)
        except RemoteProtocolError as error:
            self._refuse(error.event_hint)
            raise StreamBroken(str(error)) from error
        except ValueError as error:
            # A Host that is no name.
            self._refuse(None)
            raise StreamBroken("no WebSocket") from error
        return messages

    def take_reply(self) -> bytes:
        """Give what WebSocket itself has to say since the last time."""
        reply, self._reply = self._reply, b""
        return reply

    def frame(self, message: bytes) -> bytes:
        """
        Write one SIP message; nothing once the connection is over.

        As text whenever it is: browsers give their scripts a string then.
        """
        if self._web.state is not ConnectionState.OPEN:
            return b""
        try:
            return self._web.send(TextMessage(message.decode("utf-8")))
        except UnicodeDecodeError:
            return self._web.send(BytesMessage(message))

    def farewell(self) -> bytes:
        """Write that nothing more follows, and why; nothing if that was said already."""
        if self._web.state is not ConnectionState.OPEN:
            return b""
        return self._web.send(CloseConnection(self._last_word))

    def _take(self, event: Event, messages: list[bytes]) -> None:
        if isinstance(event, TextMessage | BytesMessage):
            self._take_part(event, messages)
        elif isinstance(event, Ping):
            self._reply += self._web.send(event.response())
        elif isinstance(event, CloseConnection):
            self._close(event, messages)
        elif isinstance(event, Request):
            self._agree(event.subprotocols)

    def _close(self, event: CloseConnection, messages: list[bytes]) -> None:
        if self._web.state is ConnectionState.OPEN:
            # The library's, not the peer's: what came cannot be read.
            self._last_word = event.code
            raise StreamBroken(str(event.reason), messages=tuple(messages))
        if self._web.state is ConnectionState.REMOTE_CLOSING:
            self._reply += self._web.send(event.response())

    def _agree(self, offered: Iterable[str]) -> None:
        if SUBPROTOCOL not in offered:
            raise RemoteProtocolError(
                f"no Sec-WebSocket-Protocol: {SUBPROTOCOL}", RejectConnection()
            )
        self._reply += self._web.send(AcceptConnection(SUBPROTOCOL))

    def _take_part(
        self, event: TextMessage | BytesMessage, messages: list[bytes]
    ) -> None:
        data = event.data
        part = data.encode() if isinstance(data, str) else bytes(data)
        self._parts.append(part)
        self._octets += len(part)
        most = self._limits.head + 4 + self._limits.body
        if self._octets > most:
            self._last_word = _TOO_BIG
            head = b"".join(self._parts)[: self._limits.head]
            why = f"a message of more than {most} bytes"
            raise StreamBroken(why, salvage(head), 513, tuple(messages))
        if not event.message_finished:
            return
        message = b"".join(self._parts)
        self._parts, self._octets = [], 0
        if message == _PING:
            self.keepalives += 1
        elif message.strip(b"\r\n"):
            messages.append(message)

    def _refuse(self, hint: Event | None) -> None:
        refusal = hint if isinstance(hint, RejectConnection) else RejectConnection()
        self._reply += self._web.send(refusal)
