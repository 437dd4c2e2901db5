from pathlib import Path

from colleagues import Colleagues

from presproxy.interfaces import IContactACL
from presproxy.testing.contracts.acl import ContactACLContract


class TestColleagues(ContactACLContract):
    def make(self, directory: Path) -> IContactACL:
        return Colleagues(team=["sip:alice@example.test", "sip:bob@example.test"])
