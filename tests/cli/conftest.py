"""Commands run in this process against a server in this process, or in one of their own."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import attrs
import pytest
import pytest_twisted
from click.testing import CliRunner, Result
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.threads import blockingCallFromThread, deferToThread

from presproxy.cli.commands import cli
from presproxy.cli.running import Surroundings
from presproxy.config import CommandLine, make_plan
from presproxy.extend.find import find_plugins
from presproxy.service import PresenceServer, build

#: Seconds after which nothing comes any more.
PATIENCE = 10.0

_MAIN = "from presproxy.cli import main; main()"

Invoke = Callable[..., Awaitable[Result]]


@pytest.fixture
def invoke() -> Invoke:
    """Run one command line in this process."""

    def run(command):
        return blockingCallFromThread(
            reactor, lambda: Deferred.fromCoroutine(command(reactor))
        )

    async def invoke(*arguments: str, input: str | None = None) -> Result:
        return await deferToThread(
            CliRunner().invoke, cli, arguments, obj=Surroundings(run), input=input
        )

    return invoke


@attrs.define(eq=False)
class Served:
    """A server, and how commands are told where it is."""

    server: PresenceServer

    def at(self, transport: str = "udp") -> list[str]:
        """Give the options which say where SIP is spoken."""
        port = next(w.port for w in self.server.bound if w.transport == transport)
        return ["--server", f"127.0.0.1:{port}", "--transport", transport]

    @property
    def api(self) -> list[str]:
        """Give the option which says where HTTP is spoken."""
        return ["--api", f"http://127.0.0.1:{self.server.http_bound.port}"]


async def serving(**given: object) -> AsyncIterator[Served]:
    line = CommandLine(
        listen=("udp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.1"),
        http="tcp:0:interface=127.0.0.1",
        domain=("example.test",),
        storage="memory",
        **given,
    )
    server = build(make_plan(line, find_plugins()), reactor)
    await server.start()
    yield Served(server)
    await server.stop()


@pytest_twisted.async_yield_fixture
async def served() -> AsyncIterator[Served]:
    """A server which believes everybody."""
    async for each in serving():
        yield each


@pytest_twisted.async_yield_fixture
async def guarded(tmp_path: Path, invoke: Invoke) -> AsyncIterator[Served]:
    """A server which knows alice by her password, wonderland."""
    users = tmp_path / "users"
    await invoke(
        "passwd", str(users), "alice@example.test", "--stdin", input="wonderland\n"
    )
    (tmp_path / "password").write_text("wonderland\n")
    async for each in serving(auth=(f"digest:users={users}",)):
        yield each


class Process(ProcessProtocol):
    """A command in a process of its own."""

    def __init__(self) -> None:
        self.out = ""
        self.err = ""
        self.ended: Deferred[int] = Deferred()
        self._waiting: list[tuple[str, Deferred[None]]] = []

    def outReceived(self, data: bytes) -> None:
        self.out += data.decode()
        for each in tuple(self._waiting):
            text, waiting = each
            if text in self.out:
                self._waiting.remove(each)
                waiting.callback(None)

    def errReceived(self, data: bytes) -> None:
        self.err += data.decode()

    def processEnded(self, reason) -> None:
        terminated = reason.check(ProcessTerminated)
        self.ended.callback(reason.value.exitCode if terminated else 0)
        for text, waiting in self._waiting:
            waiting.errback(AssertionError(f"{text!r} not in {self.out + self.err!r}"))

    async def says(self, text: str) -> None:
        """Wait until it has printed something."""
        if text not in self.out:
            waiting: Deferred[None] = Deferred()
            self._waiting.append((text, waiting))
            await waiting.addTimeout(PATIENCE, reactor)

    async def interrupted(self) -> int:
        """Press Ctrl-C, and give the exit status."""
        self.transport.signalProcess(signal.SIGINT)
        return await self.status()

    async def status(self) -> int:
        """Wait for the exit status."""
        return await self.ended.addTimeout(PATIENCE, reactor)


@pytest.fixture
def start() -> Callable[..., Process]:
    """Start a command line in a process of its own."""
    processes = []

    def start(*arguments: str, **environment: str) -> Process:
        process = Process()
        processes.append(process)
        reactor.spawnProcess(
            process,
            sys.executable,
            [sys.executable, "-c", _MAIN, *arguments],
            env={
                **os.environ,
                "PYTHONPATH": ":".join(filter(None, sys.path)),
                "PYTHONIOENCODING": "utf-8",
                **environment,
            },
        )
        return process

    yield start
    for process in processes:
        if process.transport.pid is not None:
            process.transport.signalProcess(signal.SIGKILL)


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
