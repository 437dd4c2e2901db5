from __future__ import annotations

import pytest

from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.phones import Phone
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


@pytest.fixture
def phones(desk):
    """Makes user agents, by a stream each or by datagrams."""
    ports = iter(range(40001, 41000))

    async def towards(peer):
        return desk.flow.towards(peer)

    desk.server.core.proxy.targets.ways.datagrams_to = towards

    def make(user, kind="stream", more=None, **fields):
        peer = ("192.0.2.50", next(ports))
        if kind == "stream":
            flow = RecordingStream(peer)
        else:
            flow = desk.flow.towards(peer)
        phone = Phone(desk, user, flow)
        if more is not None:
            phone.register(more, fields)
        return phone

    return make


@pytest.fixture
def alice(phones):
    return phones("alice")


@pytest.fixture(params=["stream", "datagram"])
def bob(request, phones):
    return phones("bob", request.param, "")
