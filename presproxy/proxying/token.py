"""
What we write into a Record-Route, to know the way again within the dialog.

A request within a dialog names the remote target, which says nothing of the connection
that leads there; and whoever could name any target with a Route through us would make us
an open relay.  So the user of our Record-Route names both ends' flows, and is sealed for
the one call (RFC 5626 §5.2 does the same for one end).  Nothing of it is kept here.

Who shows it is asked nothing more, so it is good for those two alone whose dialog it is:
one of them could otherwise speak to the other in anybody's name.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2s
from hmac import compare_digest

import attrs

from presproxy.errors import MalformedField
from presproxy.proxying.keys import Keyring
from presproxy.sip.fields import NameAddress
from presproxy.sip.message import Request

#: Bytes of a seal, which nobody can guess, and of what tells each end.
_SEAL = 12
_END = 6
_ENDS = 2 * _END

#: Characters; flows have short names.
_LONGEST = 400


@attrs.frozen
class Ends:
    """The names of the flows to both ends of a dialog, seen from one who sent a request."""

    sender: str
    other: str


@attrs.frozen
class PathTokens:
    """What we write into a Path, to know the flow again that a user registered by."""

    keys: Keyring

    def write(self, name: str) -> str:
        """Write the one of the flow called ``name``."""
        told = name.encode()
        return write_octets(_path_seal(self.keys.current, told) + told)

    def read(self, text: str) -> str | None:
        """Give the name of a flow; None if it was not written here."""
        data = read_octets(text)
        if data is None:
            return None
        seal, name = data[:_SEAL], data[_SEAL:]
        for key in self.keys.known:
            if compare_digest(seal, _path_seal(key, name)):
                return name.decode()
        return None


def _path_seal(key: bytes, name: bytes) -> bytes:
    # By a key of its own: neither token can be taken for the other.
    own = blake2s(b"path", key=key).digest()
    return blake2s(name, digest_size=_SEAL, key=own).digest()


@attrs.frozen
class RouteTokens:
    """Writes and reads them."""

    keys: Keyring

    def write(self, request: Request, caller: str, callee: str) -> str:
        """Write the one for the dialog that a request begins."""
        key = self.keys.current
        ends = _caller(key, request.from_) + _callee(key, request.to)
        return _sealed(key, request.call_id, ends + f"{caller} {callee}".encode())

    def read(self, text: str, request: Request) -> Ends | None:
        """
        Read the one in a request within the dialog, from whichever end it comes.

        None if it is not ours, was written for another call, or if the request is from
        neither end, or to the other one under another name.
        """
        data = read_octets(text)
        if data is None or request.to.tag is None:
            return None
        inner = data[_SEAL:]
        for key in self.keys.known:
            if compare_digest(text, _sealed(key, request.call_id, inner)):
                return _ends(key, inner, request)
        return None


def _ends(key: bytes, inner: bytes, request: Request) -> Ends | None:
    caller, _, callee = inner[_ENDS:].decode().partition(" ")
    sender, other = request.from_, request.to
    if inner[:_ENDS] == _caller(key, sender) + _callee(key, other):
        return Ends(caller, callee)
    if inner[:_ENDS] == _caller(key, other) + _callee(key, sender):
        return Ends(callee, caller)
    return None


def _sealed(key: bytes, call_id: str, inner: bytes) -> str:
    told = call_id.encode("utf-8", "surrogateescape") + b"\0" + inner
    return write_octets(blake2s(told, digest_size=_SEAL, key=key).digest() + inner)


def _caller(key: bytes, party: NameAddress) -> bytes:
    return _end(key, f"{party.tag or ''} {_name(party)}")


def _callee(key: bytes, party: NameAddress) -> bytes:
    # His tag is not known yet when the dialog begins.
    return _end(key, _name(party))


def _end(key: bytes, text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    return blake2s(data, digest_size=_END, key=key).digest()


def _name(party: NameAddress) -> str:
    try:
        return party.aor
    except MalformedField:
        return party.uri


def write_octets(data: bytes) -> str:
    """Write a token's octets as the user of a URI may hold them."""
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")


def read_octets(text: str) -> bytes | None:
    """Give what may be a token's octets; None for what is none."""
    if len(text) > _LONGEST or not text.isascii():
        return None
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return None
