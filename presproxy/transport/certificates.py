"""
Certificates: what we prove with who we are, and whom we believe (RFC 3261 §26.3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from zope.interface import implementer

from presproxy.errors import PresproxyError
from presproxy.transport.ends import is_literal
from presproxy.transport.proving import Names

#: Of OpenSSL: no compression (CRIME), no second handshake, which costs a peer nothing,
#: and no tickets, by which a peer would come back without its certificate being looked at.
_OPTIONS = (
    SSL.OP_NO_COMPRESSION
    | SSL.OP_NO_RENEGOTIATION
    | SSL.OP_CIPHER_SERVER_PREFERENCE
    | SSL.OP_NO_TICKET
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


@attrs.define(eq=False)
class Certificate:
    """
    What we prove with who we are: files in PEM, the chain in ``chain`` our own first.

    ``key`` may be the same file.  ``clients`` is a file of those who certify the peers
    that we believe; empty, peers are asked for no certificate, and may have none anyhow.
    """

    chain: str
    key: str
    clients: str = ""
    context: SSL.Context = attrs.field(init=False)
    names: Names = attrs.field(init=False)
    #: All of the place where it is shown; see `Wardrobe`.
    of_place: Sequence[Certificate] = attrs.field(default=(), init=False)

    @classmethod
    def read(cls, chain: str, key: str, clients: str = "") -> Certificate:
        """Read all files; raises `UnusableCertificate`."""
        certificate = cls(chain, key, clients)
        certificate.renew()
        return certificate

    def renew(self) -> None:
        """
        Read the files again, for the connections that come from now on.

        Raises `UnusableCertificate`; then all stays as it was.
        """
        context, names = _read_context(self.chain, self.key, self.clients)
        context.set_tlsext_servername_callback(self._choose)
        self.context, self.names = context, names

    def _choose(self, connection: SSL.Connection) -> None:
        """Show another one of the same place if that is for the name asked for."""
        name = (connection.get_servername() or b"").decode("ascii", "replace")
        for certificate in self.of_place:
            if certificate.names.suits(name):
                connection.set_context(certificate.context)
                return


@implementer(IOpenSSLServerConnectionCreator)
@attrs.frozen(eq=False)
class Wardrobe:
    """
    The certificates of one place, of which each peer is shown one.

    That is the first for the name that the peer asks for (SNI, RFC 6066 §3), or the first
    of all.
    """

    certificates: Sequence[Certificate]

    def __attrs_post_init__(self) -> None:
        self.certificates[0].of_place = self.certificates

    def serverConnectionForTLS(self, protocol: object) -> SSL.Connection:
        """Make the TLS of one connection; Twisted asks."""
        return SSL.Connection(self.certificates[0].context, None)


@attrs.define(eq=False)
class Trust:
    """
    How we open connections by TLS: whom we believe, and what we show if asked.

    ``authorities`` is a file in PEM, or empty for those this host believes.
    """

    authorities: str = ""
    shown: Certificate | None = None
    _context: SSL.Context | None = attrs.field(default=None, init=False)

    def towards(self, name: str) -> IOpenSSLClientConnectionCreator:
        """
        Make what speaks TLS to a host or a domain.

        Who it is has to be asked of the certificate still, by `Names.proves`.  Raises
        `UnusableCertificate`.
        """
        return _Towards(self._context or self._read(), name)

    def renew(self) -> None:
        """
        Read the authorities again, for the connections that are opened from now on.

        Raises `UnusableCertificate`; then all stays as it was.
        """
        self._read()

    def _read(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(_OPTIONS)
        if self.authorities:
            _believe(context, self.authorities)
        else:
            context.set_default_verify_paths()
        context.set_verify(SSL.VERIFY_PEER, _as_openssl_says)
        if self.shown is not None:
            _show(context, self.shown.chain, self.shown.key)
        self._context = context
        return context


@implementer(IOpenSSLClientConnectionCreator)
@attrs.frozen(eq=False)
class _Towards:
    _context: SSL.Context
    _name: str

    def clientConnectionForTLS(self, protocol: object) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if not is_literal(self._name):
            connection.set_tlsext_host_name(self._name.encode("idna"))
        return connection


def _read_context(chain: str, key: str, clients: str) -> tuple[SSL.Context, Names]:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    # Nobody comes back soon enough for a session to be worth its memory.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    names = _read_names(chain)
    _show(context, chain, key)
    if clients:
        _believe(context, clients)
        context.load_client_ca(clients.encode())
        context.set_session_id(b"presproxy")
        context.set_verify(SSL.VERIFY_PEER, _as_openssl_says)
    return context, names


def _show(context: SSL.Context, chain: str, key: str) -> None:
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


def _read_names(chain: str) -> Names:
    found = _CERTIFICATE.search(_content(chain) + b"\n")
    if found is None:
        raise UnusableCertificate(chain, "holds no certificate in PEM")
    try:
        return Names.of(x509.load_pem_x509_certificate(found[0]))
    except ValueError as error:
        raise UnusableCertificate(
            chain, "holds a certificate that is broken"
        ) from error


def _believe(context: SSL.Context, authorities: str) -> None:
    _check_authorities(authorities)
    context.load_verify_locations(authorities)


def _as_openssl_says(
    connection: SSL.Connection, certificate: crypto.X509, why: int, depth: int, ok: int
) -> bool:
    return bool(ok)


def _refuse_locked(path: str) -> None:
    """Look at a key first: for an encrypted one OpenSSL asks on the terminal."""
    data = _content(path)
    try:
        load_pem_private_key(data, None)
    except TypeError as error:
        raise UnusableCertificate(path, "is encrypted") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableCertificate(path, "holds no private key in PEM") from error


def _check_authorities(path: str) -> None:
    found = _CERTIFICATE.findall(_content(path))
    try:
        for each in found:
            x509.load_pem_x509_certificate(each)
    except ValueError as error:
        raise UnusableCertificate(path, "holds a certificate that is broken") from error
    if not found:
        raise UnusableCertificate(path, "holds no certificate in PEM")


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UnusableCertificate(path, error.strerror or str(error)) from error
