"""
The stage: a server with memory for a storage, its users, and a tape of what was sent.

All of it runs in this process and speaks over real sockets on the loopback.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from presproxy.config import CommandLine, make_plan
from presproxy.extend.find import find_plugins
from presproxy.interfaces import IContactList
from presproxy.model.decision import Handling
from presproxy.service import PresenceServer, build
from presproxy.sip.flow import Address
from presproxy.sip.message import Request, Response, parse_message
from presproxy.sip.uri import AddressOfRecord, address_of_record, user_of
from presproxy.trace import Seen, Tap
from presproxy.useragent import Server, UserAgent

#: Seconds an answer is waited for: on the loopback it is there, or will never be.
LIMIT = 5.0

SERVER = "presproxy"

#: The methods of notifications; the second is never answered ([MS-SIP] 3.5).
NOTIFICATIONS = ("NOTIFY", "BENOTIFY")


@attrs.frozen
class Message:
    """One message on the wire: when, from whom to whom, and what."""

    at: float
    sender: str
    receiver: str
    data: bytes
    read: Request | Response

    @property
    def method(self) -> str:
        """The method of a request, or of what a response answers."""
        return self.read.cseq.method


@attrs.define(eq=False)
class Tape:
    """What the server sent and received, in order."""

    messages: list[Message] = attrs.field(factory=list)
    names: dict[Address, str] = attrs.field(factory=dict)

    def record(self, seen: Seen) -> None:
        """Add one message."""
        there = self.names.get(seen.peer, "?")
        sender, receiver = (
            (SERVER, there) if seen.direction == "out" else (there, SERVER)
        )
        read = parse_message(seen.data)
        self.messages.append(Message(seen.at, sender, receiver, seen.data, read))

    @property
    def is_quiet(self) -> bool:
        """Whether every request on it has been answered."""
        open_requests = set()
        for message in self.messages:
            transaction = (message.read.via.branch, message.method)
            if isinstance(message.read, Request):
                if message.method != "BENOTIFY":
                    open_requests.add(transaction)
            elif message.read.status >= 200:
                open_requests.discard(transaction)
        return not open_requests

    def notified(self, name: str) -> Iterator[Message]:
        """Give the notifications sent to one user."""
        for message in self.messages:
            is_told = message.method in NOTIFICATIONS and message.receiver == name
            if is_told and isinstance(message.read, Request):
                yield message


@attrs.define(eq=False)
class Stage:
    """A server for ``domain``, and whoever has come."""

    server: PresenceServer
    reactor: Any
    tape: Tape
    _agents: list[UserAgent] = attrs.field(factory=list)

    @classmethod
    async def open(cls, reactor: Any, domain: str) -> Stage:
        """Build the server and start it on free ports."""
        line = CommandLine(
            listen=("udp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.1"),
            http="tcp:0:interface=127.0.0.1",
            domain=(domain,),
            storage="memory",
        )
        tape, tap = Tape(), Tap()
        tap.listen(tape.record)
        server = build(make_plan(line, find_plugins()), reactor, tap=tap)
        await server.start()
        return cls(server, reactor, tape)

    async def enter(self, address: str, transport: str) -> UserAgent:
        """Let a user come, by a transport."""
        aor = address_of_record(address)
        agent = UserAgent(aor, self._place(transport), self.reactor, limit=LIMIT)
        self._agents.append(agent)
        await agent.start()
        self.tape.names[await agent.address()] = user_of(aor) or address
        return agent

    async def say(
        self, presentity: AddressOfRecord, watcher: AddressOfRecord, handling: Handling
    ) -> None:
        """Write into a user's contact list."""
        for named in self.server.plan.acl:
            if IContactList.providedBy(named.plugin):
                await named.plugin.handle(presentity, watcher, handling)

    async def close(self) -> None:
        """Let everybody go, and stop the server."""
        for agent in self._agents:
            await agent.stop()
        await self.server.stop()

    def _place(self, transport: str) -> Server:
        for where in self.server.bound:
            if where.transport == transport and where.port:
                return Server("127.0.0.1", where.port, transport)
        raise AssertionError(f"the server listens on no {transport}")
