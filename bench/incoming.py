"""What comes by a connection, message by message, for those who wait for it."""

from __future__ import annotations

import socket
from collections import deque

import attrs

from presproxy.sip.framing import Framer, Limits

#: Octets asked of the system at once.
_AT_ONCE = 1 << 20

#: A batch of contacts is told of in one body.
_LIMITS = Limits(body=1 << 24)


@attrs.define(eq=False)
class Incoming:
    """The messages that a server sends by one connection."""

    connection: socket.socket
    _framer: Framer = attrs.field(factory=lambda: Framer(_LIMITS))
    _came: deque[bytes] = attrs.field(factory=deque)

    def take(self) -> bytes:
        """
        Wait for the next whole message.

        Raises `ConnectionError` when the connection was closed, and `TimeoutError` as the
        connection does.
        """
        while not self._came:
            data = self.connection.recv(_AT_ONCE)
            if not data:
                raise ConnectionError("the connection was closed")
            self._came += self._framer.feed(data)
        return self._came.popleft()
