"""
Kamailio as the server behind: a process on an address of its own on the loopback.

It is a registrar that keeps Path (RFC 3327), and a proxy that stays in dialogs.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

from presproxy.sip.flow import Address
from presproxy.testing.wire import family, written

PROGRAM = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")

#: Seconds for a start and a stop; each takes about one.
_LIMIT = 20.0

_MODULES = Path("/usr/lib/x86_64-linux-gnu/kamailio/modules")

_CONFIGURATION = """\
#!KAMAILIO
debug=2
log_stderror=yes
children={children}
tcp_children=2
mpath="{modules}"
listen=udp:{written}:{port}
listen=tcp:{written}:{port}
{secure}alias="{domain}"
auto_aliases=no
dns=no
rev_dns=no
{loaded}
modparam("tm", "fr_timer", 5000)
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 0)
modparam("rr", "enable_full_lr", 1)
{more}

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("OPTIONS") && uri == myself && $rU == $null) {{ sl_send_reply("200", "OK"); exit; }}
    {served}
    if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
        sl_send_reply("404", "Not here");
        exit;
    }}
    if (!is_method("ACK")) {{ t_check_trans(); }}
    if (is_method("INVITE|SUBSCRIBE")) {{ record_route(); }}
    if (is_method("REGISTER")) {{ save("location"); exit; }}
    if (uri != myself) {{ sl_send_reply("403", "Relaying denied"); exit; }}
    if (!lookup("location")) {{ sl_send_reply("404", "Not registered"); exit; }}
    t_relay();
}}
"""

#: By TLS it shows its certificate, and wants one of whoever it talks to.
_SECURE = """\
listen=tls:{written}:{port}
enable_tls=yes
"""
_CERTIFIED = """\
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "{certificate}")
modparam("tls", "private_key", "{certificate}")
modparam("tls", "ca_list", "{authority}")
modparam("tls", "verify_certificate", 1)
modparam("tls", "require_certificate", 1)
"""

_LOADED = (
    *("sl", "tm", "rr", "pv", "maxfwd", "usrloc", "registrar", "textops", "siputils"),
    *("xlog",),
)


@attrs.define(eq=False)
class Kamailio:
    """
    One server, that can be started again on the same port.

    ``modules`` are loaded beside the usual ones; ``more`` are lines of its configuration
    before its routes, and ``served`` are some in them, before anything else is served but
    OPTIONS.

    With a ``certificate``, a file with its key in it as well, and an ``authority`` to
    believe, it speaks TLS at ``secure_port``.
    """

    folder: Path
    domain: str = "contoso.com"
    host: str = "127.0.0.2"
    port: int = 0
    modules: Sequence[str] = ()
    more: str = ""
    served: str = ""
    children: int = 2
    certificate: Path | None = None
    authority: Path | None = None
    secure_port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def written(self) -> str:
        """Its host as URIs write it."""
        return written(self.host)

    @property
    def uri(self) -> str:
        """Its URI, without a transport."""
        return f"sip:{self.written}:{self.port}"

    def uri_by(self, transport: str) -> str:
        """Its URI, by a transport."""
        port = self.secure_port if transport == "tls" else self.port
        return f"sip:{self.written}:{port};transport={transport}"

    @property
    def address(self) -> Address:
        """Host and port."""
        return self.host, self.port

    def start(self) -> None:
        """Start, and wait until it answers; raises `RuntimeError` with its log."""
        if PROGRAM is None:
            raise RuntimeError("kamailio is not installed")
        self.port = self.port or free_port(self.host)
        path = self.folder / "kamailio.cfg"
        loaded, secure, more = [*_LOADED, *self.modules], "", self.more
        if self.certificate is not None:
            self.secure_port = self.secure_port or free_port(self.host)
            loaded.append("tls")
            secure = _SECURE.format(written=self.written, port=self.secure_port)
            certified = _CERTIFIED.format(
                certificate=self.certificate, authority=self.authority
            )
            more = certified + more
        path.write_text(
            _CONFIGURATION.format(
                modules=_MODULES,
                written=self.written,
                port=self.port,
                domain=self.domain,
                children=self.children,
                loaded="\n".join(f'loadmodule "{each}.so"' for each in loaded),
                secure=secure,
                more=more,
                served=self.served,
            )
        )
        with (self.folder / "kamailio.log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-DD", "-f", str(path), "-Y", str(self.folder), "-m", "64"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + _LIMIT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(self.log()[-4000:])

    def kill(self) -> None:
        """End it and all its workers at once."""
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_LIMIT)

    def stop(self) -> None:
        """Ask it to end; it is killed if it does not."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()

    def log(self) -> str:
        """Give all it has logged."""
        return (self.folder / "kamailio.log").read_text("utf-8", "replace")

    def logs(self) -> str:
        """Give all it has logged."""
        return self.log()

    def _answers(self) -> bool:
        """Ask it by OPTIONS."""
        with socket.socket(family(self.host), socket.SOCK_DGRAM) as asking:
            asking.bind(("::1" if ":" in self.host else "127.0.0.1", 0))
            asking.settimeout(0.2)
            host, port = asking.getsockname()[:2]
            request = (
                f"OPTIONS {self.uri} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {written(host)}:{port};branch=z9hG4bK{time.monotonic_ns()}\r\n"
                "Max-Forwards: 1\r\n"
                "From: <sip:asking@localhost>;tag=asking\r\n"
                f"To: <sip:{self.written}>\r\n"
                f"Call-ID: {time.monotonic_ns()}@localhost\r\n"
                "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            )
            try:
                asking.sendto(request.encode(), self.address)
                return bool(asking.recv(65536))
            except OSError:
                return False


def free_port(host: str) -> int:
    """Give a port that nobody listens on."""
    with socket.socket(family(host), socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
