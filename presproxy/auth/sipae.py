"""
What is signed of a message, and who signs it: security associations ([MS-SIPAE] 3.2.5.2).

Once a user agent has proved who its user is, both sign every message.  The signature
covers some fields of the header, and a number that is counted up.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from presproxy.errors import CredentialsRejected, MalformedField
from presproxy.sip.fields import NameAddress, parse_name_address
from presproxy.sip.message import (
    MalformedMessage,
    Message,
    Response,
    parse_message,
)
from presproxy.sip.uri import AddressOfRecord

#: The versions of the protocol; they differ in what is signed, and from 4 on the request
#: which ends the handshake is signed as well.
VERSIONS = (2, 3, 4)

#: What user agents find in every challenge; nothing hangs on it.
REALM = "SIP Communications Service"

#: How far behind the highest a number may be that was not seen yet.  Chosen: what could
#: overtake on one connection, many times over.
_WINDOW = 256
_HIGHEST = 2**32 - 1

_number = re.compile(r"[0-9]{1,10}").fullmatch
_hexadecimal = re.compile(r"(?:[0-9A-Fa-f]{2}){1,512}").fullmatch

#: These are taken unsigned, and by a user agent that begins anew they have to be.
_CHALLENGES = frozenset({401, 407})
_OURS = "authentication-info"


class Signer(Protocol):
    """What signs, and knows the signatures of the other side."""

    def sign(self, text: bytes) -> bytes:
        """Sign what we say."""

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Whether the other side signed this text so."""


# --- What both agree on


@attrs.frozen
class Terms:
    """What both know from the handshake; it is signed with every message."""

    scheme: str
    target: str
    version: int = 4
    realm: str = REALM

    def challenge(self, opaque: str | None = None, token: bytes = b"") -> str:
        """Write a challenge: the first, or the one with a token for a handshake."""
        begun = "" if opaque is None else f'opaque="{opaque}", {_written(token)}, '
        return f"{self.scheme} {begun}{self}"

    def __str__(self) -> str:
        version = f", version={self.version}" if self.version > 2 else ""
        return f'realm="{self.realm}", targetname="{self.target}"{version}'


def _written(token: bytes) -> str:
    return f'gssapi-data="{b64encode(token).decode("ascii")}"'


# --- What is signed


def signed_text(terms: Terms, salt: str, number: str, message: Message) -> bytes:
    """
    Give what is signed of a message, each value as it stands there.

    ``salt`` and ``number`` are crand and cnum, or srand and snum.  Raises
    `MalformedField` if a field cannot be read.
    """
    count, _, method = (message.get("cseq") or "").partition(" ")
    from_, to = message.from_, message.to
    is_long = terms.version > 2
    values = [terms.scheme, salt, number, terms.realm, terms.target]
    values += [message.call_id, count, method.strip(" \t")]
    values += [from_.uri, from_.tag or ""]
    if is_long:
        values.append(to.uri)
    values.append(to.tag or "")
    if is_long:
        values += _asserted(message)
    values.append(message.get("expires") or "")
    if isinstance(message, Response):
        values.append(str(message.status))
    text = "".join(f"<{value}>" for value in values)
    return text.encode("utf-8", "surrogateescape")


def _asserted(message: Message) -> tuple[str, str]:
    """Give the sip: and the tel: URI of who is asserted or preferred (RFC 3325)."""
    for name in ("p-asserted-identity", "p-preferred-identity"):
        if message.has(name):
            uris = [
                _uri(parse_name_address(name, each)) for each in message.values(name)
            ]
            return _first(uris, "sip:", "sips:"), _first(uris, "tel:")
    return "", ""


def _uri(named: NameAddress) -> str:
    return named.uri


def _first(uris: list[str], *schemes: str) -> str:
    return next((uri for uri in uris if uri.lower().startswith(schemes)), "")


# --- Who signs


@attrs.define(eq=False)
class Numbers:
    """The numbers that were seen: each is good once."""

    _highest: int = 0
    #: A bit for each one below the highest, beginning with itself.
    _seen: int = 0

    def take(self, number: int) -> bool:
        """Whether this one is good; it is not again."""
        ahead = number - self._highest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, _WINDOW) | 1) & (1 << _WINDOW) - 1
            self._highest = number
            return True
        if ahead <= -_WINDOW or self._seen >> -ahead & 1:
            return False
        self._seen |= 1 << -ahead
        return True


@attrs.define(eq=False)
class Association:
    """
    The security association with one user agent.

    It is named ``opaque`` and holds until ``until``, on the clock of who made it.
    ``random`` gives random octets.  ``secret`` stands for what the user proved.
    """

    opaque: str
    user: AddressOfRecord
    terms: Terms
    signer: Signer
    until: float
    random: Callable[[int], bytes]
    secret: object = attrs.field(default=None, repr=False)
    _theirs: Numbers = attrs.field(init=False, factory=Numbers)
    _ours: int = attrs.field(init=False, default=0)

    def check(self, given: Mapping[str, str], message: Message) -> None:
        """
        See that a message is signed, by the parameters of its credentials.

        Raises `CredentialsRejected`, and so it does for what was seen before.
        """
        salt, number = given.get("crand"), given.get("cnum", "")
        signature = given.get("response", "")
        if salt is None or not _number(number) or not _hexadecimal(signature):
            raise CredentialsRejected("there is no signature")
        try:
            text = signed_text(self.terms, salt, number, message)
        except MalformedField as error:
            raise CredentialsRejected(f"nothing to be signed: {error}") from error
        if not self.signer.is_signed(text, bytes.fromhex(signature)):
            raise CredentialsRejected("the signature is wrong")
        if not 0 < int(number) <= _HIGHEST or not self._theirs.take(int(number)):
            raise CredentialsRejected("the message was seen before")

    def sealed(self, data: bytes) -> bytes:
        """
        Give a whole message with its signature in it.

        A challenge stays as it is, and so does what cannot be signed as a field of it
        cannot be read: it is up to the user agent to take it or not.
        """
        try:
            message = parse_message(data)
            if isinstance(message, Response) and message.status in _CHALLENGES:
                return data
            self._ours += 1
            salt, number = self.random(4).hex().upper(), str(self._ours)
            text = signed_text(self.terms, salt, number, message)
        except (MalformedMessage, MalformedField):
            return data
        line = self._line(self.signer.sign(text).hex().upper(), salt, number)
        head, _, body = data.partition(b"\r\n\r\n")
        if message.has(_OURS):
            head = _without_ours(head)
        return b"".join((head, b"\r\n", line.encode("utf-8"), b"\r\n\r\n", body))

    def _line(self, signature: str, salt: str, number: str) -> str:
        return (
            f'Authentication-Info: {self.terms.scheme} rspauth="{signature}", '
            f'srand="{salt}", snum="{number}", opaque="{self.opaque}", qop="auth", '
            f"{self.terms}"
        )


def _without_ours(head: bytes) -> bytes:
    """Take away what somebody else put where our signature goes."""
    kept: list[bytes] = []
    is_ours = False
    for line in head.split(b"\r\n"):
        if not line.startswith((b" ", b"\t")):
            is_ours = line.partition(b":")[0].strip(b" \t").lower() == _OURS.encode()
        if not is_ours:
            kept.append(line)
    return b"\r\n".join(kept)
