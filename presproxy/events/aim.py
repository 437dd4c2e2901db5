"""What a server behind is asked for, or told of."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from presproxy.sip.uri import AddressOfRecord, domain_of, escape_user, user_of


@attrs.frozen
class Scope:
    """Event packages, of the users of some domains; of all where none is named."""

    packages: Collection[str]
    domains: Collection[str] = ()

    def has(self, presentity: AddressOfRecord, package: str) -> bool:
        """Whether this is in it."""
        if package not in self.packages:
            return False
        return not self.domains or domain_of(presentity) in self.domains


@attrs.frozen
class Aim:
    """
    What is fetched from behind or passed there, and how.

    All that is in one of ``scopes``; ``domain`` is what the users' is called behind, where
    that is not the same.  ``expires`` is the interval asked for, ``linger`` how long a
    subscription outlives its last watcher, and ``stale`` how long what is not confirmed
    any more is shown, for ever if 0; ``wait`` is how long the first who watches is told
    nothing, so that he is told once.  All are seconds.
    """

    scopes: Sequence[Scope]
    domain: str = ""
    expires: int = 300
    linger: float = 30.0
    stale: float = 300.0
    wait: float = 0.0
    most: int = 10_000

    def takes_in(self, presentity: AddressOfRecord, package: str) -> bool:
        """Whether this is."""
        return any(scope.has(presentity, package) for scope in self.scopes)

    def name_behind(self, presentity: AddressOfRecord) -> AddressOfRecord:
        """Give what a presentity is called behind."""
        user = user_of(presentity)
        if not self.domain or user is None:
            return presentity
        return AddressOfRecord(f"sip:{escape_user(user)}@{self.domain}")
