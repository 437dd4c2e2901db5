"""Kamailio's presence server, which keeps all in memory and forgets it when it is killed."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from presproxy.testing.kamailio import Kamailio, free_port
from presproxy.testing.wire import written

_MORE = """\
modparam("presence", "db_url", "")
modparam("presence", "subs_db_mode", 0)
modparam("presence", "publ_cache", 2)
modparam("presence", "server_address", "sip:{written}:{port};transport={transport}")
modparam("presence_xml", "force_active", 1)
modparam("presence_xml", "db_url", "")
"""

_SERVED = """\
if (is_method("PUBLISH|SUBSCRIBE")) {{
        if (is_method("PUBLISH") || !has_totag()) {{ xlog("L_NOTICE", "asked $rm $ru as $fu\\n"); }}
        if (!t_newtran()) {{ sl_reply_error(); exit; }}
        {asked}
        if (is_method("PUBLISH")) {{ handle_publish(); }}
        if (is_method("SUBSCRIBE")) {{ handle_subscribe(); }}
        t_release();
        exit;
    }}
"""

_AUTH = """\
if ($si != "{free}" && !pv_www_authenticate("$fd", "{password}", "0")) {{
            www_challenge("$fd", "1");
            exit;
        }}
"""


@attrs.define(eq=False)
class PresenceServer(Kamailio):
    """
    A presence server for ``presence`` and ``dialog``.

    It tells watchers by ``transport``, or by UDP where that is TLS.  With a ``password`` it asks whoever speaks from
    another address than its own to prove who he is.
    """

    transport: str = "udp"
    password: str = ""

    @classmethod
    def make(
        cls,
        folder: Path,
        transport: str = "udp",
        password: str = "",
        certificate: Path | None = None,
        authority: Path | None = None,
        host: str = "127.0.0.2",
    ) -> PresenceServer:
        """Make one on a port of its own, which is not started yet."""
        port = free_port(host)
        auth = ("auth",) if password else ()
        return cls(
            folder,
            host=host,
            port=port,
            modules=("presence", "presence_xml", "presence_dialoginfo", *auth),
            more=_MORE.format(
                written=written(host),
                port=port,
                transport=transport.replace("tls", "udp"),
            ),
            served=_SERVED.format(
                asked=_AUTH.format(free=host, password=password) if password else ""
            ),
            transport=transport,
            password=password,
            certificate=certificate,
            authority=authority,
        )

    @property
    def server(self) -> str:
        """Where it is, as options name a server behind."""
        port = self.secure_port if self.transport == "tls" else self.port
        return f"{self.transport}:{self.written}:{port}"

    def asked(self, method: str) -> list[str]:
        """Give the users it was asked for by a method, outside dialogs, in order."""
        return re.findall(rf"asked {method} sip:([^@\s]+)@", self.log())
