from __future__ import annotations

import pytest

from presproxy.testing.desk import Desk
from presproxy.testing.scripted import ScriptedACL, ScriptedAuthenticator


@pytest.fixture
def acl():
    return ScriptedACL()


@pytest.fixture
def desk(acl):
    """A server that believes everybody, whose ACL says what it is told to say."""
    return Desk(acl)


@pytest.fixture
def authenticator():
    return ScriptedAuthenticator()


@pytest.fixture
def guarded(acl, authenticator):
    """A server that believes who is known to its authenticator."""
    return Desk(acl, auth=[authenticator])
