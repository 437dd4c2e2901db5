"""A relay in front of a server, for clients that read one message at a time."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

from presproxy.sip.flow import Address
from presproxy.testing.wire import cut

#: Seconds in which a client reads what was sent to it.
_ONE_READ = 0.05


def relay_to(server: Address) -> int:
    """
    Listen for clients of ours, and hand them what the server sends one by one.

    libpurple's SIMPLE takes one message each time it reads from a connection, and leaves
    what came together with it until more comes.  Gives the port; the relay lasts as long
    as the process.
    """
    door = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_relay_all, args=(door, server), daemon=True).start()
    port: int = door.getsockname()[1]
    return port


def _relay_all(door: socket.socket, server: Address) -> None:
    while True:
        client, _ = door.accept()
        try:
            upstream = socket.create_connection(server)
        except OSError:
            # Nobody is there just now; the client may come again.
            client.close()
            continue
        for relay, ends in (
            (_relay_as_it_comes, (client, upstream)),
            (_relay_one_by_one, (upstream, client)),
        ):
            threading.Thread(target=relay, args=ends, daemon=True).start()


def _relay_as_it_comes(source: socket.socket, target: socket.socket) -> None:
    with source, target, suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


def _relay_one_by_one(source: socket.socket, target: socket.socket) -> None:
    rest = b""
    with source, target, suppress(OSError):
        while data := source.recv(65536):
            messages, rest = cut(rest + data)
            for message in messages:
                target.sendall(message)
                time.sleep(_ONE_READ)
