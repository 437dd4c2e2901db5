"""Visitors tell a refusal from no answer."""

from __future__ import annotations

import socket
import threading

import pytest

from bench.visits import Visits
from presproxy.testing.instance import wait_for

BUSY = b"SIP/2.0 503 Service Unavailable\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def refusing():
    """The port of a server that has no time for anybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(connection)
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        def answer(connection: socket.socket) -> None:
            try:
                while connection.recv(65536):
                    connection.sendall(BUSY)
            except OSError:
                pass

        connections: list[socket.socket] = []
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()


def test_who_is_refused_does_not_wait_for_more(refusing):
    visits = Visits(refusing, core=0, rate=200.0)

    visits.start()
    refused = wait_for(lambda: visits.counted["refused"] > 2, 5)
    visits.stop()

    assert refused
    assert visits.counted["unanswered"] == 0
