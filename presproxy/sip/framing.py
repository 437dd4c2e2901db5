"""
Cutting a stream into messages (RFC 3261 §18.3), and the keep-alives between them
(RFC 5626 §3.5.1).

On a stream only Content-Length says where a message ends.  If it cannot be trusted,
neither can anything behind it: the stream is broken and must be closed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import attrs

from presproxy.errors import PresproxyError
from presproxy.sip.head import LARGEST_HEAD
from presproxy.sip.message import Request, salvage

_PING = b"\r\n\r\n"
_content_length = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)", re.IGNORECASE
).findall
_blank = re.compile(rb"[\r\n]*").match


@attrs.frozen
class Limits:
    """How many bytes a message on a stream may have."""

    head: int = LARGEST_HEAD
    #: Chosen: a resource list of a thousand entries has some 100 kB.
    body: int = 256 * 1024


@attrs.frozen(eq=False)
class StreamBroken(PresproxyError):
    """
    The stream cannot be cut any further.

    ``request`` is what can be answered, with ``status``, before the stream is closed.
    ``messages`` are those which were whole before the break.
    """

    why: str
    request: Request | None = None
    status: int = 400
    messages: Sequence[bytes] = ()

    def __str__(self) -> str:
        return self.why


class Framing(Protocol):
    """
    What cuts what comes in into messages, as `Framer` does.

    ``keepalives`` are the pings that the last `feed` saw; each is answered by one CRLF.
    """

    keepalives: int

    def __init__(self, limits: Limits | None = None) -> None:
        """Begin a stream whose messages have so many bytes at the most."""

    @property
    def is_idle(self) -> bool:
        """Whether no message is half read."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes, and give the messages they complete, or `StreamBroken`."""


class Framer:
    """
    Takes bytes as they come, and gives whole messages.

    Where the stream is cut makes no difference.  Once it is broken it stays so.
    """

    __slots__ = ("_blanks", "_buffer", "_length", "_limits", "_searched", "keepalives")

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = Limits() if limits is None else limits
        self._buffer = bytearray()
        # Of the message which is being read; 0 until its head is there.
        self._length = 0
        self._searched = 0
        # The last CRs and LFs since the last message or ping, which may become a ping.
        self._blanks = b""
        self.keepalives = 0
        """How many pings the last `feed` saw; each is answered by one CRLF."""

    @property
    def is_idle(self) -> bool:
        """Whether no message is half read."""
        return not self._buffer

    def feed(self, data: bytes) -> list[bytes]:
        """
        Take the next bytes, and give the messages which they complete.

        Raises `StreamBroken`.
        """
        self.keepalives = 0
        if not self._buffer and self._is_whole(data):
            self._blanks = b""
            return [data]
        self._buffer += data
        messages: list[bytes] = []
        try:
            while (message := self._next()) is not None:
                messages.append(message)
        except StreamBroken as error:
            raise attrs.evolve(error, messages=tuple(messages)) from None
        return messages

    def _is_whole(self, data: bytes) -> bool:
        """Whether it is one message and nothing else, as most reads give it."""
        end = data.find(b"\r\n\r\n", 0, self._limits.head + 4)
        if end <= 0 or data[0] in b"\r\n":
            return False
        lengths = _content_length(data, 0, end)
        if len(lengths) != 1:
            return False
        length = lengths[0].strip(b" \t")
        body = len(data) - end - 4
        return (
            length.isdigit()
            and len(length) < 10
            and int(length) == body <= self._limits.body
        )

    def _next(self) -> bytes | None:
        if not self._length:
            self._skip_blanks()
            self._find_end()
        if not self._length or len(self._buffer) < self._length:
            return None
        message = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._length = self._searched = 0
        return message

    def _skip_blanks(self) -> None:
        if self._searched or not self._buffer:
            return
        blank = _blank(self._buffer)
        if blank is not None and blank.end():
            *pings, rest = (self._blanks + blank[0]).split(_PING)
            self.keepalives += len(pings)
            self._blanks = rest[-3:]
            length = blank.end()
            del blank
            del self._buffer[:length]
        if self._buffer:
            self._blanks = b""

    def _find_end(self) -> None:
        end = self._buffer.find(b"\r\n\r\n", self._searched)
        if end > self._limits.head or (
            end < 0 and len(self._buffer) > self._limits.head + 3
        ):
            raise self._broken(f"a head of more than {self._limits.head} bytes", 513)
        if end < 0:
            self._searched = max(0, len(self._buffer) - 3)
        else:
            self._length = end + 4 + self._body_length(bytes(self._buffer[:end]))

    def _body_length(self, head: bytes) -> int:
        lengths = {value.strip(b" \t\r\n") for value in _content_length(head)}
        if len(lengths) != 1:
            raise self._broken(
                "more than one Content-Length" if lengths else "no Content-Length"
            )
        length = lengths.pop()
        if not length.isdigit():
            text = length[:60].decode("ascii", "replace")
            raise self._broken(f"no Content-Length: {text!r}")
        if len(length) > 9 or int(length) > self._limits.body:
            raise self._broken(f"a body of more than {self._limits.body} bytes", 413)
        return int(length)

    def _broken(self, why: str, status: int = 400) -> StreamBroken:
        return StreamBroken(
            why, salvage(bytes(self._buffer[: self._limits.head])), status
        )
