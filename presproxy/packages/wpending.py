"""The event package ``presence.wpending``: who waits for a user's answer, as of 2005."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from presproxy.documents.lync import older
from presproxy.interfaces import IEventPackage, Material
from presproxy.model.notice import Body
from presproxy.packages.own import OwnPackage
from presproxy.sip.uri import AddressOfRecord

#: Addresses and names of those who wait.
Waiting = tuple[tuple[str, str], ...]


@implementer(IEventPackage)
@attrs.frozen
class WpendingPackage(OwnPackage):
    """Subscribers whom the user has not acknowledged ([MS-SIP] 2.2.1)."""

    name = "presence.wpending"
    produces = (older.PENDING_TYPE,)

    def compose(self, material: Material) -> Waiting:
        """List them in the order they came."""
        account = material.account
        subscribers = () if account is None else account.subscribers
        return tuple(
            (each.user, each.display_name)
            for each in subscribers
            if not each.is_acknowledged
        )

    def neutral(self, presentity: AddressOfRecord) -> Waiting:
        """Show that nobody waits."""
        return ()

    def render(self, state: Waiting, content_type: str) -> Body:
        """Write all of them."""
        return Body(older.PENDING_TYPE, older.write_pending(state))
