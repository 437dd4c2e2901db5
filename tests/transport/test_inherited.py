"""Sockets that systemd has opened."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from presproxy.transport.sockets import CannotListen, inherited
from presproxy.transport.where import Where, parse_where

#: What a service does: it says what it was given.
_SERVICE = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
from presproxy.transport.sockets import CannotListen, bind
from presproxy.transport.where import parse_where
for text in sys.argv[1:]:
    try:
        for each in bind(parse_where(text)):
            print(text, *each.getsockname()[:2])
    except CannotListen as error:
        print(text, error.why)
"""


@pytest.fixture
def opened():
    """A datagram socket, a stream, and one for both families."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    stream = socket.create_server(("::1", 0), family=socket.AF_INET6)
    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    with datagrams, stream, both:
        yield datagrams, stream, both


def test_those_that_fit_are_taken(opened):
    datagrams, stream, _ = opened
    texts = [
        "systemd:udp",
        "systemd:tcp:name=sip",
        "systemd:tcp:name=other",
        "systemd:ws:name=both",
        "systemd:udp:name=both",
    ]

    def hand_on():
        # Far away first, as they may lie where they have to go.
        far = [os.dup2(each.fileno(), 40 + n) for n, each in enumerate(opened)]
        for number, each in enumerate(far, 3):
            os.dup2(each, number)

    said = subprocess.run(
        [sys.executable, "-c", _SERVICE, *texts],
        env={
            "PYTHONPATH": ":".join(filter(None, sys.path)),
            "LISTEN_FDS": "3",
            "LISTEN_FDNAMES": "sip:sip:both",
        },
        preexec_fn=hand_on,
        close_fds=False,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert said == [
        f"systemd:udp 127.0.0.1 {datagrams.getsockname()[1]}",
        f"systemd:tcp:name=sip ::1 {stream.getsockname()[1]}",
        "systemd:tcp:name=other systemd has opened no such socket",
        "systemd:ws:name=both the socket is for IPv4 as well: "
        "write BindIPv6Only=ipv6-only",
        "systemd:udp:name=both systemd has opened no such socket",
    ]


@pytest.mark.parametrize("process", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}])
def test_those_of_another_process_are_not_touched(process):
    with pytest.raises(CannotListen, match="no socket for this process"):
        inherited(parse_where("systemd:udp"), process)


def test_nobody_is_let_in_there_without_a_proof():
    assert not Where("udp", 0, "localhost", is_inherited=True).is_loopback
