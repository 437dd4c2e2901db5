"""baresip calls baresip by TLS, through the server and a Kamailio behind it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from contextlib import suppress

import attrs
import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.wire import fresh

pytestmark = [
    pytest.mark.needs("baresip", "baresip/modules/ctrl_tcp.so"),
    pytest.mark.needs("baresip/modules/g711.so", "baresip/modules/aubridge.so"),
    pytest.mark.needs("kamailio", "kamailio/modules/tls.so"),
]

#: Seconds for anything that one of them does.
LIMIT = 20

CONFIGURATION = """\
sip_listen 127.0.0.1:0
sip_cafile {authority}
net_interface 127.0.0.1
module_path /usr/lib/baresip/modules
module g711.so
module aubridge.so
audio_source aubridge,{user}
audio_player aubridge,{user}
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{port}
"""
ACCOUNT = (
    '<sip:{user}@contoso.com;transport={transport}>;outbound="sip:{place};transport='
    '{transport}";regint=60;answermode={answers}\n'
)


@attrs.define(eq=False)
class Baresip:
    """One of them, told what to do by its JSON interface."""

    user: str
    folder: object
    process: subprocess.Popen[bytes]
    port: int
    stream: socket.socket | None = None
    heard: bytes = b""

    def do(self, command, params=""):
        """Tell it something."""
        data = json.dumps({"command": command, "params": params}).encode()
        self.stream.sendall(b"%d:%b," % (len(data), data))

    def connects(self):
        """Try to connect to its interface."""
        try:
            self.stream = socket.create_connection(("127.0.0.1", self.port), 1)
        except OSError:
            return False
        self.stream.settimeout(0.1)
        return True

    def says(self, happening):
        """Wait for an event."""

        def has_said():
            with suppress(TimeoutError):
                self.heard += self.stream.recv(65536)
            return f'"type":"{happening}"'.encode() in self.heard

        assert wait_for(has_said, LIMIT), (happening, self.heard, self.logs())

    def logs(self):
        return (self.folder / "output").read_text("utf-8", "replace")


@pytest.fixture(params=["udp", "tls"])
def between(request):
    return request.param


@pytest.fixture
def baresip(front, authority, tmp_path, free_port):
    """Starts one that is registered."""
    started = []

    def start(name, transport, answers="manual"):
        user, port = fresh(name), free_port()
        folder = tmp_path / user
        folder.mkdir()
        host, at = front.tls if transport == "tls" else front.tcp
        (folder / "config").write_text(
            CONFIGURATION.format(authority=authority.path, user=user, port=port)
        )
        (folder / "accounts").write_text(
            ACCOUNT.format(
                user=user, transport=transport, place=f"{host}:{at}", answers=answers
            )
        )
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                ["baresip", "-4", "-s", "-f", str(folder)],
                cwd=folder,
                env={**os.environ, "HOME": str(folder), "TERM": "dumb"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        client = Baresip(user, folder, process, port)
        started.append(client)
        assert wait_for(client.connects, LIMIT), client.logs()
        assert wait_for(lambda: "200 OK" in client.logs(), LIMIT), client.logs()
        return client

    yield start
    for each in started:
        each.process.kill()
        each.process.wait(LIMIT)


@pytest.mark.parametrize("far", ["tls", "tcp"])
@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_a_call_is_taken_and_ended_by_either(baresip, far, ends):
    alice = baresip("alice", "tls")
    bob = baresip("bob", far, answers="auto")

    alice.do("dial", f"sip:{bob.user}@contoso.com")
    alice.says("CALL_RINGING")
    alice.says("CALL_ESTABLISHED")
    bob.says("CALL_ESTABLISHED")
    (alice if ends == "caller" else bob).do("hangup")

    alice.says("CALL_CLOSED")
    bob.says("CALL_CLOSED")


def test_a_call_that_rings_is_given_up(baresip):
    alice, bob = baresip("alice", "tls"), baresip("bob", "tls")

    alice.do("dial", f"sip:{bob.user}@contoso.com")
    bob.says("CALL_INCOMING")
    alice.says("CALL_RINGING")
    alice.do("hangup")

    bob.says("CALL_CLOSED")


def test_a_call_is_refused(baresip):
    alice, bob = baresip("alice", "tls"), baresip("bob", "tls")

    alice.do("dial", f"sip:{bob.user}@contoso.com")
    bob.says("CALL_INCOMING")
    bob.do("hangup")

    alice.says("CALL_CLOSED")
    assert b"486" in alice.heard or b"Busy" in alice.heard, alice.heard
