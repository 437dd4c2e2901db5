"""Who sent a request, and how that was proved."""

from __future__ import annotations

import attrs

from presproxy.sip.uri import AddressOfRecord


# Not frozen, as it is made for every request: that takes three times as long.
@attrs.define(unsafe_hash=True, weakref_slot=False)
class Identity:
    """
    A user, and the name of the authenticator who vouches for him.

    ``proof`` is ``open`` where nobody asked for a proof.  ``is_asserted`` says that
    another whom we trust has asked him, and that he may be somebody else than From says
    (RFC 3325 §4).
    """

    aor: AddressOfRecord
    proof: str
    is_asserted: bool = attrs.field(default=False, eq=False)
