"""
A proxy of a few lines, which can be told to make mistakes with calls.

It is there to see that the load driver sees them.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterable

from bench.servers.server import LOOPBACK

Way = tuple[str, int]

#: Makes of a message, as text, what leaves instead: none, one or several.
Damage = Callable[[str], Iterable[str]]


def honest(message: str) -> Iterable[str]:
    """Pass a message on as it is."""
    return [message]


class Proxy:
    """
    A proxy and registrar over UDP, without transactions, honest but for ``damage``.

    ``damage`` is asked for each request and response that goes on, before it has the Via
    of this proxy or after it has lost it.
    """

    def __init__(self, damage: Damage = honest) -> None:
        self._damage = damage
        self._contacts: dict[str, str] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        #: The methods of the requests that came, and the statuses.
        self.seen: list[str] = []

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"end", (LOOPBACK, self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while (data := self._socket.recv(65536)) != b"end":
            text = data.decode()
            self.seen.append(text.split(" ", 2)[text.startswith("SIP/2.0")])
            if text.startswith("SIP/2.0"):
                self._pass_back(text)
            elif text.startswith("REGISTER"):
                self._register(text)
            else:
                self._pass_on(text)

    def _register(self, text: str) -> None:
        user = _find(r"^To: <(.*)>", text)
        self._contacts[user] = _find(r"^Contact: <(.*)>", text)
        kept = re.findall(r"^(?:Via|From|To|Call-ID|CSeq): .*\r\n", text, re.MULTILINE)
        answer = f"SIP/2.0 200 OK\r\n{''.join(kept)}Content-Length: 0\r\n\r\n"
        self._send(answer, _find(r"^Via: SIP/2.0/UDP ([^;]*)", text))

    def _pass_on(self, text: str) -> None:
        method, uri, _ = text.split(" ", 2)
        asked = self._contacts.get(uri, uri)
        # Our Route, of which there is one at most, led here.
        text = re.sub(r"^Route: .*\r\n", "", text, flags=re.MULTILINE)
        text = text.replace(uri, asked, 1)
        for each in self._damage(text):
            branch = _find(r"branch=([^;\r]*)", each)
            target = _find(r"@([\d.:]+)", each.split(" ", 2)[1])
            first, _, rest = each.partition("\r\n")
            self._send(f"{first}\r\n{self._ours(method, branch)}{rest}", target)

    def _ours(self, method: str, branch: str) -> str:
        own = f"{LOOPBACK}:{self.port}"
        via = f"Via: SIP/2.0/UDP {own};branch={branch}-on\r\n"
        return via + (f"Record-Route: <sip:{own};lr>\r\n" if method == "INVITE" else "")

    def _pass_back(self, text: str) -> None:
        text = re.sub(r"^Via: .*\r\n", "", text, count=1, flags=re.MULTILINE)
        for each in self._damage(text):
            self._send(each, _find(r"^Via: SIP/2.0/UDP ([^;]*)", each))

    def _send(self, text: str, address: str) -> None:
        host, _, port = address.partition(":")
        self._socket.sendto(text.encode(), (host, int(port)))


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise ValueError(f"there is no {pattern} in {text[:200]!r}")
    return found[1]
