"""
SIP over WebSocket, plain and by TLS (RFC 7118).

The server never opens such a connection: browsers do, and what is for them goes back by
the one that they opened.
"""

from __future__ import annotations

from typing import ClassVar

from presproxy.sip.framing import StreamBroken
from presproxy.transport.stream import StreamConnection
from presproxy.transport.streamflow import State, StreamFlow
from presproxy.transport.tls import SecureConnection, SecureFlow
from presproxy.transport.webframing import WebFraming


class WebFlow(StreamFlow):
    """A way to one peer by WebSocket."""

    __slots__ = ()

    transport = "WS"


class SecureWebFlow(SecureFlow):
    """A way to one peer by WebSocket over TLS."""

    __slots__ = ()

    transport = "WSS"


class WebConnection(StreamConnection):
    """One connection by WebSocket."""

    flow_type: ClassVar[type[StreamFlow]] = WebFlow
    framing = WebFraming
    _framer: WebFraming

    def dataReceived(self, data: bytes) -> None:
        """Answer what is for WebSocket itself, besides."""
        super().dataReceived(data)
        self._reply()
        if self._framer.is_over and self.state < State.DRAINING:
            self._drain()

    def _break_off(self, broken: StreamBroken) -> None:
        self._reply()
        super()._break_off(broken)

    def _reply(self) -> None:
        reply = self._framer.take_reply()
        if reply and self.state < State.DRAINING:
            super()._write(reply)

    def _write(self, data: bytes) -> None:
        framed = self._framer.frame(data)
        if framed:
            super()._write(framed)

    def _shut(self) -> None:
        self.transport.write(self._framer.farewell())
        super()._shut()


class SecureWebConnection(WebConnection, SecureConnection):
    """One connection by WebSocket over TLS."""

    flow_type = SecureWebFlow
    flow: SecureWebFlow
