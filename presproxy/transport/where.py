"""
Where to listen, as the command line and the configuration write it.

``udp:5060``, ``tcp:5060:interface=127.0.0.1``, ``udp:0:interface=[::1]``,
``tls:5061:cert=/etc/presproxy/chain.pem:key=/etc/presproxy/key.pem``, with more of both for
other names and ``clients=/etc/presproxy/ca.pem`` for peers who have certificates, and for browsers
``ws:8088`` and ``wss:8443`` with a certificate as for ``tls``.  ``systemd:udp`` takes the
sockets that systemd has opened, ``systemd:tls:name=sips:cert=…`` those of that name.  A colon in a value is written ``\\:`` or stands within the brackets of an IPv6 address.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address

import attrs

from presproxy.errors import PresproxyError

#: The transports there are, and those of them that want a certificate.
AVAILABLE = ("udp", "tcp", "tls", "ws", "wss")
SECURE = ("tls", "wss")

#: A part of a specification: escaped characters, IPv6 addresses in brackets, the rest.
_PART = re.compile(r"(?:\\.|\[[^\]]*\]|[^:\\\[]|[\\\[])*", re.DOTALL)
_BARE_IPV6 = re.compile(r"interface=([0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*)")
#: The options, and what stands behind their names.
_FILES = ("cert", "key", "clients")
_SAID = {"interface": "ADDRESS", "name": "NAME", **dict.fromkeys(_FILES, "FILE")}
#: What stands before the transport of sockets that are open already.
_SYSTEMD = "systemd"
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@attrs.frozen(eq=False)
class MalformedWhere(PresproxyError):
    """A place to listen that cannot be understood; ``text`` is what was written."""

    text: str
    why: str

    def __str__(self) -> str:
        return f"{self.text!r}: {self.why}"


@attrs.frozen
class Where:
    """
    A place to listen.

    ``transport`` is one of `AVAILABLE`; ``port`` 0 takes a free one.  ``interface`` is
    the address of one interface of this host, without brackets; empty for all of them;
    or ``localhost`` for the loopback in both families.  ``certificate`` and ``key`` are
    the files that TLS wants, and empty for the others; ``more`` are pairs of them for
    other names, and ``clients`` is the file of who certifies peers.

    With ``is_inherited`` it is where the sockets are that systemd has opened, all of them
    that fit or those which it calls ``name``.
    """

    transport: str
    port: int
    interface: str = ""
    certificate: str = ""
    key: str = ""
    more: tuple[tuple[str, str], ...] = ()
    clients: str = ""
    is_inherited: bool = False
    name: str = ""

    @property
    def certificates(self) -> Sequence[tuple[str, str]]:
        """All files of certificates, each with that of its key."""
        return ((self.certificate, self.key), *self.more) if self.certificate else ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses to bind: one, or one of each family."""
        if not self.interface:
            return ("0.0.0.0", "::")
        if self.interface == "localhost":
            return ("127.0.0.1", "::1")
        return (self.interface,)

    @property
    def is_loopback(self) -> bool:
        """Whether only this host can reach it, as far as is known."""
        return not self.is_inherited and all(
            ip_address(address).is_loopback for address in self.addresses
        )

    def takes_from(self, other: Where) -> bool:
        """Whether a socket that systemd has opened may be meant for both."""
        if not (self.is_inherited and other.is_inherited):
            return False
        alike = (self.transport == "udp") == (other.transport == "udp")
        return alike and (self.name == other.name or "" in (self.name, other.name))

    def __str__(self) -> str:
        if self.is_inherited:
            return f"systemd:{self.transport}" + f":name={self.name}" * bool(self.name)
        if not self.interface:
            return f"{self.transport}:{self.port}"
        host = f"[{self.interface}]" if ":" in self.interface else self.interface
        return f"{self.transport}:{host}:{self.port}"


#: Where to listen when nobody says: both transports, on the loopback only.
DEFAULT = (Where("udp", 5060, "localhost"), Where("tcp", 5060, "localhost"))


def parse_where(text: str) -> Where:
    """
    Read a place to listen.

    Without ``interface=`` it is every interface of this host, in both families: whoever
    writes a place out wants to be reached, and without an authenticator the server will
    not start there.  Raises `MalformedWhere`, which names all that is wrong.
    """
    transport, *rest = _split(text.strip())
    is_inherited = transport.lower() == _SYSTEMD
    if is_inherited:
        # They have ports already.
        transport, rest = (rest or [""])[0], ["0", *rest[1:]]
    port = rest[0] if rest else ""
    options = _Options(transport.lower() in SECURE, is_inherited)
    options.read(rest[1:])
    mistakes = [*_mistakes_of_transport(transport), *_mistakes_of_port(port)]
    bare = _BARE_IPV6.search(text)
    if bare is not None:
        mistakes.append(f"IPv6 is written in brackets: interface=[{bare[1]}]")
    else:
        mistakes += options.mistakes
    if mistakes:
        raise MalformedWhere(text, "; ".join(mistakes))
    given = options.given
    certificate, key = options.certificates[0] if options.certificates else ("", "")
    return Where(
        transport.lower(),
        int(port),
        _canonical(given.get("interface", "")),
        certificate,
        key,
        tuple(options.certificates[1:]),
        given.get("clients", ""),
        is_inherited,
        given.get("name", ""),
    )


@attrs.define(eq=False)
class _Options:
    """What stands behind the port, and what is wrong with it."""

    is_tls: bool
    is_inherited: bool
    given: dict[str, str] = attrs.field(factory=dict)
    #: Each with its key: the same file, until a key follows.
    certificates: list[tuple[str, str]] = attrs.field(factory=list)
    mistakes: list[str] = attrs.field(factory=list)

    def read(self, options: Sequence[str]) -> None:
        for option in options:
            name, equals, value = option.partition("=")
            if not equals or name not in self._known:
                known = " and ".join(f"{each}={_SAID[each]}" for each in self._known)
                are = "are" if self.is_tls else "is"
                self.mistakes.append(f"{option!r} is no option: only {known} {are}")
            elif name in self.given:
                self.mistakes.append(f"{name} is named twice")
            else:
                self._take(name, _unescape(value))
        if self.is_tls and not self.certificates:
            self.mistakes.append("cert=FILE is missing, the certificate of this server")

    @property
    def _known(self) -> Sequence[str]:
        of_all = "name" if self.is_inherited else "interface"
        return (of_all, *_FILES) if self.is_tls else (of_all,)

    def _take(self, name: str, value: str) -> None:
        if name == "interface":
            self.mistakes += _mistakes_of_interface(value)
        elif not value:
            what = "socket" if name == "name" else "file"
            self.mistakes.append(f"{name}= names no {what}")
        if name == "cert":
            # Any number of them.  A key is for the one before it, or for the first.
            before = "" if self.certificates else self.given.get("key", "")
            self.certificates.append((value, before or value))
            if not before:
                self.given.pop("key", None)
            return
        self.given[name] = value
        if name == "key" and self.certificates:
            self.certificates[-1] = (self.certificates[-1][0], value)


def _split(text: str) -> list[str]:
    parts = []
    position = 0
    while True:
        match = _PART.match(text, position)
        assert match is not None, "the pattern matches the empty string"
        parts.append(match[0])
        position = match.end() + 1
        if match.end() == len(text):
            return parts


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _mistakes_of_transport(transport: str) -> Sequence[str]:
    name = transport.lower()
    if name in AVAILABLE:
        return ()
    return (f"{transport!r} is no transport, as {', '.join(AVAILABLE)} are",)


def _mistakes_of_port(port: str) -> Sequence[str]:
    if not port:
        return ("the port is missing, as in udp:5060",)
    if port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535:
        return ()
    return (f"{port!r} is no port, as 5060 in udp:5060:interface=127.0.0.1",)


def _mistakes_of_interface(interface: str) -> Sequence[str]:
    try:
        _canonical(interface)
    except ValueError:
        return (f"interface {interface!r} is no IP address",)
    return () if interface else ("interface= names no address",)


def _canonical(interface: str) -> str:
    if interface in ("", "localhost"):
        return interface
    if interface.startswith("[") and interface.endswith("]"):
        interface = interface[1:-1]
    return str(ip_address(interface))
