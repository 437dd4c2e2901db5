"""
What a contact costs who is watched in a batch, against one watched by himself.

Both are watched as Lync clients do it: the first state rides in the answer, changes are told
by BENOTIFY, and all of a watcher's goes by his one connection.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence

import attrs

from bench.check import Check, Promise
from bench.incoming import Incoming
from bench.measure import Bench, fresh
from bench.processes import cpu_of
from bench.servers.server import DOMAIN, LOOPBACK, Server, Wanted
from bench.size import Size
from bench.text import figure

#: What a contact in a batch may cost at most of one who is watched by himself.
AT_MOST = 0.25

#: Seconds that anything is waited for.
_PATIENCE = 60.0

#: Requests of one watcher that wait for their answers, so that buffers never fill.
_WINDOW = 20


@attrs.frozen
class Roster:
    """So many contacts in the list of each of so many watchers."""

    contacts: int
    watchers: int


@attrs.frozen
class Batches:
    """
    Microseconds of the server's CPU.

    ``batched`` and ``single`` are for each contact that a watcher begins to watch;
    ``told_batched`` and ``told_single`` for each BENOTIFY, the PUBLISH it comes from
    among them.
    """

    roster: Roster
    batched: float
    single: float
    told_batched: float
    told_single: float


def measure_batches(server: Server, bench: Bench, roster: Roster) -> Batches:
    """Let the same be watched in both ways, each with a server of its own."""
    batched, told_batched = _measure_one(server, bench, roster, _watch_all)
    single, told_single = _measure_one(server, bench, roster, _watch_each)
    return Batches(roster, batched, single, told_batched, told_single)


def _measure_one(
    server: Server, bench: Bench, roster: Roster, watch: Callable[[_Peer, int], None]
) -> tuple[float, float]:
    wanted = Wanted(transport="tcp")
    with fresh(server, bench.cores.server, wanted) as (running, _):

        def used() -> float:
            return sum(cpu_of(pid) for pid in running.pids)

        publisher = _Peer.arrive(running.port, "publisher")
        peers = [
            _Peer.arrive(running.port, f"w{number}")
            for number in range(roster.watchers + 1)
        ]
        _publish_all(publisher, roster.contacts, "here")
        # What is rendered for all is there, once somebody has seen it.
        watch(peers.pop(), roster.contacts)
        before = used()
        for peer in peers:
            watch(peer, roster.contacts)
        begun = used()
        _publish_all(publisher, roster.contacts, "gone")
        for peer in peers:
            peer.take_told(roster.contacts)
        told = used()
        for peer in (publisher, *peers):
            peer.connection.close()
    each = roster.contacts * roster.watchers / 1e6
    return (begun - before) / each, (told - begun) / each


# -- Who is there ----------------------------------------------------------------------


@attrs.define(eq=False)
class _Peer:
    """Somebody with one connection, who asks and is told by it."""

    connection: socket.socket
    name: str
    asked: int = 0
    #: BENOTIFYs that came while something else was waited for.
    told: int = 0
    _incoming: Incoming = attrs.field(init=False)

    @_incoming.default
    def _by_the_connection(self) -> Incoming:
        return Incoming(self.connection)

    @classmethod
    def arrive(cls, port: int, name: str) -> _Peer:
        return cls(socket.create_connection((LOOPBACK, port), _PATIENCE), name)

    def ask(self, method: str, user: str, fields: Sequence[str], body: str) -> None:
        """Send a request about a user; nobody waits for the answer yet."""
        host, port = self.connection.getsockname()
        self.asked += 1
        text = "\r\n".join(
            [
                f"{method} sip:{user}@{DOMAIN} SIP/2.0",
                f"Via: SIP/2.0/TCP {host}:{port};branch=z9hG4bK{self.name}-{self.asked}",
                "Max-Forwards: 70",
                f"From: <sip:{self.name}@{DOMAIN}>;tag={self.name}",
                f"To: <sip:{user}@{DOMAIN}>",
                f"Call-ID: {self.name}-{self.asked}",
                f"CSeq: 1 {method}",
                f"Contact: <sip:{self.name}@{host}:{port};transport=tcp>",
                "Event: presence",
                *fields,
                f"Content-Length: {len(body.encode())}",
                "",
                body,
            ]
        )
        self.connection.sendall(text.encode())

    def take_answer(self) -> None:
        """Wait for an answer, which must be a 200."""
        while True:
            line = self._line()
            if not line.startswith(b"BENOTIFY "):
                break
            self.told += 1
        if not line.startswith(b"SIP/2.0 200 "):
            raise RuntimeError(f"{self.name} was answered {line.decode()!r}")

    def take_told(self, count: int) -> None:
        """Wait for so many BENOTIFYs."""
        while self.told < count:
            line = self._line()
            if not line.startswith(b"BENOTIFY "):
                raise RuntimeError(f"{self.name} was sent {line.decode()!r}")
            self.told += 1

    def _line(self) -> bytes:
        """Take the next message, and give its first line."""
        return self._incoming.take().partition(b"\r\n")[0]


def _publish_all(peer: _Peer, contacts: int, note: str) -> None:
    """Let each contact publish, one after the other, so that none are told together."""
    for number in range(contacts):
        peer.name = f"c{number}"
        peer.ask(
            "PUBLISH",
            peer.name,
            ["Content-Type: application/pidf+xml", "Expires: 3600"],
            _PIDF.format(uri=f"sip:{peer.name}@{DOMAIN}", note=note),
        )
        peer.take_answer()


def _watch_all(peer: _Peer, contacts: int) -> None:
    """Watch all contacts by one SUBSCRIBE."""
    listed = "".join(
        f'<resource uri="sip:c{number}@{DOMAIN}"/>' for number in range(contacts)
    )
    body = _BATCH.format(uri=f"sip:{peer.name}@{DOMAIN}", listed=listed)
    asked = ("Require: adhoclist, categoryList", f"Content-Type: {_BATCHED}")
    peer.ask("SUBSCRIBE", peer.name, (*_AS_LYNC, *asked), body)
    peer.take_answer()


def _watch_each(peer: _Peer, contacts: int) -> None:
    """Watch each contact by a SUBSCRIBE of his own."""
    for number in range(contacts):
        peer.ask("SUBSCRIBE", f"c{number}", _AS_LYNC, "")
        if number >= _WINDOW:
            peer.take_answer()
    for _ in range(min(_WINDOW, contacts)):
        peer.take_answer()


_BATCHED = "application/msrtc-adrl-categorylist+xml"

_AS_LYNC = (
    "Accept: application/rlmi+xml, multipart/related, "
    "application/msrtc-event-categories+xml, application/pidf+xml",
    "Supported: eventlist",
    "Supported: ms-piggyback-first-notify",
    "Supported: ms-benotify",
    "Proxy-Require: ms-benotify",
)

_BATCH = (
    '<batchSub xmlns="http://schemas.microsoft.com/2006/01/sip/batch-subscribe" '
    'uri="{uri}" name=""><action name="subscribe" id="1"><adhocList>{listed}</adhocList>'
    '<categoryList xmlns="http://schemas.microsoft.com/2006/09/sip/categorylist">'
    '<category name="calendarData"/><category name="contactCard"/>'
    '<category name="note"/><category name="state"/></categoryList></action></batchSub>'
)

_PIDF = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="{uri}"><tuple id="t">'
    "<status><basic>open</basic></status><note>{note}</note></tuple></presence>"
)


# -- In the report ---------------------------------------------------------------------


def _measure(server: Server, bench: Bench, size: Size) -> Batches:
    return measure_batches(server, bench, Roster(200, size.rosters))


def _rows(found: Batches) -> Iterator[list[str]]:
    roster = found.roster
    for what, batched, single in (
        (f"SUBSCRIBE, each of {roster.contacts}", found.batched, found.single),
        (
            f"BENOTIFY to one of {roster.watchers}",
            found.told_batched,
            found.told_single,
        ),
    ):
        ratio = batched / single if single else 0.0
        yield [what, figure(batched), figure(single), f"{ratio:.2f}"]


def _promises(found: Batches) -> Iterator[Promise]:
    ratio = found.batched / found.single if found.single else 0.0
    row = f"a batch of {found.roster.contacts}"
    yield Promise(row, "of as many subscriptions", ratio, AT_MOST)


BATCHES = Check(
    "batches",
    "Microseconds of CPU for each contact, in a batch and by himself",
    ("what", "in a batch", "by himself", "ratio"),
    _measure,
    _rows,
    ("presproxy",),
    note=(
        "Watched as Lync clients do it; what is rendered for all is there before.  Each "
        "BENOTIFY has its share of the PUBLISH that it comes from."
    ),
    promises=_promises,
)
