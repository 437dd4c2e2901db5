"""
Settings for clients: ``vnd-microsoft-provisioning`` and ``…-v2`` ([MS-SIPREGE] 2.2.2).

There are none.  A client wants to hear that, and most of what could be said would send it
to services that are not here.
"""

from __future__ import annotations

import attrs
from zope.interface import implementer

from presproxy.documents.lync import older, provisioning
from presproxy.interfaces import IEventPackage, IPartialPackage, Material
from presproxy.model.notice import Body
from presproxy.packages.own import OwnPackage
from presproxy.sip.uri import AddressOfRecord

#: The groups of settings that clients know; others are not answered.
GROUPS = (
    "ServerConfiguration",
    "endpointConfiguration",
    "mediaConfiguration",
    "meetingPolicy",
    "persistentChatConfiguration",
    "presencePolicyV2",
    "privacyPublicationGrammar",
    "publicationGrammar",
    "ucPolicy",
    "userSetting",
)

#: What follows the content type where only some groups are asked for.
_PART = ";groups="


@implementer(IEventPackage)
@attrs.frozen
class ProvisioningPackage(OwnPackage):
    """Settings as of 2005, of which there are none."""

    name = "vnd-microsoft-provisioning"
    produces = (older.PROVISIONING_TYPE,)

    def compose(self, material: Material) -> str:
        """Give the same for everybody."""
        return ""

    def neutral(self, presentity: AddressOfRecord) -> str:
        """Give the same as ever."""
        return ""

    def render(self, state: str, content_type: str) -> Body:
        """Write a document with nothing in it."""
        return Body(older.PROVISIONING_TYPE, older.write_older_provisioning())


@implementer(IEventPackage, IPartialPackage)
@attrs.frozen
class ProvisioningV2Package(OwnPackage):
    """The groups of settings which a client asks for, all of them empty."""

    name = "vnd-microsoft-provisioning-v2"
    produces = (provisioning.CONTENT_TYPE,)

    def compose(self, material: Material) -> str:
        """Give the same for everybody."""
        return ""

    def neutral(self, presentity: AddressOfRecord) -> str:
        """Give the same as ever."""
        return ""

    def part(self, content_type: str, body: bytes) -> str:
        """Say which groups are asked for; raises `MalformedDocument`."""
        asked = provisioning.read_provisioning(body)
        return _PART.join((content_type, ",".join(g for g in GROUPS if g in asked)))

    def render(self, state: str, content_type: str) -> Body:
        """Write the groups asked for, all if nobody said which."""
        _, is_part, names = content_type.partition(_PART)
        groups = [each for each in names.split(",") if each] if is_part else GROUPS
        return Body(provisioning.CONTENT_TYPE, provisioning.write_provisioning(groups))
