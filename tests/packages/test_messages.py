from __future__ import annotations

from presproxy.documents.messagesummary import CONTENT_TYPE
from presproxy.interfaces import IEventPackage
from presproxy.packages.messages import MessagesPackage
from presproxy.testing.contracts.package import EventPackageContract


class TestMessagesPackage(EventPackageContract):
    bodies = (
        (CONTENT_TYPE, b"Messages-Waiting: yes\r\nVoice-Message: 1/2 (0/0)\r\n"),
        (CONTENT_TYPE, b"Messages-Waiting: no\r\nMessage-Account: sip:a@b\r\n"),
    )

    def make(self) -> IEventPackage:
        return MessagesPackage()


def test_a_mailbox_is_its_owners_unless_it_is_said_to_be_shared():
    assert MessagesPackage().is_private
    assert not MessagesPackage(shared=True).is_private
