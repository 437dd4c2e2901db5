"""
The keys of our tokens, kept where records are: what they sealed holds after a start.

Whoever can read the storage could write tokens of ours; he could read all that is kept of
users there, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import attrs
from twisted.logger import Logger

from presproxy.errors import Conflict, StorageUnavailable
from presproxy.interfaces import IStorage
from presproxy.model.record import NEVER, Put, Record
from presproxy.proxying.keys import SIZE, Keyring

_log = Logger()

KIND, NAME = "key", "tokens"

#: Seconds between two looks at what is kept.
LOOK = 3600.0

#: Seconds after which a key is followed by another.  Chosen: a week of registrations and
#: calls is what one key that became known would open.
_FOLLOWED = 7 * 86400.0

#: Seconds after which a key is not read with any more.  A registration lasts for a day at
#: the most; chosen for calls and subscriptions that go on for longer.
_READ = 3 * _FOLLOWED

#: Seconds before a new key is written with: by then all nodes have looked.
_SETTLED = 2 * LOOK

#: How often a change is tried again because another node was faster.
_TRIES = 5


@attrs.frozen
class _Key:
    """A key, and when it was made, on the wall clock."""

    made_at: float
    secret: bytes


@attrs.frozen(eq=False)
class KeptKeys:
    """
    Keeps ``ring`` up to what is kept.

    ``random`` gives as many random octets as it is asked for; ``now`` is the wall clock.
    """

    ring: Keyring
    storage: IStorage
    random: Callable[[int], bytes]
    now: Callable[[], float]

    async def look(self) -> None:
        """
        Read the keys that are kept; make the first one, or the next when it is time.

        Raises `StorageUnavailable`.
        """
        for _ in range(_TRIES):
            record = await self.storage.fetch(KIND, NAME)
            kept = [] if record is None else _read(record)
            keys = self._in_time(kept)
            if keys != kept:
                put = _put(keys, 0 if record is None else record.version)
                try:
                    await self.storage.commit((put,))
                except Conflict:
                    continue
            self.ring.take(self._current(keys), [each.secret for each in keys])
            return
        raise StorageUnavailable("the keys of tokens keep changing")

    def _in_time(self, kept: Sequence[_Key]) -> list[_Key]:
        """Give the keys there should be now, the newest first."""
        now = self.now()
        keys = [each for each in kept if each.made_at > now - _READ]
        if not keys or keys[0].made_at <= now - _FOLLOWED:
            keys.insert(0, _Key(now, self.random(SIZE)))
        return keys

    def _current(self, keys: Sequence[_Key]) -> bytes:
        """Give the newest key that all nodes know by now; the oldest if none is so old."""
        until = self.now() - _SETTLED
        return next((k.secret for k in keys if k.made_at <= until), keys[-1].secret)


def _read(record: Record) -> list[_Key]:
    """Read the keys of a record; of one that cannot be read there are none."""
    try:
        keys = [
            _Key(float(made_at), bytes.fromhex(secret))
            for made_at, secret in json.loads(record.payload)
        ]
    except (ValueError, TypeError, RecursionError):
        keys = []
    if not keys or any(len(each.secret) != SIZE for each in keys):
        _log.error(
            "The keys of tokens cannot be read, and others are made: what they sealed "
            "leads nowhere"
        )
        return []
    return sorted(keys, key=lambda each: -each.made_at)


def _put(keys: Sequence[_Key], version: int) -> Put:
    payload = json.dumps([[each.made_at, each.secret.hex()] for each in keys]).encode()
    return Put(KIND, NAME, "", version, NEVER, payload, told=False)
