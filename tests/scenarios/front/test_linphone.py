"""Linphone calls Linphone by TLS, through the server and a Kamailio behind it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import attrs
import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.wire import fresh

pytestmark = [
    pytest.mark.needs("linphonec"),
    pytest.mark.needs("kamailio", "kamailio/modules/tls.so"),
]

#: Seconds for anything that one of them does.
LIMIT = 30

#: It takes no address for what a certificate is for, so it looks at who made it alone.
SETTINGS = """\
[sip]
default_proxy=0
sip_port=-1
sip_tcp_port=-1
sip_tls_port=-1
root_ca={authority}
verify_server_certs=1
verify_server_cn=0
register_only_when_network_is_up=0
guess_hostname=0
[proxy_0]
reg_proxy=<sip:127.0.0.1:{port};transport=tls>
reg_route=<sip:127.0.0.1:{port};transport=tls;lr>
reg_identity=sip:{user}@contoso.com
reg_expires=60
reg_sendregister=1
publish=0
"""


@attrs.define(eq=False)
class Linphone:
    """Its console."""

    user: str
    folder: Path
    process: subprocess.Popen[bytes]

    def do(self, line):
        """Tell it something."""
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def says(self, text):
        """Wait for words of its own."""
        assert wait_for(lambda: text in self.logs(), LIMIT), (text, self.logs())

    def is_registered(self):
        """Ask it; what it says may come later."""
        self.do("status register")
        return "registered, identity=" in self.logs()

    def logs(self):
        return (self.folder / "output").read_text("utf-8", "replace")


@pytest.fixture
def between():
    return "tls"


@pytest.fixture
def linphone(front, authority, tmp_path):
    """Starts one that is registered."""
    started = []

    def start(name, *options):
        user = fresh(name)
        folder = tmp_path / user
        (folder / ".local/share/linphone").mkdir(parents=True)
        (folder / "rc").write_text(
            SETTINGS.format(authority=authority.path, port=front.tls[1], user=user)
        )
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                ["linphonec", "-c", str(folder / "rc"), *options],
                cwd=folder,
                env={**os.environ, "HOME": str(folder), "TERM": "dumb"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started.append(client := Linphone(user, folder, process))
        assert wait_for(client.is_registered, LIMIT, 0.3), client.logs()
        return client

    yield start
    for each in started:
        each.process.kill()
        each.process.wait(LIMIT)


def test_a_call_is_taken_and_ended(linphone):
    bob = linphone("bob", "-a")
    alice = linphone("alice")

    alice.do(f"call sip:{bob.user}@contoso.com")
    alice.says("connected")
    bob.says("connected")
    alice.do("terminate")

    alice.says("ended (No error)")
    bob.says("ended (No error)")


def test_a_call_is_refused(linphone):
    bob, alice = linphone("bob"), linphone("alice")

    alice.do(f"call sip:{bob.user}@contoso.com")
    bob.says("Receiving new incoming call")
    bob.do("terminate")

    alice.says("declined")
