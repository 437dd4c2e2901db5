"""Who sent a request, and how that was proved."""

from __future__ import annotations

import attrs

from presproxy.sip.uri import AddressOfRecord


# Not frozen, as it is made for every request: that takes three times as long.
@attrs.define(unsafe_hash=True, weakref_slot=False)
class Identity:
    """
    A user, and the name of the authenticator who vouches for him.

    ``proof`` is ``open`` where nobody asked for a proof.
    """

    aor: AddressOfRecord
    proof: str
