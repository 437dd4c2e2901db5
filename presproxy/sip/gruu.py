"""The URIs that lead to one endpoint of a user ([MS-SIPRE] 2.2.3)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from uuid import UUID

from presproxy.sip.uri import SipURI

_BEFORE = "user:epid:"
_AFTER = "AA"


def endpoint_of(uri: SipURI) -> str | None:
    """Give what names the endpoint in a URI that leads to one; None if it is no such URI."""
    opaque = uri.parameter("opaque")
    if opaque is None or not uri.has("gruu") or not opaque.startswith(_BEFORE):
        return None
    return opaque.removeprefix(_BEFORE)


def endpoint_named(instance: str) -> str | None:
    """
    Give what names the endpoint of a ``+sip.instance``, with or without its quotes.

    None if that is no UUID.
    """
    text = instance.strip('"<>').lower().removeprefix("urn:uuid:")
    try:
        octets = UUID(text).bytes
    except ValueError:
        return None
    return urlsafe_b64encode(octets).decode("ascii").rstrip("=") + _AFTER
