"""
The event package ``vnd-microsoft-roaming-ACL``: whom a user lets see him, as of 2005.

It shows what the contact list says of watchers; what holds for all others is the house's.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from zope.interface import implementer

from presproxy.documents.lync import older
from presproxy.documents.lync.older import AccessEntry
from presproxy.interfaces import IEventPackage, Material
from presproxy.model.decision import Handling
from presproxy.model.notice import Body
from presproxy.packages.own import OwnPackage
from presproxy.sip.uri import AddressOfRecord

#: What each handling is called there: the first letter is for presence, the second for
#: everything else, which nobody is kept from here.
RIGHTS = {
    Handling.ALLOW: "AA",
    Handling.CONFIRM: "PA",
    Handling.POLITE_BLOCK: "BA",
    Handling.BLOCK: "DA",
}

_WHOLE_DOMAIN = "sip:*@"


@attrs.frozen
class AccessState:
    """What is said of watchers; ``delta`` counts the changes, from 1."""

    delta: int = 1
    entries: Sequence[AccessEntry] = ()


@implementer(IEventPackage)
@attrs.frozen
class RoamingAclPackage(OwnPackage):
    """Who may see a user, as [MS-SIP] 2.2.3 has it."""

    name = "vnd-microsoft-roaming-acl"
    produces = (older.ACL_TYPE,)

    def compose(self, material: Material) -> AccessState:
        """List what is said, by address."""
        account = material.account
        if account is None:
            return AccessState()
        entries = [
            _entry(watcher, handling)
            for watcher, handling in sorted(account.handlings.items())
        ]
        return AccessState(account.contacts.delta, tuple(entries))

    def neutral(self, presentity: AddressOfRecord) -> AccessState:
        """Show that nothing is said of anybody."""
        return AccessState()

    def render(self, state: AccessState, content_type: str) -> Body:
        """Write the whole list."""
        return Body(older.ACL_TYPE, older.write_acl(state.delta, state.entries))


def _entry(watcher: AddressOfRecord, handling: Handling) -> AccessEntry:
    if watcher.startswith(_WHOLE_DOMAIN):
        domain = watcher.removeprefix(_WHOLE_DOMAIN)
        return AccessEntry("DOMAIN", domain, RIGHTS[handling])
    return AccessEntry("USER", watcher, RIGHTS[handling])
