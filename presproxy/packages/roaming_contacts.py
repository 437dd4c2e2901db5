"""The event package ``vnd-microsoft-roaming-contacts``: a user's own contact list."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from presproxy.documents.lync import contacts
from presproxy.documents.lync.contacts import ContactList
from presproxy.interfaces import IDeltaPackage, IEventPackage, Material
from presproxy.model.notice import Body
from presproxy.packages.own import OwnPackage
from presproxy.sip.uri import AddressOfRecord


@implementer(IEventPackage, IDeltaPackage)
@attrs.frozen
class RoamingContactsPackage(OwnPackage):
    """Groups and contacts, as [MS-SIP] 2.2.1 has them."""

    name = "vnd-microsoft-roaming-contacts"
    produces = (contacts.CONTENT_TYPE,)

    def compose(self, material: Material) -> ContactList:
        """Give the list."""
        account = material.account
        return ContactList() if account is None else account.contacts

    def neutral(self, presentity: AddressOfRecord) -> ContactList:
        """Show an empty list."""
        return ContactList()

    def render(self, state: ContactList, content_type: str) -> Body:
        """Write the whole list."""
        return Body(contacts.CONTENT_TYPE, contacts.write_contact_list(state))

    def render_change(
        self, state: ContactList, former: ContactList, content_type: str
    ) -> bytes:
        """Write what was added, modified and deleted since."""
        return contacts.write_contact_delta(former, state)
