"""
Branches, tags, Call-IDs, entity-tags and nonces, from a source of randomness handed in.

Whoever needs them in a test hands in a source of his own, and can name them.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable

#: What makes a branch a transaction's own (RFC 3261 §8.1.1.7).
MAGIC_COOKIE = "z9hG4bK"

#: Random bytes in a branch, and branches drawn for at a time.
_WORD = 6
_WORDS = 256


#: Random bytes drawn at a time.
_DRAWN = 4096


class Pool:
    """
    A source of random bytes that draws many at a time from another.

    A call of the system costs more than a dozen words cut from what it gave.
    """

    __slots__ = ("_at", "_bytes", "_random")

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._bytes = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        """Give random bytes, each once."""
        at = self._at
        end = at + count
        if end > len(self._bytes):
            self._bytes = self._random(max(count, _DRAWN))
            at, end = 0, count
        self._at = end
        return self._bytes[at:end]


class Tokens:
    """
    Makes the words which must be unlike any other.

    ``random`` gives as many random bytes as it is asked for, `os.urandom` for one.
    """

    __slots__ = ("_branch", "_count", "_random", "_start", "_words")

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._branch = f"{MAGIC_COOKIE}{random(8).hex()}."
        self._start = random(2).hex()
        self._count = 0
        self._words: list[str] = []

    def branch(self) -> str:
        """
        Give the branch of one transaction (RFC 3261 §8.1.1.7).

        Unique by a count, and not to be guessed: a watcher who knows the branch of his
        own NOTIFY could otherwise answer those of others in their place.
        """
        self._count += 1
        if not self._words:
            # One is needed per NOTIFY, so that they are drawn in bulk.
            drawn = self._random(_WORDS * _WORD).hex()
            self._words = [
                drawn[at : at + 2 * _WORD] for at in range(0, len(drawn), 2 * _WORD)
            ]
        return f"{self._branch}{self._count:x}.{self._words.pop()}"

    def tag(self) -> str:
        """
        Give a tag, of more than the 32 random bits wanted (RFC 3261 §19.3).

        It begins with a count: tags name records, and what is made one after the other
        is then neighbours in a storage's index.
        """
        self._count += 1
        return f"{self._start}{self._count:08x}{self._random(8).hex()}"

    def call_id(self) -> str:
        """Give a Call-ID (RFC 3261 §8.1.1.4)."""
        return self._random(16).hex()

    def entity_tag(self) -> str:
        """Give an entity-tag, which nobody can guess (RFC 3903 §14.3)."""
        return self._random(12).hex()

    def nonce(self) -> str:
        """Give what begins a nonce: 16 random bytes, as characters allowed anywhere."""
        return urlsafe_b64encode(self._random(16)).decode("ascii").rstrip("=")
