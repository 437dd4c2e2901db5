"""Kamailio's presence server, in the settings that suit one core best."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import attrs

from bench.processes import start
from bench.servers.databases import Database
from bench.servers.server import (
    LOOPBACK,
    PASSWORD,
    Running,
    Server,
    Wanted,
    free_port,
    wait_until_it_answers,
)

_MODULES = "/usr/lib/*/kamailio/modules"

#: Megabytes of memory shared by its processes, and of each of them alone: more than any
#: scenario needs, and taken only when used.
_SHARED, _OWN = 4096, 64


@attrs.frozen
class Kamailio(Server):
    """
    One worker for UDP, since there is one core, unless ``workers`` says otherwise.

    Subscriptions live in its memory in all variants; ``durable`` says whether they are
    written to the database as well before they are answered.  Publications go to the
    database where there is one.
    """

    family: ClassVar[str] = "kamailio"

    name: str
    title: str
    database: Database
    #: As for ``-x`` and ``-X``; None takes the default.
    allocator: str | None
    durable: bool
    workers: int = 1

    def missing(self) -> str | None:
        """Say what is not installed."""
        modules = _modules()
        if _program() is None or modules is None:
            return "kamailio is not installed"
        for module in filter(None, ("presence", "presence_xml", self.database.module)):
            if not (modules / f"{module}.so").exists():
                return f"kamailio's module {module} is not installed"
        return self.database.missing()

    def versions(self) -> Mapping[str, str]:
        """Name Kamailio and the database."""
        command = [str(_program()), "-v"]
        said = subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout
        return {
            "Kamailio": said.split()[2],
            **self.database.versions(),
        }

    def start(self, folder: Path, core: int, wanted: Wanted) -> Running:
        """Start it and wait until it answers."""
        helpers, url = self.database.start(folder, core)
        port = wanted.port or free_port()
        configuration = folder / "kamailio.cfg"
        configuration.write_text(self._configuration(port, url, wanted))
        log = folder / "kamailio.log"
        process = start(self._command(folder, configuration), core, log, folder=folder)
        wait_until_it_answers(process, port, wanted.transport, log)
        return Running(port, process, helpers)

    def place(self, folder: Path) -> Path:
        """Say where its database keeps its files."""
        return self.database.place(folder)

    def clean(self, folder: Path) -> None:
        """End the database."""
        self.database.clean(folder)

    def _command(self, folder: Path, configuration: Path) -> list[str]:
        allocator = []
        if self.allocator is not None:
            allocator = ["-x", self.allocator, "-X", self.allocator]
        return [
            str(_program()),
            *("-DD", "-E", "-m", str(_SHARED), "-M", str(_OWN)),
            *("-Y", str(folder), "-w", str(folder), "-f", str(configuration)),
            *allocator,
        ]

    def _configuration(self, port: int, url: str, wanted: Wanted) -> str:
        is_tcp = wanted.transport == "tcp"
        database = self.database.module
        return _CONFIGURATION.format(
            workers=self.workers,
            listen=f"{wanted.transport}:{LOOPBACK}:{port}",
            no_tcp="no" if is_tcp else "yes",
            server=f"sip:{LOOPBACK}:{port}" + (";transport=tcp" if is_tcp else ""),
            modules=_modules(),
            load_database=f'loadmodule "{database}.so"' if database else "",
            settings=self.database.settings,
            url=url,
            subscriptions=1 if self.durable else 0,
            load_auth=_LOAD_AUTH if wanted.digest else "",
            ask_auth=_ASK_AUTH % PASSWORD if wanted.digest else "",
            load_calls=_LOAD_CALLS if wanted.relays else "",
            pass_calls=_pass_calls(wanted),
        )


def _pass_calls(wanted: Wanted) -> str:
    if not wanted.relays:
        return ""
    if not wanted.behind:
        return _PASS_CALLS % _TO_CONTACT
    server = f"sip:{LOOPBACK}:{wanted.behind};transport={wanted.transport}"
    return _PASS_CALLS % f'$du = "{server}";'


def _program() -> str | None:
    return shutil.which("kamailio", path="/usr/sbin:/usr/local/sbin:/usr/bin")


def _modules() -> Path | None:
    return next(iter(Path("/").glob(_MODULES[1:])), None)


#: A transaction is made for each request, so that one which is sent again gets the same
#: answer; the presence module alone would refuse it or do it twice.
_CONFIGURATION = """\
debug=-1
log_stderror=yes
children={workers}
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
maxbuffer=4194304
disable_tcp={no_tcp}
listen={listen}
mpath="{modules}/"

loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
{load_database}
loadmodule "presence.so"
loadmodule "presence_xml.so"
{load_auth}
{load_calls}
{settings}
modparam("presence", "db_url", "{url}")
modparam("presence_xml", "db_url", "{url}")
modparam("presence", "server_address", "{server}")
modparam("presence", "subs_db_mode", {subscriptions})
modparam("presence", "subs_htable_size", 14)
modparam("presence", "pres_htable_size", 14)
modparam("presence", "max_expires", 7200)
modparam("presence_xml", "force_active", 1)

request_route {{
{pass_calls}
    if (!t_newtran()) {{
        sl_reply_error();
        exit;
    }}
{ask_auth}
    if (method == "PUBLISH") {{
        handle_publish();
        t_release();
    }} else if (method == "SUBSCRIBE") {{
        handle_subscribe();
        t_release();
    }} else {{
        t_reply("405", "Method Not Allowed");
    }}
    exit;
}}
"""

_LOAD_CALLS = """\
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("usrloc", "db_mode", 0)
"""

#: As its own example does it, without what is for NAT, accounting and gateways.
_PASS_CALLS = """\
    if (is_method("INVITE|ACK|BYE|CANCEL|REGISTER")) {
        if (!mf_process_maxfwd_header("10")) {
            sl_send_reply("483", "Too Many Hops");
            exit;
        }
        if (is_method("CANCEL")) {
            if (t_check_trans()) t_relay();
            exit;
        }
        if (has_totag()) {
            if (loose_route()) {
                t_relay();
            } else if (is_method("ACK")) {
                if (t_check_trans()) t_relay();
            } else {
                sl_send_reply("404", "Not Found");
            }
            exit;
        }
        t_check_trans();
        if (is_method("REGISTER")) {
            save("location");
            exit;
        }
        record_route();
        %s
        if (!t_relay()) sl_reply_error();
        exit;
    }
"""

_TO_CONTACT = """\
if (!lookup("location")) {
            sl_send_reply("404", "Not Found");
            exit;
        }"""

_LOAD_AUTH = """\
loadmodule "auth.so"
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
modparam("auth", "nonce_expire", 3600)
modparam("auth", "nid_pool_no", 1)
modparam("auth", "nc_array_size", 1048576)
"""

_ASK_AUTH = """\
    if (method == "PUBLISH" || method == "SUBSCRIBE") {
        if (!pv_www_authenticate("$fd", "%s", "0")) {
            www_challenge("$fd", "1");
            exit;
        }
    }
"""
