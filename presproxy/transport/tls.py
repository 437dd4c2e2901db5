"""
What makes a connection secure (RFC 3261 §26.3).

A connection by TLS is one by TCP in all else: what is here stands between the socket and
`StreamConnection`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
)
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from presproxy.sip.flow import Address
from presproxy.transport.proving import Names
from presproxy.transport.stream import StreamConnection
from presproxy.transport.streamflow import Ending, StreamFlow

_log = Logger()


class SecureFlow(StreamFlow):
    """
    A way to one peer by TLS.

    ``certified`` are the users whom the certificate of the peer is for, as URIs.
    """

    __slots__ = ("certified",)

    transport = "TLS"
    certified: Sequence[str]

    def __init__(
        self, connection: StreamConnection, local: Address, peer: Address, sent_by: str
    ) -> None:
        super().__init__(connection, local, peer, sent_by)
        self.certified = ()


@implementer(IHandshakeListener)
class SecureConnection(StreamConnection):
    """One connection by TLS."""

    flow_type = SecureFlow
    flow: SecureFlow
    #: Whom the peer has proved to be.
    names = Names()
    _is_secure = False

    def handshakeCompleted(self) -> None:
        """Hear that both agree, and who the peer is; nothing comes in before."""
        self._is_secure = True
        certificate = self.transport.getPeerCertificate()
        if certificate is not None:
            self.names = Names.of(certificate.to_cryptography())
            self.flow.certified = self.names.users

    def leads_to(self, name: str) -> bool:
        """
        Whether what is meant for a host or a domain may go here.

        An address is where the connection leads; a name has to be proved.
        """
        return name in ("", self.flow.peer[0]) or self.names.proves(name)

    def connectionLost(self, reason: Any = None) -> None:
        """Count a peer with whom there was no agreement, besides."""
        why = getattr(reason, "value", None)
        if not self._is_secure and isinstance(why, SSL.Error):
            self._keeper.ended(Ending.UNSECURED)
            _log.debug("{flow}: no TLS: {why}", flow=self.flow, why=reason_of(why))
        super().connectionLost(reason)


class _Secured(BufferingTLSTransport):
    """What a `StreamConnection` takes for its transport."""

    def getHandle(self) -> Any:
        """Give the socket; its options are those of any other stream."""
        assert self.transport is not None, "it is asked for once connected"
        return self.transport.getHandle()  # type: ignore[attr-defined]  # ISystemHandle

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the connection, and forget it: Twisted knows for ever who was to pause."""
        super().connectionLost(reason)
        self._producer = None

    def loseWriteConnection(self) -> None:
        """Say that nothing more comes, and leave it to the peer to close."""
        self.loseConnection()


class Securing(TLSMemoryBIOFactory):
    """Makes what ``factory`` makes speak TLS, by what ``creator`` knows."""

    protocol = _Secured

    def __init__(
        self,
        creator: IOpenSSLServerConnectionCreator | IOpenSSLClientConnectionCreator,
        factory: Factory,
        clock: IReactorTime,
        *,
        is_client: bool = False,
    ) -> None:
        super().__init__(creator, is_client, factory, clock)

    def buildProtocol(self, addr: Any) -> Any:
        """Make both layers, or neither when there is no room for a connection."""
        connection = self.wrappedFactory.buildProtocol(addr)
        return None if connection is None else self.protocol(self, connection)


def reason_of(error: SSL.Error) -> str:
    """Give what OpenSSL says in one line, as ``wrong version number``."""
    entries = error.args[0] if error.args else ()
    if isinstance(entries, list | tuple) and entries:
        return "; ".join(str(entry[-1]) for entry in entries)
    return "the connection broke"
