"""
Sockets made ready for a reactor to adopt.

They are made here and not by Twisted, which binds ``::`` for IPv4 as well (so that IPv4
peers would show as ``::ffff:192.0.2.1``), and lets neither the receive buffer nor the
sharing of a port be set before the socket is bound.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Mapping

import attrs
from twisted.logger import Logger

from presproxy.errors import PresproxyError
from presproxy.sip.flow import Address
from presproxy.transport.ends import family_of
from presproxy.transport.where import Where

_log = Logger()

#: Octets for datagrams that wait to be read: some 3,000 of a kilobyte, the burst of
#: 200s after a large fan-out.  Linux grants less unless ``net.core.rmem_max`` allows it.
_RECEIVE_BUFFER = 4 * 1024 * 1024
#: Seconds without a word after which the system asks whether the peer's host is there,
#: between two such questions, and how many stay unanswered; seconds for what was sent to
#: be acknowledged.  Chosen: below the five minutes after which translators of addresses
#: forget a connection, and twice Timer F.
_STREAM_OPTIONS = {
    "TCP_KEEPIDLE": 120,
    "TCP_KEEPINTVL": 20,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 64_000,  # milliseconds
}
#: Connections that wait to be accepted; Linux cuts it to ``net.core.somaxconn``.
_BACKLOG = 1024
#: The first descriptor that systemd hands on.
_FIRST = 3
#: How often a free port of one family is tried in the other.
_ATTEMPTS = 16

_KINDS = {
    "udp": socket.SOCK_DGRAM,
    "tcp": socket.SOCK_STREAM,
    "tls": socket.SOCK_STREAM,
    "ws": socket.SOCK_STREAM,
    "wss": socket.SOCK_STREAM,
}
#: What binding an IPv6 address gives on a host that has no IPv6.
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)


@attrs.frozen(eq=False)
class CannotListen(PresproxyError):
    """A place to listen which the system does not give us."""

    where: Where
    why: str

    def __str__(self) -> str:
        return f"cannot listen on {self.where}: {self.why}"


def bind(where: Where, *, share: bool = False) -> list[socket.socket]:
    """
    Bind one socket for each address of ``where``, all to the same port.

    TCP sockets listen already.  With ``share``, other processes may bind the same place
    and the system spreads the peers among them.  Of a place in both families, one which
    this host does not have is left out.  Sockets that systemd has opened are taken as they
    are.  Raises `CannotListen`.
    """
    if where.is_inherited:
        return inherited(where)
    attempts = _ATTEMPTS if where.port == 0 and len(where.addresses) > 1 else 1
    for attempt in range(1, attempts + 1):
        try:
            return _bind_all(where, share)
        except OSError as error:
            if attempt == attempts or error.errno != errno.EADDRINUSE:
                raise CannotListen(where, error.strerror or str(error)) from error
    raise AssertionError("the last attempt returns or raises")


def address_of(bound: socket.socket) -> Address:
    """Where a socket is bound."""
    host, port, *_ = bound.getsockname()
    return str(host), int(port)


def inherited(
    where: Where, environment: Mapping[str, str] = os.environ
) -> list[socket.socket]:
    """
    Take the sockets that fit a place from those systemd has opened (sd_listen_fds(3)).

    They stay open beside those given, to be taken again after a start.  Raises
    `CannotListen`.
    """
    if environment.get("LISTEN_PID") != str(os.getpid()):
        raise CannotListen(where, "systemd has opened no socket for this process")
    count = int(environment.get("LISTEN_FDS", "0"))
    names = [*environment.get("LISTEN_FDNAMES", "").split(":"), *[""] * count]
    taken = []
    with _closing_on_error() as opened:
        for number, name in zip(range(_FIRST, _FIRST + count), names, strict=False):
            if where.name and name != where.name:
                continue
            each = socket.socket(fileno=os.dup(number))
            opened.append(each)
            if each.type == _KINDS[where.transport]:
                _refuse_mapped(where, each)
                each.setblocking(False)
                taken.append(each)
            else:
                each.close()
        if not taken:
            raise CannotListen(where, "systemd has opened no such socket")
    return taken


def _refuse_mapped(where: Where, each: socket.socket) -> None:
    if each.family != socket.AF_INET6:
        return
    if not each.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        why = "the socket is for IPv4 as well: write BindIPv6Only=ipv6-only"
        raise CannotListen(where, why)


def notice_silence(stream: socket.socket) -> None:
    """Let the system find out when the peer's host has gone without a word."""
    # Not every system has all of them, and some refuse once the peer is gone.
    with contextlib.suppress(OSError):
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _STREAM_OPTIONS.items():
            option = getattr(socket, name, None)
            if option is not None:
                stream.setsockopt(socket.IPPROTO_TCP, option, value)


def _bind_all(where: Where, share: bool) -> list[socket.socket]:
    port = where.port
    missing: OSError | None = None
    left_out = ""
    with _closing_on_error() as bound:
        for host in where.addresses:
            try:
                bound.append(_bind_one(where.transport, (host, port), share))
            except OSError as error:
                if error.errno not in _NO_SUCH_FAMILY:
                    raise
                missing, left_out = error, host
            else:
                port = address_of(bound[-1])[1]
        if missing and not bound:
            raise missing
        if missing:
            _log.info(
                "{where}: {left_out} is left out, which this host does not have",
                where=where,
                left_out=left_out,
            )
        return bound


@contextlib.contextmanager
def _closing_on_error() -> Iterator[list[socket.socket]]:
    sockets: list[socket.socket] = []
    try:
        yield sockets
    except BaseException:
        for each in sockets:
            each.close()
        raise


def _bind_one(transport: str, address: Address, share: bool) -> socket.socket:
    host, port = address
    with _closing_on_error() as made:
        family = family_of(host)
        each = socket.socket(family, _KINDS[transport])
        made.append(each)
        each.setblocking(False)
        if family == socket.AF_INET6:
            each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if share:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if _KINDS[transport] is socket.SOCK_STREAM:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        each.bind(_with_scope(host, port) if "%" in host else (host, port))
        if _KINDS[transport] is socket.SOCK_STREAM:
            each.listen(_BACKLOG)
        return each


def _with_scope(host: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    name, _, zone = host.partition("%")
    scope = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
    return (name, port, 0, scope)
