"""What the credentials of a handshake have in common, whatever its scheme ([MS-SIPAE])."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection, Mapping, Sequence

import attrs

from presproxy.auth.sipae import REALM, VERSIONS
from presproxy.errors import CredentialsRejected, MalformedField
from presproxy.sip.authfields import read_params
from presproxy.sip.dialect import speaks_lync
from presproxy.sip.message import Request
from presproxy.sip.uri import domain_of


def are_known(
    plugin: object, field: attrs.Attribute[Sequence[int]], versions: Sequence[int]
) -> None:
    """See that all are versions of the protocol; the validator of an option."""
    if not versions or not set(versions) <= set(VERSIONS):
        known = ", ".join(map(str, VERSIONS))
        raise ValueError(f"versions are to be some of {known}")


def can_be_asked(request: Request) -> bool:
    """Whether whoever sent a request knows the schemes, and is on a connection himself."""
    try:
        is_stream = request.via.transport in ("TCP", "TLS")
    except MalformedField:
        return False
    return is_stream and request.has_one_via and speaks_lync(request)


def given_to_us(request: Request, field: str, scheme: str) -> Mapping[str, str] | None:
    """
    Give the parameters of the credentials that are for us.

    ``field`` and ``scheme`` are in lower case.  Raises `CredentialsRejected` for those
    that cannot be read.
    """
    mistake = None
    for text in request.get_all(field):
        try:
            given = read_params(field, text, scheme)
        except MalformedField as error:
            mistake = error
            continue
        if given is not None and given.get("realm") == REALM:
            return given
    if mistake is not None:
        raise CredentialsRejected(str(mistake)) from mistake
    return None


def read_token(given: Mapping[str, str]) -> bytes | None:
    """Give the token in credentials, None if they have none; raises `MalformedField`."""
    text = given.get("gssapi-data")
    if text is None:
        return None
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise MalformedField("gssapi-data", "it is not in Base64") from None


def read_version(given: Mapping[str, str], versions: Collection[int]) -> int:
    """Give the version that credentials have, if it is one of these."""
    text = given.get("version", "2")
    if text not in map(str, versions):
        raise CredentialsRejected(f"version {text[:20]!r} was not offered")
    return int(text)


def domain_asked_for(request: Request, domains: Collection[str]) -> str:
    """Give the domain of the sender, or whichever is ours."""
    try:
        domain = domain_of(request.from_.aor)
    except MalformedField:
        domain = ""
    return domain if domain in domains else min(domains, default="")
