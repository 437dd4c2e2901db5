"""
Nonces which prove themselves, and how often each was used (RFC 7616 §3.3, §3.4).

A nonce holds the moment it was made and a code over it, so none is remembered until an
answer to it has been verified.  From then on its counts are: each is good once.

It knows no digests: it is asked about nonces whose answer was right.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable

import attrs

_MOMENT = 6
_RANDOM = 6
#: 96 bits: guessing one takes longer than any nonce lives, and the text is 32 characters,
#: as long as the nonces old phones are used to.
_CODE = 12
_LENGTH = (_MOMENT + _RANDOM + _CODE) * 4 // 3

#: How far a count may come late and still be good: UDP reorders what one user agent sent
#: at once.  Chosen; an int of this many bits costs no more than a small one.
_WINDOW = 60
_MASK = (1 << _WINDOW) - 1


@attrs.define(eq=False)
class _Uses:
    """
    The counts seen of one nonce.  ``made`` is in milliseconds.

    Bit n of ``seen`` is the count ``highest`` - n.  ``source`` is where an answer without
    counts came from first.
    """

    made: int
    highest: int = 0
    seen: int = 0
    source: str | None = None

    def count(self, nc: int) -> bool:
        """Take a count, unless it was seen before or is too old to tell."""
        ahead = nc - self.highest
        if ahead > 0:
            self.seen = ((self.seen << ahead) & _MASK if ahead < _WINDOW else 0) | 1
            self.highest = nc
            return True
        bit = 1 << -ahead if ahead > -_WINDOW else 0
        if not bit or self.seen & bit:
            return False
        self.seen |= bit
        return True


class Nonces:
    """
    Makes nonces, and says whether one may be used (again).

    ``life`` is how long one is good, in seconds; ``limit`` how many are remembered.  When
    there are more, the oldest are forgotten, and are stale from then on.
    """

    def __init__(self, life: float, limit: int, random: Callable[[int], bytes]) -> None:
        self._life = int(life * 1000)
        self._limit = limit
        self._random = random
        self._key = random(32)
        self._uses: OrderedDict[str, _Uses] = OrderedDict()
        #: No nonce made up to here is taken unless it is remembered.
        self._forgotten = -1

    def __len__(self) -> int:
        return len(self._uses)

    def make(self, now: float) -> str:
        """Give a new nonce."""
        made = int(now * 1000).to_bytes(_MOMENT, "big") + self._random(_RANDOM)
        return urlsafe_b64encode(made + self._code(made)).decode("ascii")

    def use(self, nonce: str, nc: int | None, source: str, now: float) -> bool:
        """
        Say whether this use is good, and remember it.

        ``nc`` counts the uses; it must not have been seen with this nonce, but may leave
        out any number of others.  Where it is None (RFC 2069) any number of uses is good,
        if all come from the ``source`` of the first.
        """
        uses = self._uses.get(nonce)
        if uses is None:
            uses = self._begin(nonce, now)
        if uses is None or not 0 <= int(now * 1000) - uses.made <= self._life:
            return False
        if nc is not None:
            return uses.count(nc)
        if uses.source is None:
            uses.source = source
        return uses.source == source

    def _begin(self, nonce: str, now: float) -> _Uses | None:
        made = self._moment(nonce)
        if made is None or made <= self._forgotten:
            return None
        if int(now * 1000) - made > self._life:
            return None
        uses = self._uses[nonce] = _Uses(made)
        self._forget(int(now * 1000) - self._life)
        return uses

    def _forget(self, dead: int) -> None:
        """Drop what is older than ``dead``, and what is too many."""
        while self._uses:
            oldest = next(iter(self._uses.values()))
            if oldest.made >= dead and len(self._uses) <= self._limit:
                return
            self._uses.popitem(last=False)
            self._forgotten = max(self._forgotten, oldest.made)

    def _moment(self, nonce: str) -> int | None:
        """Give when a nonce of ours was made; None for any other text."""
        # The decoder passes over what is not base64: only the length says all of it was.
        if len(nonce) != _LENGTH:
            return None
        try:
            data = urlsafe_b64decode(nonce)
        except ValueError:
            return None
        made, code = data[: _MOMENT + _RANDOM], data[_MOMENT + _RANDOM :]
        if not hmac.compare_digest(code, self._code(made)):
            return None
        return int.from_bytes(made[:_MOMENT], "big")

    def _code(self, made: bytes) -> bytes:
        return hmac.digest(self._key, made, "sha256")[:_CODE]
