"""The URIs that lead to one endpoint of a user and no other ([MS-SIPRE] 2.2.3)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from uuid import UUID

from presproxy.sip.uri import AddressOfRecord, SipURI

_BEFORE = "user:epid:"


def write_gruu(user: AddressOfRecord, instance: UUID) -> str:
    """Give the URI that leads to an endpoint."""
    return f"{user};opaque={_BEFORE}{endpoint_name(instance)};gruu"


def endpoint_name(instance: UUID) -> str:
    """Give what names an endpoint in its URI."""
    return urlsafe_b64encode(instance.bytes).rstrip(b"=").decode() + "AA"


def named_endpoint(uri: SipURI) -> str | None:
    """Give what names the endpoint in a URI that leads to one; None if it is no such URI."""
    opaque = uri.parameter("opaque")
    if opaque is None or not uri.has("gruu") or not opaque.startswith(_BEFORE):
        return None
    return opaque.removeprefix(_BEFORE)
