from __future__ import annotations

from presproxy.acl.open import OpenACL
from presproxy.testing.contracts.acl import ContactACLContract


class TestOpenACL(ContactACLContract):
    def make(self, directory):
        return OpenACL()
