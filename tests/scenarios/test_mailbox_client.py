"""A mailbox's lamp on a client that others have written: baresip with its module mwi."""

from __future__ import annotations

import os
import subprocess

import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.peer import Peer
from presproxy.testing.wire import fresh

# It asks again without end when it is told to wait, as a busy machine does.
pytestmark = [pytest.mark.alone, pytest.mark.needs("baresip")]

SUMMARY = "application/simple-message-summary"
LIMIT = 30
PBX = "127.0.0.2"

CONFIG = """\
sip_listen 127.0.0.1:0
net_interface 127.0.0.1
module_path /usr/lib/baresip/modules
module_tmp account.so
module_app menu.so
module_app mwi.so
"""
ACCOUNT = (
    "<sip:{user}@contoso.com;transport={transport}>;auth_pass=any;regint=600"
    ';mwi=yes;outbound="sip:127.0.0.1:{port};transport={transport}"\n'
)


@pytest.fixture
def server(servers, tmp_path):
    path = tmp_path / "presproxy.toml"
    # Answered 503 it would ask again at once, and without end.
    patient = "[limits]\nlate = 20\nlate_keeping = 20\n"
    path.write_text(f'pbx = ["{PBX}"]\n{patient}')
    return servers("--config", str(path))


@pytest.fixture(params=["udp", "tcp"])
def phone(request, server, tmp_path):
    """Starts baresip, and gives its user and what reads all that it has printed."""
    user = fresh("alice")
    port = (server.udp if request.param == "udp" else server.tcp)[1]
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "accounts").write_text(
        ACCOUNT.format(user=user, transport=request.param, port=port)
    )
    (tmp_path / "contacts").touch()
    printed = tmp_path / "output"
    with printed.open("wb") as output:
        process = subprocess.Popen(
            ["baresip", "-4", "-f", str(tmp_path)],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), "TERM": "dumb"},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    yield user, lambda: printed.read_text("utf-8", "replace")
    process.kill()
    process.wait(LIMIT)


def test_a_lamp_for_mail_is_lit_and_goes_out(phone, server):
    user, printed = phone
    aor = f"sip:{user}@contoso.com"
    pbx = Peer(server.udp, "pbx@pbx.example.net", host=PBX)
    fields = {
        "Event": "message-summary",
        "Subscription-State": "active",
        "Content-Type": SUMMARY,
    }

    assert wait_for(lambda: "Messages-Waiting: no" in printed(), LIMIT), printed()
    lit = pbx.ask(
        "NOTIFY",
        aor,
        fields,
        "Messages-Waiting: yes\r\nVoice-Message: 2/5 (0/0)\r\n",
    )
    assert wait_for(lambda: "Voice-Message: 2/5 (0/0)" in printed(), LIMIT), printed()
    dark = pbx.ask(
        "NOTIFY", aor, fields, "Messages-Waiting: no\r\nVoice-Message: 0/7 (0/0)\r\n"
    )

    assert wait_for(lambda: "Voice-Message: 0/7 (0/0)" in printed(), LIMIT), printed()
    assert (lit.status, dark.status) == (200, 200)
    pbx.close()
