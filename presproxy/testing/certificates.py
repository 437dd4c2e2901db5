"""Certificates of one's own, for servers that tests talk to by TLS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.ssl import Certificate as Certified
from twisted.internet.ssl import optionsForClientTLS, trustRootFromCertificates

#: How long they hold, from an hour ago; clocks of two processes are the same.
_HOLDS = timedelta(days=2)
_JUST_NOW = timedelta(hours=1)


@attrs.frozen(eq=False)
class Authority:
    """
    Who certifies names.

    ``path`` is its certificate, for those who are to believe it.
    """

    path: Path
    _key: ec.EllipticCurvePrivateKey
    _certificate: x509.Certificate

    @classmethod
    def make(cls, folder: Path, name: str = "Authority") -> Authority:
        """Make one, whose certificate is written into a folder."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _begun(name, name, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        certificate = made.sign(key, hashes.SHA256())
        path = folder / f"{name}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(path, key, certificate)

    def certify(self, path: Path, *names: str, age: timedelta = _JUST_NOW) -> Path:
        """
        Write a certificate and its key into one file.

        ``names`` are hosts, addresses, URIs and mailboxes; the first is its subject.  It
        holds for two days, and was made ``age`` ago.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self._certificate.subject.rfc4514_string().partition("=")[2]
        made = _begun(names[0], issuer, key, age).add_extension(
            x509.SubjectAlternativeName([_named(name) for name in names]),
            critical=False,
        )
        certificate = made.sign(self._key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = certificate.public_bytes(serialization.Encoding.PEM)
        path.write_bytes(public + private)
        return path


def trusting(authority: str, host: str) -> Any:
    """Make what speaks TLS to who must prove to be ``host`` as browsers want it proved."""
    believed = [Certified.loadPEM(Path(authority).read_bytes())]
    return optionsForClientTLS(host, trustRootFromCertificates(believed))


def _begun(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    age: timedelta = _JUST_NOW,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC) - age
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + _HOLDS)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _named(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    if ":" in name:
        return x509.UniformResourceIdentifier(name)
    return x509.RFC822Name(name) if "@" in name else x509.DNSName(name)
