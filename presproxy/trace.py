"""
The tap: messages as they went over the wire.

A `Tap` costs one test of an empty tuple per message while nobody looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import attrs

Direction = Literal["in", "out"]


@attrs.frozen
class Seen:
    """
    One message on the wire.

    ``at`` is a moment on the wall clock; ``transport`` as Via writes it; ``local`` and
    ``peer`` are (host, port).
    """

    at: float
    direction: Direction
    transport: str
    local: tuple[str, int]
    peer: tuple[str, int]
    data: bytes


Listener = Callable[[Seen], None]


@attrs.define(eq=False)
class Tap:
    """
    Where transports show each message, and whoever wants to look listens.

    A transport tests ``listeners`` before it builds a `Seen`.
    """

    listeners: tuple[Listener, ...] = ()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Show every message to ``listener`` from now on; call what is returned to stop."""
        self.listeners = (*self.listeners, listener)

        def stop() -> None:
            self.listeners = tuple(
                each for each in self.listeners if each is not listener
            )

        return stop

    def show(self, seen: Seen) -> None:
        """Hand one message to all who listen."""
        for listener in self.listeners:
            listener(seen)
