"""
Challenges and credentials of the Digest scheme, and its arithmetic
(RFC 7616; RFC 8760 for SIP; RFC 2617 for those who offer no qop).
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

import attrs

from presproxy.errors import MalformedField
from presproxy.sip import grammar


class Algorithm(enum.StrEnum):
    """A hash function by its name on the wire."""

    MD5 = "MD5"
    SHA_256 = "SHA-256"
    SHA_512_256 = "SHA-512-256"


#: The last has no function of its own.  Any: their type has no public name.
_HASHES: dict[Algorithm, Callable[..., Any]] = {
    Algorithm.MD5: hashlib.md5,
    Algorithm.SHA_256: hashlib.sha256,
    Algorithm.SHA_512_256: partial(hashlib.new, "sha512_256"),
}
_BY_NAME = {algorithm.value: algorithm for algorithm in Algorithm}

_scheme = re.compile(r"[ \t]*([A-Za-z0-9\-]+)(?:[ \t]+|$)").match
#: Quoted or not, whatever the grammar says of this one: phones differ.
_auth_param = re.compile(
    rf"[ \t]*(?:({grammar.TOKEN})[ \t]*=[ \t]*"
    rf'({grammar.QUOTED_STRING}|[^\s,"]*)[ \t]*)?(?:,|$)'
).match
#: The usual case: no space before a comma, and no quoted pairs.  It begins only behind a
#: comma or a space, so that a long word is not looked at from each of its letters.
_quick_params = re.compile(
    rf'(?<![^, \t])(({grammar.TOKEN})=(?:"([^"\\]*)"|([^\s,"]+))(?:,[ \t]*|$))'
).findall
_count = re.compile(r"[0-9A-Fa-f]{1,8}").fullmatch
_extended = re.compile(r"utf-8'[^']*'([^'\s]*)", re.IGNORECASE).fullmatch


class ProxyChallenge(str):
    """A challenge to be given as a proxy gives it: 407, and Proxy-Authenticate."""

    __slots__ = ()


# --- Arithmetic


def ha1(algorithm: Algorithm, user: str, realm: str, password: str) -> str:
    """Hash what is secret (RFC 7616 §3.4.2); the result is what a server keeps."""
    return _hash(algorithm, f"{user}:{realm}:{password}")


def digest_response(
    algorithm: Algorithm,
    ha1: str,
    nonce: str,
    method: str,
    uri: str,
    *,
    qop: str | None = None,
    nc: str | None = None,
    cnonce: str | None = None,
    body: bytes = b"",
) -> str:
    """
    Work out the response (RFC 7616 §3.4.1); without ``qop`` as RFC 2617 §3.2.2.1 has it.

    ``nc`` is the count as it is written, eight hexadecimal digits.  ``body`` matters only
    for ``auth-int``.
    """
    asked = f"{method}:{uri}"
    if qop is None:
        return _hash(algorithm, f"{ha1}:{nonce}:{_hash(algorithm, asked)}")
    if qop.lower() == "auth-int":
        asked = f"{asked}:{_hash_bytes(algorithm, body)}"
    counted = f"{nonce}:{nc or ''}:{cnonce or ''}:{qop}"
    return _hash(algorithm, f"{ha1}:{counted}:{_hash(algorithm, asked)}")


def _hash(algorithm: Algorithm, text: str) -> str:
    return _hash_bytes(algorithm, text.encode("utf-8", "surrogateescape"))


def _hash_bytes(algorithm: Algorithm, data: bytes) -> str:
    digest: str = _HASHES[algorithm](data, usedforsecurity=False).hexdigest()
    return digest


# --- Credentials


# Not frozen, as one is made for every request: that takes three times as long.
@attrs.define(unsafe_hash=True)
class Credentials:
    """
    The answer to a challenge (RFC 7616 §3.4).

    ``algorithm`` is None if none was named, which means MD5.  ``nc`` is ``nc_text`` as a
    number; the text is what was hashed.
    """

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: Algorithm | None = None
    qop: str | None = None
    nc: int | None = None
    nc_text: str | None = None
    cnonce: str | None = None
    opaque: str | None = None
    userhash: bool = False

    def __str__(self) -> str:
        written = [
            f"username={grammar.quote(self.username)}",
            f"realm={grammar.quote(self.realm)}",
            f"nonce={grammar.quote(self.nonce)}",
            f"uri={grammar.quote(self.uri)}",
            f"response={grammar.quote(self.response)}",
        ]
        if self.algorithm is not None:
            written.append(f"algorithm={self.algorithm.value}")
        if self.cnonce is not None:
            written.append(f"cnonce={grammar.quote(self.cnonce)}")
        if self.opaque is not None:
            written.append(f"opaque={grammar.quote(self.opaque)}")
        if self.qop is not None:
            written.append(f"qop={self.qop}")
        if self.nc_text is not None:
            written.append(f"nc={self.nc_text}")
        if self.userhash:
            written.append("userhash=true")
        return "Digest " + ", ".join(written)


def parse_credentials(text: str) -> Credentials | None:
    """
    Read an Authorization or Proxy-Authorization; None for another scheme than Digest.

    Raises `MalformedField` for an algorithm which is not known, too: nobody here asked
    for it.
    """
    found = read_params("Authorization", text, "digest")
    if found is None:
        return None
    name = found.get("algorithm")
    algorithm = None if name is None else _BY_NAME.get(name.upper())
    if name is not None and algorithm is None:
        raise MalformedField(
            "Authorization", f"the algorithm {name[:60]!r} is not known"
        )
    nc = found.get("nc")
    if nc is not None and _count(nc) is None:
        raise MalformedField("Authorization", f"no count: nc={nc[:60]!r}")
    return Credentials(
        username=_username(found),
        realm=_wanted("Authorization", found, "realm"),
        nonce=_wanted("Authorization", found, "nonce"),
        uri=_wanted("Authorization", found, "uri"),
        response=_wanted("Authorization", found, "response"),
        algorithm=algorithm,
        qop=found.get("qop"),
        nc=None if nc is None else int(nc, 16),
        nc_text=nc,
        cnonce=found.get("cnonce"),
        opaque=found.get("opaque"),
        userhash=found.get("userhash", "").lower() == "true",
    )


def _username(found: dict[str, str]) -> str:
    extended = found.get("username*")
    if extended is None:
        return _wanted("Authorization", found, "username")
    match = _extended(extended)
    if match is None or "username" in found:
        raise MalformedField("Authorization", f"no user name: {extended[:60]!r}")
    raw = match[1].encode("utf-8", "surrogateescape")
    return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")


# --- Challenges


@attrs.frozen
class Challenge:
    """
    What a server asks to be proved (RFC 7616 §3.3).

    ``algorithm`` is None if none is named, which means MD5.  ``qop`` is empty from a
    server which only knows RFC 2069.
    """

    realm: str
    nonce: str
    algorithm: Algorithm | None = None
    qop: tuple[str, ...] = ()
    stale: bool = False
    opaque: str | None = None
    domain: str | None = None
    userhash: bool = False

    def __str__(self) -> str:
        written = [f"realm={grammar.quote(self.realm)}"]
        if self.domain is not None:
            written.append(f"domain={grammar.quote(self.domain)}")
        written.append(f"nonce={grammar.quote(self.nonce)}")
        if self.opaque is not None:
            written.append(f"opaque={grammar.quote(self.opaque)}")
        if self.stale:
            written.append("stale=true")
        if self.algorithm is not None:
            written.append(f"algorithm={self.algorithm.value}")
        if self.qop:
            written.append(f'qop="{",".join(self.qop)}"')
        if self.userhash:
            written.append("userhash=true")
        return "Digest " + ", ".join(written)


def parse_challenge(text: str) -> Challenge | None:
    """
    Read a WWW-Authenticate or Proxy-Authenticate.

    None for another scheme than Digest, and for an algorithm which is not known: such a
    challenge is passed over for the next one (RFC 7616 §3.7).
    """
    found = read_params("WWW-Authenticate", text, "digest")
    if found is None:
        return None
    name = found.get("algorithm")
    algorithm = None if name is None else _BY_NAME.get(name.upper())
    if name is not None and algorithm is None:
        return None
    return Challenge(
        _wanted("WWW-Authenticate", found, "realm"),
        _wanted("WWW-Authenticate", found, "nonce"),
        algorithm,
        tuple(
            each
            for part in found.get("qop", "").split(",")
            if (each := part.strip(" \t"))
        ),
        found.get("stale", "").lower() == "true",
        found.get("opaque"),
        found.get("domain"),
        found.get("userhash", "").lower() == "true",
    )


# --- What both are made of


def read_params(name: str, text: str, scheme: str) -> dict[str, str] | None:
    """
    Give the parameters of one scheme, whose name is given in lower case.

    Their names are in lower case, too.  None for another scheme; raises `MalformedField`
    for the field ``name``.
    """
    found = _scheme(text)
    if found is None or found[1].lower() != scheme:
        return None
    return _quickly(text, found.end()) or _thoroughly(name, text, found.end())


def _quickly(text: str, position: int) -> dict[str, str] | None:
    # In half the time of the other.  None leaves it to that one: what was found does not
    # reach from end to end, or a name was found twice.
    params = _quick_params(text, position)
    found = {name.lower(): quoted or bare for _, name, quoted, bare in params}
    reached = position + sum([len(param[0]) for param in params])
    return found if reached == len(text) and len(found) == len(params) else None


def _thoroughly(name: str, text: str, position: int) -> dict[str, str]:
    found: dict[str, str] = {}
    while position < len(text):
        match = _auth_param(text, position)
        if match is None:
            raise MalformedField(
                name, f"cannot be read from {text[position:][:40]!r} on"
            )
        position = match.end()
        if match[1] is None:
            continue
        parameter = match[1].lower()
        if parameter in found:
            raise MalformedField(name, f"{parameter[:60]} is there twice")
        found[parameter] = grammar.unquote(match[2])
    return found


def _wanted(name: str, found: dict[str, str], parameter: str) -> str:
    value = found.get(parameter)
    if value is None:
        raise MalformedField(name, f"{parameter} is missing")
    return value
