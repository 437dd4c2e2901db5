"""
TLS: certificates, and what makes a connection secure (RFC 3261 §26.3).

A connection by TLS is one by TCP in all else: what is here stands between the socket and
`StreamConnection`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
)
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate as Certified
from twisted.internet.ssl import optionsForClientTLS, trustRootFromCertificates
from twisted.logger import Logger
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from zope.interface import implementer

from presproxy.errors import PresproxyError
from presproxy.transport.stream import Ending, StreamConnection, StreamFlow

_log = Logger()

#: Of OpenSSL: no compression (CRIME), and no second handshake, which costs a peer nothing.
_OPTIONS = (
    SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE
)


#: One certificate in PEM, wherever it stands in a file.
_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\s", re.DOTALL
)


@attrs.frozen(eq=False)
class UnusableCertificate(PresproxyError):
    """A certificate or a key that TLS cannot be spoken with; ``path`` is its file."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


@implementer(IOpenSSLServerConnectionCreator)
@attrs.define(eq=False)
class Certificate:
    """
    What we prove with who we are: files in PEM, the chain in ``chain`` our own first.

    ``key`` may be the same file.  Peers prove nothing: they are asked for no certificate.
    """

    chain: str
    key: str
    _context: SSL.Context = attrs.field(init=False)

    @classmethod
    def read(cls, chain: str, key: str) -> Certificate:
        """Read both files; raises `UnusableCertificate`."""
        certificate = cls(chain, key)
        certificate.renew()
        return certificate

    def renew(self) -> None:
        """
        Read the files again, for the connections that come from now on.

        Raises `UnusableCertificate`; then all stays as it was.
        """
        self._context = _read_context(self.chain, self.key)

    def serverConnectionForTLS(self, protocol: object) -> SSL.Connection:
        """Make the TLS of one connection; Twisted asks."""
        return SSL.Connection(self._context, None)


class SecureFlow(StreamFlow):
    """A way to one peer by TLS."""

    __slots__ = ()

    transport = "TLS"


@implementer(IHandshakeListener)
class SecureConnection(StreamConnection):
    """One connection by TLS."""

    flow_type = SecureFlow
    _is_secure = False

    def handshakeCompleted(self) -> None:
        """Hear that both agree; nothing comes in before."""
        self._is_secure = True

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


def trusting(authorities: str, host: str) -> IOpenSSLClientConnectionCreator:
    """
    Make what speaks TLS to a server that must prove to be ``host``, a name or an address.

    ``authorities`` is a file in PEM of whom to believe; those this host believes if it is
    empty.  Raises `UnusableCertificate`.
    """
    believed = _read_authorities(authorities) if authorities else None
    creator: IOpenSSLClientConnectionCreator = optionsForClientTLS(host, believed)
    return creator


def reason_of(error: SSL.Error) -> str:
    """Give what OpenSSL says in one line, as ``wrong version number``."""
    entries = error.args[0] if error.args else ()
    if isinstance(entries, list | tuple) and entries:
        return "; ".join(str(entry[-1]) for entry in entries)
    return "the connection broke"


def _read_context(chain: str, key: str) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    # Nobody comes back soon enough for a session to be worth its memory.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    _content(chain)
    try:
        context.use_certificate_chain_file(chain)
    except SSL.Error as error:
        raise UnusableCertificate(chain, "holds no certificate in PEM") from error
    _refuse_locked(key)
    try:
        context.use_privatekey_file(key)
        context.check_privatekey()
    except SSL.Error as error:
        why = f"is not the key of the certificate in {chain}"
        raise UnusableCertificate(key, why) from error
    return context


def _refuse_locked(path: str) -> None:
    """Look at a key first: for an encrypted one OpenSSL asks on the terminal."""
    data = _content(path)
    try:
        load_pem_private_key(data, None)
    except TypeError as error:
        raise UnusableCertificate(path, "is encrypted") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableCertificate(path, "holds no private key in PEM") from error


def _read_authorities(path: str) -> Any:
    # An IOpenSSLTrustRoot, which Twisted has no public name for.
    data = _content(path)
    try:
        found = [Certified.loadPEM(each) for each in _CERTIFICATE.findall(data)]
    except (SSL.Error, ValueError, crypto.Error) as error:
        raise UnusableCertificate(path, "holds a certificate that is broken") from error
    if not found:
        raise UnusableCertificate(path, "holds no certificate in PEM")
    return trustRootFromCertificates(found)


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UnusableCertificate(path, error.strerror or str(error)) from error
