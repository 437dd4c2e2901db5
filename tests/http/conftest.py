from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import treq
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol, connectionDone

from presproxy.acl.contacts import ContactsACL
from presproxy.http.site import HttpDoor
from presproxy.testing.desk import Desk
from presproxy.testing.waiting import waiting_fixture
from presproxy.transport.where import Where


@attrs.define(eq=False)
class Door:
    """The other door of a server, on a free port."""

    desk: Desk
    door: HttpDoor
    port: int

    @property
    def open(self) -> Any:
        """The connections that are open."""
        return self.door.site.open

    async def close(self) -> None:
        """Close it."""
        await self.door.stop()

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        """Make a request; give status, headers and what the body says."""
        response = await treq.request(
            method, f"http://127.0.0.1:{self.port}{path}", persistent=False, **more
        )
        return Answer(response.code, response.headers, await response.content())

    async def get(self, path: str) -> Any:
        """Give what is shown at a path below ``/api/v1/``."""
        answer = await self.ask("GET", f"/api/v1/{path}")
        assert answer.code == 200, answer.body
        return answer.json


@attrs.frozen
class Answer:
    code: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        assert self.header("content-type") == "application/json; charset=utf-8"
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        values = self.headers.getRawHeaders(name)
        return values[0] if values else None


class Wire(Protocol):
    """A connection on which octets are written as a test says."""

    def __init__(self) -> None:
        self.data = b""
        self.closed: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = connectionDone) -> None:
        if reason.check(ConnectionDone, ConnectionLost):
            self.closed.callback(self.data)
        else:
            self.closed.errback(reason)


@waiting_fixture
async def open_door():
    """Makes doors, which are closed after the test."""
    doors = []

    async def open_one(desk: Desk | None = None, **limits: Any) -> Door:
        if desk is None:
            desk = Desk(ContactsACL(limit=3))
        desk.server.is_ready = True
        door = HttpDoor(reactor, desk.server.sight(), **limits)
        doors.append(door)
        return Door(desk, door, door.listen(Where("tcp", 0, "127.0.0.1")).port)

    yield open_one
    for door in doors:
        await door.stop()


@waiting_fixture
async def door(open_door):
    """A door whose server believes everybody and keeps contact lists."""
    yield await open_door()


@pytest.fixture
def connect() -> Callable[[Door], Any]:
    """Open a connection to a door."""

    async def make(door: Door) -> Wire:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", door.port)
        wire: Wire = await connectProtocol(endpoint, Wire())
        return wire

    return make
