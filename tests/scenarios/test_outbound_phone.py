"""baresip with ``sipnat=outbound``: it is started anew, and found by its next flow."""

from __future__ import annotations

import os
import subprocess

import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.peer import Peer
from presproxy.testing.wire import fresh

pytestmark = pytest.mark.needs(
    "baresip", "baresip/modules/menu.so", "baresip/modules/uuid.so"
)

#: Seconds for anything that it does.
LIMIT = 30

CONFIGURATION = """\
sip_listen 127.0.0.1:0
net_interface 127.0.0.1
module_path /usr/lib/baresip/modules
module_tmp uuid.so
module_tmp account.so
module_app menu.so
"""
URN = "085e0bd8-031c-5a0d-8d9a-f149aae6954a"


@pytest.fixture
def phone(tmp_path):
    """Starts it, again and again; it registers by a connection to a place."""
    user = fresh("bob")
    started = []

    def start(place):
        for each in started:
            # As when its battery is taken out.
            each.kill()
            each.wait(LIMIT)
        folder = tmp_path / f"{user}{len(started)}"
        folder.mkdir()
        (folder / "config").write_text(CONFIGURATION)
        (folder / "uuid").write_text(URN)
        (folder / "accounts").write_text(
            f"<sip:{user}@contoso.com;transport=tcp>;sipnat=outbound;regint=60"
            f';outbound="sip:{place[0]}:{place[1]};transport=tcp"\n'
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
        started.append(process)
        return user, lambda: (folder / "output").read_text("utf-8", "replace")

    yield start
    for each in started:
        each.kill()
        each.wait(LIMIT)


def text(server, uri):
    """Send a text to a URI; give the status of its answer."""
    alice = Peer(server.tcp, "alice@contoso.com", "tcp")
    alice.send(alice.write("MESSAGE", uri, {"Content-Type": "text/plain"}, "Hi"))
    return alice.expect(lambda each: each.status >= 200, LIMIT).status


def test_it_is_found_by_its_next_flow(servers, phone):
    server = servers()
    user, log = phone(server.tcp)
    assert wait_for(lambda: "200 OK" in log(), LIMIT), log()
    assert "Require: outbound" in log()
    assert "Flow-Timer: 120" in log()
    gruu = f"sip:{user}@contoso.com;gr=urn:uuid:{URN}"
    assert f'pub-gruu="{gruu}"' in log()
    before = text(server, gruu)
    assert "MESSAGE sip:" in log()

    user, log = phone(server.tcp)
    assert wait_for(lambda: "200 OK" in log(), LIMIT), log()

    # The flow before is not there beside it, though its contact was another.
    assert "[1 binding]" in log()
    assert text(server, gruu) == before
    assert "MESSAGE sip:" in log()
