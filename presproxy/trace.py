"""
The tap: messages as they went over the wire, and what caused those that we began.

While nobody looks, a `Tap` costs one test of None per message; while a `Ring` records,
it costs one tuple and one append, and nothing is parsed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Literal

import attrs

Direction = Literal["in", "out"]

_Address = tuple[str, int]

Entry = tuple[float, float | None, str, _Address, _Address, bytes]
"""
What is recorded of a message, as a transport writes it.

The moment; None for a message that came in, and else the `Tap.cause` of that moment; the
transport as Via writes it; our end and the peer's; the message.  It holds no flow, which
would keep a connection alive.
"""

Record = Callable[[Entry], object]


@attrs.frozen
class Seen:
    """
    One message on the wire.

    ``at`` is a moment on the clock of latencies; ``cause`` is None for a message that
    came in; ``transport`` is as Via writes it; ``local`` and ``peer`` are (host, port).
    """

    at: float
    cause: float | None
    transport: str
    local: _Address
    peer: _Address
    data: bytes

    @property
    def direction(self) -> Direction:
        """Whether it came or went."""
        return "in" if self.cause is None else "out"


Listener = Callable[[Seen], None]


@attrs.define(eq=False)
class Tap:
    """
    Where transports show each message, and whoever wants to look listens.

    A transport tests ``record`` before it makes an `Entry`.  Who sends a request since
    something came sets ``cause`` around the sending: to the moment that came at, on the
    clock of latencies.  It is 0 where nothing did.
    """

    record: Record | None = None
    cause: float = 0.0
    _records: tuple[Record, ...] = ()

    def keep(self, record: Record) -> Callable[[], None]:
        """Give every entry to ``record`` from now on; call what is returned to stop."""
        self._records = (*self._records, record)
        self._choose()

        def stop() -> None:
            self._records = tuple(each for each in self._records if each is not record)
            self._choose()

        return stop

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Show every message to ``listener`` from now on; call what is returned to stop."""
        return self.keep(lambda entry: listener(Seen(*entry)))

    def _choose(self) -> None:
        """Let a single one be called without a detour."""
        records = self._records
        self.record = self._all if len(records) > 1 else next(iter(records), None)

    def _all(self, entry: Entry) -> None:
        for record in self._records:
            record(entry)


@attrs.frozen
class Bounds:
    """What a ring holds at the most: messages, octets of them, and seconds."""

    messages: int = 20_000
    octets: int = 32 * 2**20
    age: float = 600.0


@attrs.define(eq=False)
class Ring:
    """
    The latest messages, numbered as they come.

    ``append`` is the deque's own.  What is too much is dropped by `trim`, to be called
    every second or sooner, and whenever it is looked at; between two calls it holds what
    came in that time besides.
    """

    bounds: Bounds = attrs.field(factory=Bounds)
    #: The number of the oldest one that is held.
    first: int = attrs.field(default=1, init=False)
    octets: int = attrs.field(default=0, init=False)
    append: Record = attrs.field(init=False)
    _entries: deque[Entry] = attrs.field(factory=deque, init=False)
    #: How many of those held are counted in ``octets``.
    _counted: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.append = self._entries.append

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def next(self) -> int:
        """The number that the next message will have; one less were seen in all."""
        return self.first + len(self._entries)

    def trim(self, now: float) -> None:
        """Drop what is too old or too much; ``now`` is on the clock of the entries."""
        entries, bounds = self._entries, self.bounds
        new = len(entries) - self._counted
        # From the end: to go to a place in the middle takes a walk each time.
        self.octets += sum(len(entry[5]) for entry in islice(reversed(entries), new))
        self._counted = len(entries)
        too_old = now - bounds.age
        while entries and (
            len(entries) > bounds.messages
            or self.octets > bounds.octets
            or entries[0][0] < too_old
        ):
            self.octets -= len(entries.popleft()[5])
            self._counted -= 1
            self.first += 1

    def since(self, number: int, most: int) -> list[tuple[int, Entry]]:
        """Give up to ``most`` entries with their numbers, from ``number`` on."""
        entries, first = self._entries, self.first
        begin = max(0, number - first)
        end = min(len(entries), begin + most)
        return [(first + place, entries[place]) for place in range(begin, end)]

    def get(self, number: int) -> Entry | None:
        """Give one entry; None if it is held no more, or not yet there."""
        place = number - self.first
        return self._entries[place] if 0 <= place < len(self._entries) else None
