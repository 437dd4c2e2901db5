"""
Who is around while a storm blows: watchers who do badly, and users who only want to ask.

They speak from threads of their own, and know no more of SIP than that needs.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence

import attrs

from bench.incoming import Incoming
from bench.servers.server import DOMAIN, LOOPBACK

#: Seconds that an answer is waited for.
_PATIENCE = 10.0

#: Seconds between two questions of `Asking`.
_PAUSE = 0.02

#: Octets a deaf watcher's system takes for him; the least that Linux gives.
_SMALL = 4096


class NotSubscribed(Exception):
    """A bad watcher could not even begin."""


@attrs.define(eq=False)
class BadWatcher:
    """
    A user who watches the presentities ``p0`` and on, and then fails to do his part.

    ``by`` is "udp" or "tcp".  He reads until he has subscribed, answering what comes in
    between if ``is_polite``, and nothing after that.
    """

    port: int
    name: str
    by: str
    is_polite: bool
    fields: str = ""
    _socket: socket.socket | None = None
    #: What comes by a stream; there is none with datagrams.
    _incoming: Incoming | None = None

    def subscribe(self, presentities: int) -> None:
        """Subscribe to so many; raises `NotSubscribed`."""
        connection = self._socket = self._connected()
        for number in range(presentities):
            connection.sendall(self._subscribe(number))
            self._until_answered()

    def go(self) -> None:
        """Close, without a word."""
        if self._socket is not None:
            self._socket.close()

    def _connected(self) -> socket.socket:
        if self.by == "udp":
            connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        else:
            connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        connection.settimeout(_PATIENCE)
        connection.connect((LOOPBACK, self.port))
        if self.by == "tcp":
            self._incoming = Incoming(connection)
        return connection

    def _subscribe(self, number: int) -> bytes:
        assert self._socket is not None
        host, port = self._socket.getsockname()
        return _written(
            f"SUBSCRIBE sip:p{number}@{DOMAIN} SIP/2.0",
            f"Via: SIP/2.0/{self.by.upper()} {host}:{port};rport"
            f";branch=z9hG4bK{self.name}{number}",
            f"From: <sip:{self.name}@{DOMAIN}>;tag={self.name}",
            f"To: <sip:p{number}@{DOMAIN}>",
            f"Call-ID: {self.name}-{number}-{port}",
            "CSeq: 1 SUBSCRIBE",
            f"Contact: <sip:{self.name}@{host}:{port};transport={self.by}>",
            "Event: presence",
            "Expires: 3600",
            *([self.fields] if self.fields else []),
        )

    def _until_answered(self) -> None:
        """Take messages until one is the response to a SUBSCRIBE."""
        while True:
            message = self._message()
            if message.startswith(b"SIP/2.0 200"):
                return
            if message.startswith(b"SIP/2.0"):
                raise NotSubscribed(message.partition(b"\r\n")[0].decode())
            if message.startswith(b"NOTIFY") and self.is_polite:
                assert self._socket is not None
                self._socket.sendall(_answer(message))

    def _message(self) -> bytes:
        assert self._socket is not None
        if self._incoming is None:
            return self._socket.recv(65536)
        try:
            return self._incoming.take()
        except ConnectionError as error:
            raise NotSubscribed(str(error)) from error


@attrs.define(eq=False)
class Asking:
    """
    Users who publish and poll by UDP all the time, and how long they wait for an answer.

    ``waits`` are seconds; ``refused`` counts answers other than 200, and ``unanswered``
    what was not answered at all.
    """

    port: int
    core: int
    waits: list[float] = attrs.field(factory=list)
    refused: int = 0
    unanswered: int = 0
    _ending: threading.Event = attrs.field(factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._thread = threading.Thread(target=self._ask_on, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _ask_on(self) -> None:
        os.sched_setaffinity(0, {self.core})
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(_PATIENCE)
            asking.connect((LOOPBACK, self.port))
            host, port = asking.getsockname()
            number = 0
            while not self._ending.wait(_PAUSE):
                write = (_publish, _poll)[number % 2]
                self._ask(asking, write(f"{host}:{port}", number), number)
                number += 1

    def _ask(self, asking: socket.socket, request: bytes, number: int) -> None:
        began = time.monotonic()
        asking.send(request)
        meant = b"\r\nCall-ID: asking-%d-" % number
        try:
            message = asking.recv(65536)
            while not (message.startswith(b"SIP/2.0") and meant in message):
                if message.startswith(b"NOTIFY"):
                    asking.send(_answer(message))
                message = asking.recv(65536)
        except TimeoutError:
            self.unanswered += 1
            return
        self.waits.append(time.monotonic() - began)
        self.refused += not message.startswith(b"SIP/2.0 200")


def quantile(values: Sequence[float], share: float) -> float:
    """Give the value that ``share`` of them are not above; 0 of none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def sampled(
    look: Callable[[], int], every: float
) -> tuple[list[int], Callable[[], None]]:
    """Look at something again and again; give what was seen, and what ends it."""
    seen = [look()]
    ending = threading.Event()

    def run() -> None:
        while not ending.wait(every):
            seen.append(look())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def end() -> None:
        ending.set()
        thread.join()
        seen.append(look())

    return seen, end


# -- Messages --------------------------------------------------------------------------

_COPIED = (b"via", b"from", b"to", b"call-id", b"cseq")


def _written(*lines: str, body: str = "") -> bytes:
    lengths = ("Max-Forwards: 70", f"Content-Length: {len(body)}", "", body)
    return "\r\n".join([*lines, *lengths]).encode()


def _answer(request: bytes) -> bytes:
    lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    copied = [each for each in lines if each.partition(b":")[0].lower() in _COPIED]
    return b"\r\n".join([b"SIP/2.0 200 OK", *copied, b"Content-Length: 0", b"", b""])


def _publish(own: str, number: int) -> bytes:
    user = f"sip:asking{number}@{DOMAIN}"
    body = (
        f'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="{user}">'
        '<tuple id="t"><status><basic>open</basic></status></tuple></presence>'
    )
    return _written(
        f"PUBLISH {user} SIP/2.0",
        *_first(user, own, number, "PUBLISH"),
        "Event: presence",
        "Expires: 60",
        "Content-Type: application/pidf+xml",
        body=body,
    )


def _poll(own: str, number: int) -> bytes:
    user = f"sip:asking{number - 1}@{DOMAIN}"
    return _written(
        f"SUBSCRIBE {user} SIP/2.0",
        *_first(user, own, number, "SUBSCRIBE"),
        f"Contact: <sip:asking@{own}>",
        "Event: presence",
        "Expires: 0",
    )


def _first(user: str, own: str, number: int, method: str) -> tuple[str, ...]:
    return (
        f"Via: SIP/2.0/UDP {own};rport;branch=z9hG4bKasking{number}",
        f"From: <{user}>;tag=a{number}",
        f"To: <{user}>",
        f"Call-ID: asking-{number}-{own}",
        f"CSeq: 1 {method}",
    )
