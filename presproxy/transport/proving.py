"""
Whom a certificate is for (RFC 5922).

Nothing here asks who signed it: OpenSSL has seen to that before.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Self

import attrs
from cryptography import x509
from cryptography.x509.oid import NameOID

from presproxy.errors import MalformedField
from presproxy.sip.uri import SipURI, parse_uri


@attrs.frozen
class Names:
    """
    What stands in a certificate's subjectAltName.

    ``domains`` are in lower case.  ``users`` are URIs with a user in them, those of
    mailboxes with the scheme ``mailto``.
    """

    domains: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    users: tuple[str, ...] = ()

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """
        Read the names of a certificate; what cannot be read names nobody.

        Where it has domains as SIP URIs, only these count; and the common name only where
        it has no other names at all (RFC 5922 §7.1).
        """
        try:
            extension = certificate.extensions.get_extension_for_class(
                x509.SubjectAlternativeName
            )
        except x509.ExtensionNotFound:
            return cls(domains=frozenset(_common_names(certificate)))
        except ValueError:
            return cls()
        names = extension.value
        uris = list(_sip(names.get_values_for_type(x509.UniformResourceIdentifier)))
        domains = [uri.host.lower() for uri in uris if uri.user is None]
        addresses = names.get_values_for_type(x509.IPAddress)
        mailboxes = names.get_values_for_type(x509.RFC822Name)
        return cls(
            frozenset(
                domains or map(str.lower, names.get_values_for_type(x509.DNSName))
            ),
            frozenset(map(str, addresses)),
            (
                *(str(uri) for uri in uris if uri.user is not None),
                *(f"mailto:{each}" for each in mailboxes),
            ),
        )

    def proves(self, name: str) -> bool:
        """
        Whether this is a host, or speaks for a domain, of that name.

        A ``*`` stands for nothing but itself (RFC 5922 §7.2).
        """
        try:
            return str(ip_address(name.strip("[]"))) in self.addresses
        except ValueError:
            return name.lower().rstrip(".") in self.domains

    def suits(self, name: str) -> bool:
        """Whether to show it to who asks for a name; here ``*`` is one label."""
        _, _, rest = name.partition(".")
        return self.proves(name) or f"*.{rest}".lower() in self.domains


def _sip(uris: list[str]) -> Iterator[SipURI]:
    for text in uris:
        try:
            uri = parse_uri(text)
        except MalformedField:
            continue
        # A sips URI is none of those that count (RFC 5922 §7.1).
        if isinstance(uri, SipURI) and uri.scheme == "sip":
            yield uri


def _common_names(certificate: x509.Certificate) -> Iterator[str]:
    for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        yield str(name.value).lower()
