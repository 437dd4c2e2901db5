"""The domains served here, and how their users are called."""

from __future__ import annotations

from collections.abc import Collection

import attrs

from presproxy.server.answer import Refusal
from presproxy.sip.uri import AddressOfRecord, domain_of


@attrs.frozen(eq=False)
class Domains:
    """
    The domains whose users are ours, in lower case.

    A user of ours is the same by whatever port he is asked for: clients write the port
    they connect to into every URI, or into none.
    """

    names: Collection[str]

    def home(self, aor: AddressOfRecord) -> AddressOfRecord:
        """Give an address as it is kept here: one of ours has no port."""
        if aor.find(":", 4) < 0:
            return aor
        domain = domain_of(aor)
        if domain not in self.names:
            return aor
        user, at, _ = aor[4:].rpartition("@")
        return AddressOfRecord(f"sip:{user}{at}{domain}")

    def ours(self, aor: AddressOfRecord) -> AddressOfRecord:
        """Give an address of ours as it is kept, or refuse with 404."""
        domain = domain_of(aor)
        if domain not in self.names:
            what = "domain" if domain else "number"
            raise Refusal(404, reason=f"This {what} is not served here")
        return self.home(aor)
