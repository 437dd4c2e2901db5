"""Lamps of a Kamailio behind: many who watch here, and few subscriptions there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import attrs
import pytest

from presproxy.documents.dialoginfo import CONTENT_TYPE, Dialog, DialogInfo, write
from presproxy.testing.instance import wait_for
from presproxy.testing.peer import Peer
from presproxy.testing.wire import fresh

PROGRAM = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs kamailio")

#: Seconds; a start takes one, on a machine with nothing else to do.
LIMIT = 60.0

#: Fifty lamps, each watched by ten, are five hundred subscriptions here.
LAMPS, WATCHERS = 50, 10

CONFIGURATION = """\
#!KAMAILIO
debug=2
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "presence.so"
loadmodule "presence_dialoginfo.so"
modparam("presence", "db_url", "")
modparam("presence", "subs_db_mode", 0)
modparam("presence", "publ_cache", 2)
modparam("presence", "server_address", "sip:127.0.0.1:{port};transport={transport}")

request_route {{
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("SUBSCRIBE") && !has_totag()) {{ xlog("L_NOTICE", "asked for $ru\\n"); }}
    if (!t_newtran()) {{ sl_reply_error(); exit; }}
    if (is_method("PUBLISH")) {{ handle_publish(); }}
    if (is_method("SUBSCRIBE")) {{ handle_subscribe(); }}
    t_release();
}}
"""


@attrs.define(eq=False)
class Kamailio:
    """A presence server behind, which forgets all when it is killed."""

    folder: Path
    transport: str
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def start(self):
        self.port = self.port or free_port()
        path = self.folder / "kamailio.cfg"
        path.write_text(CONFIGURATION.format(port=self.port, transport=self.transport))
        with (self.folder / "kamailio.log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-DD", "-E", "-f", str(path), "-Y", str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert wait_for(self.answers, LIMIT, 0.1), self.logs()

    def kill(self):
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(LIMIT)

    def answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.bind(("127.0.0.1", 0))
            asking.settimeout(0.2)
            try:
                asking.sendto(
                    b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch="
                    b"z9hG4bK%d\r\nFrom: <sip:a@h>;tag=a\r\nTo: <sip:h>\r\nCall-ID: a\r\n"
                    b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
                    % (asking.getsockname()[1], time.monotonic_ns()),
                    ("127.0.0.1", self.port),
                )
                return bool(asking.recv(65536))
            except OSError:
                return False

    def logs(self):
        return (self.folder / "kamailio.log").read_text("utf-8", "replace")

    @property
    def asked_for(self):
        """Who was asked for outside of a dialog, in order."""
        return re.findall(r"asked for sip:(\w+)@", self.logs())


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def behind(tmp_path, instances_shown):
    started = []

    def start(transport):
        one = Kamailio(tmp_path, transport)
        started.append(one)
        instances_shown.append(one)
        one.start()
        return one

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def front(servers, tmp_path):
    """A server that fetches lamps from behind."""

    def start(kamailio, **options):
        more = "".join(f"{name} = {value}\n" for name, value in options.items())
        path = tmp_path / "front.toml"
        path.write_text(
            f'[aggregate]\nserver = "{kamailio.transport}:127.0.0.1:{kamailio.port}"\n'
            f'packages = ["dialog"]\n{more}'
        )
        return servers("--config", str(path))

    return start


@attrs.define(eq=False)
class Phone:
    """A PBX's word of one phone, which it publishes behind."""

    user: str
    peer: Peer
    tag: str | None = None

    @property
    def aor(self):
        return f"sip:{self.user}@contoso.com"

    def publish(self, state):
        dialog = Dialog("d", state, f"c{self.user}", "l", "r", "recipient")
        fields = {
            "Event": "dialog",
            "Content-Type": CONTENT_TYPE,
            "From": f"<{self.aor}>;tag={fresh()}",
            "To": f"<{self.aor}>",
            "Expires": "600",
            "SIP-If-Match": self.tag,
        }
        body = write(DialogInfo(self.aor, (dialog,)))
        answer = self.peer.ask("PUBLISH", self.aor, fields, body)
        assert answer.status == 200, answer
        self.tag = answer.need("sip-etag")


def lit(watching, state, limit=LIMIT):
    """Wait for a lamp to show a state, whatever it shows before."""
    watching.notified(f"<state>{state}</state>", limit)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_many_watch_a_lamp_by_one_subscription_behind(behind, front, peers, transport):
    kamailio = behind(transport)
    server = front(kamailio, linger=0)
    pbx = Peer(("127.0.0.1", kamailio.port), "pbx@contoso.com")
    phones = [Phone(fresh("lamp"), pbx) for _ in range(LAMPS)]
    phones[0].publish("confirmed")
    watchers = [peers(server, f"w{n}@contoso.com") for n in range(WATCHERS)]

    lamps = {
        phone.user: [each.subscribe(phone.aor, event="dialog") for each in watchers]
        for phone in phones
    }
    for each in lamps[phones[0].user]:
        lit(each, "confirmed")
    for phone in phones[1:]:
        phone.publish("early")
        for each in lamps[phone.user]:
            lit(each, "early")

    assert sorted(kamailio.asked_for) == sorted(phone.user for phone in phones)
    assert server.metrics()["presproxy_behind_subscriptions"] == LAMPS
    for each in (each for watching in lamps.values() for each in watching):
        assert each.again(0).status == 200
    assert wait_for(
        lambda: server.metrics()["presproxy_behind_subscriptions"] == 0, LIMIT
    )
    pbx.close()


def test_a_server_behind_that_was_killed_is_asked_anew(behind, front, peers):
    kamailio = behind("tcp")
    server = front(kamailio)
    pbx = Peer(("127.0.0.1", kamailio.port), "pbx@contoso.com")
    phones = [Phone(fresh("lamp"), pbx) for _ in range(LAMPS)]
    watchers = [peers(server, f"w{n}@contoso.com") for n in range(WATCHERS)]
    lamps = [
        (phone, each.subscribe(phone.aor, event="dialog"))
        for phone in phones
        for each in watchers
    ]
    for phone in phones:
        phone.publish("confirmed")
    for _, watching in lamps:
        lit(watching, "confirmed")
    # Before the server behind said anything, the lamps were dark.
    for each in watchers:
        each.rest()

    kamailio.kill()
    kamailio.start()
    for phone in phones:
        phone.tag = None
        phone.publish("early")

    for _, watching in lamps:
        lit(watching, "early")
    assert len(kamailio.asked_for) == 2 * LAMPS
    rest = [message.text for each in watchers for message in each.rest()]
    assert all("<state>terminated" not in text for text in rest)
    pbx.close()


def test_a_server_behind_that_comes_late_is_found(behind, front, peers):
    kamailio = behind("tcp")
    kamailio.kill()
    server = front(kamailio)
    pbx = Peer(("127.0.0.1", kamailio.port), "pbx@contoso.com")
    phone = Phone(fresh("lamp"), pbx)
    watching = peers(server, "w@contoso.com").subscribe(phone.aor, event="dialog")
    lit(watching, "terminated")

    kamailio.start()
    phone.publish("early")

    lit(watching, "early")
    pbx.close()
