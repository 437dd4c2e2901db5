"""What the benchmark knows of a server: how it is started, and what runs."""

from __future__ import annotations

import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import attrs

from bench.processes import stop

#: Seconds a server may take to answer, at its start.
_PATIENCE = 60.0

#: Users' password, where a scenario wants one.
PASSWORD = "wonderland"

#: The domain of all users.
DOMAIN = "bench.test"

LOOPBACK = "127.0.0.1"


class DidNotStart(Exception):
    """A server ended, kept silent, or cannot do what is wanted; tells why."""


@attrs.frozen
class Wanted:
    """What a scenario wants of a server, beside being one."""

    transport: str = "udp"
    #: Whether everybody has to prove who he is, by Digest.
    digest: bool = False
    #: How many users there are, when they have to prove it.
    users: int = 0
    #: The port to listen on; a free one when 0.
    port: int = 0
    #: Whether TCP is spoken on the same port, too.
    also_tcp: bool = False
    #: The port its own account of itself is asked at; any when 0.
    http: int = 0
    #: Whether calls go through it; its users then register, unless they do so behind.
    relays: bool = False
    #: The port of the server behind it, on the same transport; none when 0.
    behind: int = 0
    #: Seconds that a request may have waited before it is refused; its own when 0.
    late: float = 0.0


@attrs.define(eq=False)
class Running:
    """A server that runs; ``port`` is open on the loopback."""

    port: int
    process: subprocess.Popen[bytes]
    #: Others it needs, such as its database; they count as part of it.
    helpers: list[subprocess.Popen[bytes]] = attrs.field(factory=list)

    @property
    def pids(self) -> list[int]:
        """The roots of what is measured."""
        return [self.process.pid, *(helper.pid for helper in self.helpers)]

    def stop(self, *, hard: bool = False) -> None:
        """End the server, not its helpers; ``hard`` is a ``kill -9``."""
        stop(self.process, hard=hard)


class Server(ABC):
    """One column of the table."""

    #: Whose server it is; those of one family are variants.
    family: ClassVar[str]
    #: What the command line calls it.
    name: str
    #: What stands at the head of its column.
    title: str
    #: Whether what it has answered survives the end of the process.
    durable: bool

    @abstractmethod
    def missing(self) -> str | None:
        """Say why it cannot be measured here; None when it can."""

    @abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Name all that it is made of, with the versions."""

    @abstractmethod
    def start(self, folder: Path, core: int, wanted: Wanted) -> Running:
        """
        Start it with its state in ``folder``, and give it back when it answers.

        An empty folder is a new server; one that was used before, the same again.
        """

    def place(self, folder: Path) -> Path:
        """Say where the files of its state are: in ``folder``, unless it says otherwise."""
        return folder

    def clean(self, folder: Path) -> None:  # noqa: B027  # most have nothing to do
        """Put away what lies outside ``folder``, and end the helpers."""


def free_port() -> int:
    """Give a port of the loopback that is free for UDP and for TCP."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        ):
            stream.bind((LOOPBACK, 0))
            port: int = stream.getsockname()[1]
            try:
                datagrams.bind((LOOPBACK, port))
            except OSError:
                continue
            return port


def wait_until_it_answers(
    process: subprocess.Popen[bytes], port: int, transport: str, log: Path
) -> None:
    """Ask the server with OPTIONS until anything comes back; end it when nothing does."""
    with ended_if_it_fails(process):
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if process.poll() is not None:
                raise DidNotStart(
                    f"it ended with {process.returncode}; {said_last(log)}"
                )
            if _answers(port, transport):
                return
            time.sleep(0.01)
        raise DidNotStart(f"it kept silent for {_PATIENCE:.0f} s; {said_last(log)}")


@contextmanager
def ended_if_it_fails(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process that nobody else knows of yet when its start is not completed."""
    try:
        yield
    except BaseException:
        if process.poll() is None:
            stop(process)
        raise


def said_last(log: Path) -> str:
    """Give the last lines of what a server said."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "it said: " + " | ".join(lines[-5:])


def _answers(port: int, transport: str) -> bool:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as asking:
        asking.settimeout(0.2)
        try:
            asking.connect((LOOPBACK, port))
            host, own = asking.getsockname()
            if own == port:
                # Nobody has the port yet but we, who would hear ourselves.
                return False
            text = _OPTIONS.format(transport=transport.upper(), host=host, port=own)
            asking.sendall(text.replace("\n", "\r\n").encode())
            return bool(asking.recv(4096))
        except OSError:
            return False


_OPTIONS = """\
OPTIONS sip:nobody@bench.test SIP/2.0
Via: SIP/2.0/{transport} {host}:{port};branch=z9hG4bKprobe{port}
Max-Forwards: 70
From: <sip:probe@bench.test>;tag=probe
To: <sip:nobody@bench.test>
Call-ID: probe-{port}
CSeq: 1 OPTIONS
Content-Length: 0

"""
