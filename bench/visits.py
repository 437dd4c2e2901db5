"""Visitors by TCP, who come, mostly ask something, and go; some of them badly."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable

import attrs

from bench.incoming import Incoming
from bench.servers.server import DOMAIN, LOOPBACK

#: Seconds a visitor waits for what he asked.
_PATIENCE = 10.0

#: Seconds that one who says nothing stays.
_STAY = 5.0

#: Closes by a reset instead of an end: on, at once.
_RESET = struct.pack("ii", 1, 0)


class _Refused(Exception):
    """A visitor was answered, and not by a 2xx."""


@attrs.define(eq=False)
class Visits:
    """
    Visitors in a thread of its own on one core, ``rate`` of them a second.

    ``counted`` tells how many of each kind came, and how many were refused or not answered
    at all.
    """

    port: int
    core: int
    rate: float = 10.0
    counted: Counter[str] = attrs.field(factory=Counter)
    _silent: list[tuple[float, socket.socket]] = attrs.field(factory=list)
    _ending: threading.Event = attrs.field(factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Let them come."""
        self._thread = threading.Thread(target=self._come, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let no more come; whoever is there goes."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _come(self) -> None:
        os.sched_setaffinity(0, {self.core})
        number = 0
        while not self._ending.wait(1 / self.rate):
            visit = _VISITS[number % len(_VISITS)]
            self._visit(visit, number)
            self._let_go(time.monotonic())
            number += 1
        self._let_go(float("inf"))

    def _visit(self, visit: Callable[[Visits, _Visitor], None], number: int) -> None:
        name = visit.__name__.strip("_")
        try:
            visit(self, _Visitor.arrive(self.port, number))
        except _Refused:
            self.counted["refused"] += 1
        except OSError:
            self.counted["unanswered"] += 1
        self.counted[name] += 1

    def _let_go(self, now: float) -> None:
        while self._silent and self._silent[0][0] <= now:
            self._silent.pop(0)[1].close()

    def stay(self, connection: socket.socket) -> None:
        """Keep a connection for a while."""
        self._silent.append((time.monotonic() + _STAY, connection))


@attrs.define(eq=False)
class _Visitor:
    """One connection, and the requests of who made it."""

    connection: socket.socket
    number: int
    _incoming: Incoming = attrs.field(init=False)

    @_incoming.default
    def _by_the_connection(self) -> Incoming:
        return Incoming(self.connection)

    @classmethod
    def arrive(cls, port: int, number: int) -> _Visitor:
        connection = socket.create_connection((LOOPBACK, port), _PATIENCE)
        return cls(connection, number)

    @property
    def own(self) -> str:
        host, port = self.connection.getsockname()
        return f"{host}:{port}"

    def subscribe(self, expires: int) -> bytes:
        text = _SUBSCRIBE.format(
            number=self.number, own=self.own, domain=DOMAIN, expires=expires
        )
        return text.replace("\n", "\r\n").encode()

    def ask(self, expires: int) -> None:
        """
        Subscribe, take the response and the NOTIFY, and answer that.

        Goes and raises `_Refused` if there will be none.
        """
        self.connection.sendall(self.subscribe(expires))
        response = self._message()
        if not response.startswith("SIP/2.0 2"):
            self.go()
            raise _Refused
        notify = self._message()
        lines = notify.split("\r\n")
        kept = ("via", "from", "to", "call-id", "cseq")
        copied = [line for line in lines if line.partition(":")[0].lower() in kept]
        answer = ["SIP/2.0 200 OK", *copied, "Content-Length: 0", "", ""]
        self.connection.sendall("\r\n".join(answer).encode())

    def _message(self) -> str:
        """Take the next message, and give its head."""
        return self._incoming.take().partition(b"\r\n\r\n")[0].decode()

    def go(self) -> None:
        self.connection.close()

    def break_off(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()


# -- Who comes -------------------------------------------------------------------------


def _fetched(visits: Visits, visitor: _Visitor) -> None:
    visitor.ask(0)
    visitor.go()


def _broke_off_in_a_request(visits: Visits, visitor: _Visitor) -> None:
    request = visitor.subscribe(60)
    visitor.connection.sendall(request[: len(request) // 2])
    visitor.break_off()


def _broke_off_subscribed(visits: Visits, visitor: _Visitor) -> None:
    visitor.ask(60)
    visitor.break_off()


def _went_subscribed(visits: Visits, visitor: _Visitor) -> None:
    visitor.ask(60)
    visitor.go()


def _broke_off_before_the_answer(visits: Visits, visitor: _Visitor) -> None:
    visitor.connection.sendall(visitor.subscribe(60))
    visitor.break_off()


def _pinged(visits: Visits, visitor: _Visitor) -> None:
    visitor.connection.sendall(b"\r\n\r\n")
    if not visitor.connection.recv(2):
        raise ConnectionError("closed before the ping was answered")
    visitor.go()


def _said_nothing(visits: Visits, visitor: _Visitor) -> None:
    visits.stay(visitor.connection)


_VISITS = (
    _fetched,
    _broke_off_in_a_request,
    _pinged,
    _broke_off_subscribed,
    _said_nothing,
    _went_subscribed,
    _broke_off_before_the_answer,
)

_SUBSCRIBE = """\
SUBSCRIBE sip:p{number}@{domain} SIP/2.0
Via: SIP/2.0/TCP {own};rport;branch=z9hG4bKvisit{number}
Max-Forwards: 70
From: <sip:visitor{number}@{domain}>;tag=v{number}
To: <sip:p{number}@{domain}>
Call-ID: visit-{number}-{own}
CSeq: 1 SUBSCRIBE
Contact: <sip:visitor{number}@{own};transport=tcp>
Event: presence
Accept: application/pidf+xml
Expires: {expires}
Content-Length: 0

"""
