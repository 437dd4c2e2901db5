"""
A presence server of a few lines, which can be told to make mistakes.

It is there to see that the load driver sees them.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

import attrs

from bench.servers.server import LOOPBACK

Way = tuple[str, int]
Fields = dict[str, str]

#: Seconds between two looks at what has expired.
_TICK = 0.05


@attrs.define(eq=False)
class Subscriber:
    """Whom to tell, with what a NOTIFY's head repeats."""

    ours: str
    theirs: str
    call_id: str
    target: str
    way: Way
    ends_at: float
    cseq: int = 0


def honest(server: Server, subscriber: Subscriber, state: str) -> None:
    """Tell one watcher of a change."""
    server.notify(subscriber, state)


class Server:
    """
    A presence server over UDP, honest but for what ``tell`` and ``end`` do.

    ``tell`` is called for each watcher of each change, and ``end`` for each whose
    subscription ends; ``answers`` says whether a request is answered at all, and ``ask``
    may give a challenge to it.
    """

    def __init__(
        self,
        tell: Callable[[Server, Subscriber, str], None] = honest,
        answers: Callable[[Fields], bool] = lambda request: True,
        ask: Callable[[Fields], str | None] = lambda request: None,
        end: Callable[[Server, Subscriber, str], None] | None = None,
    ) -> None:
        self._tell = tell
        self._answers = answers
        self._ask = ask
        self._end = end or Server.notify_last
        self._subscribers: dict[str, dict[str, Subscriber]] = defaultdict(dict)
        self._states: dict[str, str] = {}
        self._published_until: dict[str, float] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self._socket.settimeout(_TICK)
        self.told = 0
        #: What watchers are told by, and the responses that came to it.
        self.method = "NOTIFY"
        self.answered = 0
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"end", (LOOPBACK, self.port))
        self._thread.join()
        self._socket.close()

    def notify(
        self,
        subscriber: Subscriber,
        state: str,
        *,
        cseq: int | None = None,
        call_id: str | None = None,
        branch: str = "",
        said: str = "active;expires=3600",
    ) -> None:
        """Send a NOTIFY, with the next CSeq unless told another."""
        if cseq is None:
            subscriber.cseq += 1
        cseq = subscriber.cseq if cseq is None else cseq
        self._send(
            [
                f"{self.method} {subscriber.target} SIP/2.0",
                f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{cseq}{branch}",
                f"From: {subscriber.ours}",
                f"To: {subscriber.theirs}",
                f"Call-ID: {call_id or subscriber.call_id}",
                f"CSeq: {cseq} {self.method}",
                "Event: presence",
                f"Subscription-State: {said}",
            ],
            state,
            subscriber.way,
        )

    def notify_last(self, subscriber: Subscriber, state: str) -> None:
        """Send the last NOTIFY of a subscription."""
        self.notify(subscriber, state, said="terminated;reason=timeout")

    def _serve(self) -> None:
        while True:
            self._expire(time.monotonic())
            try:
                data, way = self._socket.recvfrom(65536)
            except TimeoutError:
                continue
            if data == b"end":
                return
            self._receive(data, way)

    def _receive(self, data: bytes, way: Way) -> None:
        head, _, body = data.decode().partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        if first.startswith("SIP/2.0"):
            self.answered += 1
            return
        request = dict(line.split(": ", 1) for line in lines)
        request["method"], request["uri"], _ = first.split(" ")
        if not self._answers(request):
            return
        challenge = self._ask(request)
        if challenge:
            self._answer(request, way, [challenge], "401 Unauthorized")
        elif request["method"] == "PUBLISH":
            self._publish(request, body, way)
        elif request["method"] == "REGISTER":
            self._answer(request, way, [])
        else:
            self._subscribe(request, way)

    def _publish(self, request: Fields, body: str, way: Way) -> None:
        presentity, expires = request["uri"], int(request["Expires"])
        self._answer(request, way, ["SIP-ETag: x", f"Expires: {expires}"])
        self._published_until[presentity] = time.monotonic() + expires
        if body or not expires:
            self._change(presentity, body)

    def _change(self, presentity: str, state: str) -> None:
        self._states[presentity] = state
        for subscriber in self._subscribers[presentity].values():
            self.told += 1
            self._tell(self, subscriber, state)

    def _subscribe(self, request: Fields, way: Way) -> None:
        presentity = _inside(request["To"])
        expires = int(request["Expires"])
        contact = f"Contact: <sip:127.0.0.1:{self.port}>"
        self._answer(request, way, [contact, f"Expires: {expires}"])
        ends_at = time.monotonic() + expires
        subscriber = self._subscribers[presentity].setdefault(
            request["Call-ID"],
            Subscriber(
                f"<{presentity}>;tag=s",
                request["From"],
                request["Call-ID"],
                _inside(request["Contact"]),
                way,
                ends_at,
            ),
        )
        subscriber.ends_at = ends_at
        if expires:
            self.notify(subscriber, self._states.get(presentity, ""))
        else:
            self._finish(presentity, subscriber)

    def _finish(self, presentity: str, subscriber: Subscriber) -> None:
        del self._subscribers[presentity][subscriber.call_id]
        self._end(self, subscriber, self._states.get(presentity, ""))

    def _expire(self, now: float) -> None:
        for presentity, until in list(self._published_until.items()):
            if until <= now:
                del self._published_until[presentity]
                if self._states[presentity]:
                    self._change(presentity, "")
        for presentity, subscribers in list(self._subscribers.items()):
            for subscriber in list(subscribers.values()):
                if subscriber.ends_at <= now:
                    self._finish(presentity, subscriber)

    def _answer(
        self, request: Fields, way: Way, fields: Iterable[str], status: str = "200 OK"
    ) -> None:
        to = request["To"] + ("" if ";tag=" in request["To"] else ";tag=s")
        kept = [
            f"{name}: {request[name]}" for name in ("Via", "From", "Call-ID", "CSeq")
        ]
        self._send([f"SIP/2.0 {status}", *kept, f"To: {to}", *fields], "", way)

    def _send(self, lines: Iterable[str], body: str, way: Way) -> None:
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
        self._socket.sendto((head + body).encode(), way)


def _inside(address: str) -> str:
    return address.partition("<")[2].partition(">")[0]
