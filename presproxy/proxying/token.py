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
    """
    What we write into a Path, to know the flow again that a user registered by.

    ``secret`` is known here alone, and at most 32 bytes long.
    """

    secret: bytes

    def write(self, name: str) -> str:
        """Write the one of the flow called ``name``."""
        return _written(self._seal(name.encode()) + name.encode())

    def read(self, text: str) -> str | None:
        """Give the name of a flow; None if it was not written here."""
        data = _bytes(text)
        if data is None:
            return None
        name = data[_SEAL:]
        return name.decode() if compare_digest(data[:_SEAL], self._seal(name)) else None

    def _seal(self, name: bytes) -> bytes:
        # By a key of its own: neither token can be taken for the other.
        key = blake2s(b"path", key=self.secret).digest()
        return blake2s(name, digest_size=_SEAL, key=key).digest()


@attrs.frozen
class RouteTokens:
    """Writes and reads them; ``secret`` is known here alone, and at most 32 bytes long."""

    secret: bytes

    def write(self, request: Request, caller: str, callee: str) -> str:
        """Write the one for the dialog that a request begins."""
        ends = self._caller(request.from_) + self._callee(request.to)
        return self._sealed(request.call_id, ends + f"{caller} {callee}".encode())

    def read(self, text: str, request: Request) -> Ends | None:
        """
        Read the one in a request within the dialog, from whichever end it comes.

        None if it is not ours, was written for another call, or if the request is from
        neither end, or to the other one under another name.
        """
        data = _bytes(text)
        if data is None or request.to.tag is None:
            return None
        inner = data[_SEAL:]
        if not compare_digest(text, self._sealed(request.call_id, inner)):
            return None
        caller, _, callee = inner[_ENDS:].decode().partition(" ")
        sender, other = request.from_, request.to
        if inner[:_ENDS] == self._caller(sender) + self._callee(other):
            return Ends(caller, callee)
        if inner[:_ENDS] == self._caller(other) + self._callee(sender):
            return Ends(callee, caller)
        return None

    def _sealed(self, call_id: str, inner: bytes) -> str:
        told = call_id.encode("utf-8", "surrogateescape") + b"\0" + inner
        seal = blake2s(told, digest_size=_SEAL, key=self.secret).digest()
        return _written(seal + inner)

    def _caller(self, party: NameAddress) -> bytes:
        return self._end(f"{party.tag or ''} {_name(party)}")

    def _callee(self, party: NameAddress) -> bytes:
        # His tag is not known yet when the dialog begins.
        return self._end(_name(party))

    def _end(self, text: str) -> bytes:
        data = text.encode("utf-8", "surrogateescape")
        return blake2s(data, digest_size=_END, key=self.secret).digest()


def _name(party: NameAddress) -> str:
    try:
        return party.aor
    except MalformedField:
        return party.uri


def _written(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _bytes(text: str) -> bytes | None:
    """Give what may be a token's bytes."""
    if len(text) > _LONGEST or not text.isascii():
        return None
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return None
