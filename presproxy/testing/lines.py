"""
Lines between programs that speak TCP alone and peers that speak TLS.

Debian's SIPp is one of those programs.  Nor can it register by a connection and be called
by the same, which a line does for it, too.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from presproxy.sip.flow import Address
from presproxy.testing.wire import Message

_T = TypeVar("_T")

#: Seconds for a line to be there, and octets that are carried at a time.
_LIMIT = 10.0
_CHUNK = 65536

_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Lines:
    """
    A thread that carries what comes by one connection to another.

    By TLS it shows what is in the file ``shown``, a certificate with its key, and believes
    those whom ``authority`` certified.
    """

    def __init__(self, authority: Path, shown: Path) -> None:
        self._client = ssl.create_default_context(cafile=str(authority))
        self._client.load_cert_chain(shown)
        self._server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._server.load_cert_chain(shown)
        self._lasting: list[asyncio.Task[None]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Cut all lines."""
        self._do(_cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_LIMIT)
        self._loop.close()

    def secured(self, server: Address) -> Address:
        """Open a door for programs, who are led to a server by TLS."""
        return self._do(_door(lambda: _called(server, self._client)))

    def unsecured(self, program: Address) -> Address:
        """Open a door by TLS, which leads to a program."""
        return self._do(_door(lambda: _called(program), self._server))

    def registered(
        self,
        server: Address,
        write: Callable[[Address], bytes],
        program: Address,
        *,
        is_secure: bool = False,
    ) -> Message:
        """
        Connect to a server, register there, and lead what comes after that to a program.

        ``write`` writes the REGISTER for our own address.  Gives the answer.
        """
        context = self._client if is_secure else None
        answer, line = self._do(_registered(server, context, write, program))
        self._lasting.append(line)
        return answer

    def _do(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_LIMIT)


async def _called(address: Address, context: ssl.SSLContext | None = None) -> _End:
    return await asyncio.open_connection(*address, ssl=context)


async def _door(
    onward: Callable[[], Awaitable[_End]], context: ssl.SSLContext | None = None
) -> Address:
    async def come(*end: Any) -> None:
        reader, writer = end
        try:
            other = await onward()
        except OSError:
            # Nobody is there: whoever came is told in the same way.
            writer.close()
            return
        await _join((reader, writer), other)

    server = await asyncio.start_server(come, "127.0.0.1", 0, ssl=context)
    host, port = server.sockets[0].getsockname()
    return host, port


async def _registered(
    server: Address,
    context: ssl.SSLContext | None,
    write: Callable[[Address], bytes],
    program: Address,
) -> tuple[Message, asyncio.Task[None]]:
    reader, writer = await _called(server, context)
    writer.write(write(writer.get_extra_info("sockname")))
    answer = Message.read(await reader.readuntil(b"\r\n\r\n"))
    other = await _called(program)
    return answer, asyncio.create_task(_join((reader, writer), other))


async def _join(one: _End, other: _End) -> None:
    await asyncio.gather(_carry(one[0], other[1]), _carry(other[0], one[1]))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _cut() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
