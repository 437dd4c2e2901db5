"""
The keys that seal what we write for ourselves into others' messages.

One is written with, and those before it are still read with, so that a token outlives both
a change of keys and, if the keys are kept, the process that wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

#: Octets of a key: the most that BLAKE2s takes.
SIZE = 32


@attrs.define(eq=False)
class Keyring:
    """
    Keys, each at most 32 octets long.

    ``current`` is the one that is written with; ``known`` are all that are read with, the
    current one first.
    """

    current: bytes
    known: Sequence[bytes] = attrs.field(init=False)

    @known.default
    def _the_one(self) -> Sequence[bytes]:
        return (self.current,)

    def take(self, current: bytes, others: Sequence[bytes]) -> None:
        """Write with another key from now on, and read with ``others``, too."""
        self.current = current
        self.known = (current, *(each for each in others if each != current))
