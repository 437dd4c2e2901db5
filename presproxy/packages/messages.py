"""
The event package ``message-summary`` (RFC 3842): lamps that show that messages wait.

A PBX publishes it or tells it by NOTIFY; the latest word holds.  A mailbox of which
nothing is known has no messages: phones fail on an empty notification.
"""

from __future__ import annotations

from typing import cast

import attrs
from attrs.validators import ge
from zope.interface import implementer

from presproxy.documents import messagesummary
from presproxy.documents.messagesummary import MessageSummary
from presproxy.extend.maker import option
from presproxy.interfaces import Feed, IEventPackage, IPrivatePackage, Material
from presproxy.model.decision import View
from presproxy.model.notice import Body
from presproxy.packages.intervals import Intervals
from presproxy.packages.visible import shows_all
from presproxy.sip.uri import AddressOfRecord

NAME = "message-summary"


@attrs.frozen
class MessageState:
    """What waits for one presentity."""

    presentity: AddressOfRecord
    summary: MessageSummary = attrs.field(factory=MessageSummary)


@implementer(IEventPackage, IPrivatePackage)
@attrs.frozen
class MessagesPackage(Intervals):
    """Whether messages wait (RFC 3842)."""

    shared: bool = option(
        "Let others watch, too, whom the contact ACLs allow; otherwise a user alone "
        "learns what is in his mailbox.",
        default=False,
    )
    #: A PBX tells what changes, and may say nothing for weeks.
    kept: int = option(
        "Seconds for which what a PBX told by a NOTIFY holds, unless it tells more.",
        default=30 * 86400,
        validator=ge(60),
    )

    name = NAME
    produces = (messagesummary.CONTENT_TYPE,)
    accepts = frozenset({messagesummary.CONTENT_TYPE})
    feeds = Feed.PUBLICATIONS

    @property
    def is_private(self) -> bool:
        """Whether none but the presentity may watch."""
        return not self.shared

    def parse(self, content_type: str, data: bytes) -> MessageSummary:
        """Read a summary; raises `MalformedDocument`."""
        return messagesummary.read(data)

    def supersedes(self, document: MessageSummary, earlier: MessageSummary) -> bool:
        """Say yes: there is one mailbox."""
        return True

    def compose(self, material: Material) -> MessageState:
        """Take the latest word."""
        if not material.publications:
            return self.neutral(material.presentity)
        summary = cast(MessageSummary, material.publications[0].document)
        return MessageState(material.presentity, summary)

    def narrow(self, state: MessageState, view: View) -> MessageState:
        """Show all, or nothing."""
        return state if shows_all(view) else self.neutral(state.presentity)

    def neutral(self, presentity: AddressOfRecord) -> MessageState:
        """Show an empty mailbox."""
        return MessageState(presentity)

    def render(self, state: MessageState, content_type: str) -> Body:
        """Write the summary."""
        data = messagesummary.write(state.summary)
        return Body(messagesummary.CONTENT_TYPE, data)
