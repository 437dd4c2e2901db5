"""A bound on guessing: who failed too often waits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from ipaddress import IPv6Address

import attrs

from presproxy.errors import SignInRefused

#: How many users of one address may be guessed at for every failure of one user.  Chosen:
#: a gateway with a few phones that have a wrong password must not lock out the others.
_USERS_AT_ONCE = 10


@attrs.define(eq=False)
class _Failed:
    times: int
    until: float


@attrs.define(eq=False)
class Attempts:
    """
    How often each of many failed of late.

    ``allowed`` failures within ``window`` seconds, and whoever it was waits as long; 0
    never makes anybody wait.  At most ``limit`` are remembered, the latest begun.
    """

    allowed: int
    window: float = 60.0
    limit: int = 65536
    _failed: OrderedDict[Hashable, _Failed] = attrs.field(
        init=False, factory=OrderedDict
    )

    def __len__(self) -> int:
        return len(self._failed)

    def must_wait(self, who: Hashable, now: float) -> bool:
        """Whether this one has failed too often."""
        failed = self._failed.get(who)
        return (
            failed is not None and failed.times >= self.allowed and now < failed.until
        )

    def fail(self, who: Hashable, now: float) -> None:
        """Count one failure."""
        if not self.allowed:
            return
        failed = self._failed.get(who)
        if failed is None or now >= failed.until:
            self._failed.pop(who, None)
            failed = self._failed[who] = _Failed(0, now + self.window)
        failed.times += 1
        if failed.times == self.allowed:
            failed.until = now + self.window
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._failed:
            who, oldest = next(iter(self._failed.items()))
            if now < oldest.until and len(self._failed) <= self.limit:
                return
            del self._failed[who]


@attrs.define(eq=False)
class Guesses:
    """
    Wrong passwords, by the user they were for and by where they came from.

    ``allowed`` of one user from one address within a minute, and he is refused from there
    for a minute; after ten times as many, so is everybody.  0 counts none.
    """

    allowed: int
    _of_user: Attempts = attrs.field(init=False)
    _from_source: Attempts = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._of_user = Attempts(self.allowed)
        self._from_source = Attempts(self.allowed * _USERS_AT_ONCE)

    def check(self, host: str, user: Hashable, now: float) -> None:
        """Raise `SignInRefused` if there were too many."""
        source = network_of(host)
        # Hashed, as a username may be as long as a message.
        if self._of_user.must_wait(
            hash((source, user)), now
        ) or self._from_source.must_wait(source, now):
            raise SignInRefused("too many wrong passwords; try again in a minute")

    def fail(self, host: str, user: Hashable, now: float) -> None:
        """Count one."""
        source = network_of(host)
        self._of_user.fail(hash((source, user)), now)
        self._from_source.fail(source, now)


def network_of(host: str) -> str:
    """
    Give what one subscriber of a network is expected to have.

    That is one IPv4 address, but a /64 of IPv6: there, every guess can have an address
    of its own.
    """
    if ":" not in host:
        return host
    try:
        return IPv6Address(host.partition("%")[0]).exploded[:19]
    except ValueError:
        return host
