"""
The arithmetic of NTLM: from a password to keys, and from keys to signatures.

NTLMv2 ([MS-NLMP] 3.3.2) with extended session security (3.4), in the connectionless form
whose signatures do not depend on the order of messages.  MD4 and RC4 are written out
here: what else has them has them no more, or only for some.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterable, Sequence

import attrs

#: What every signature counts from; the connectionless form never counts on.
_SEQUENCE = struct.pack("<I", 100)
_VERSION = struct.pack("<I", 1)

_CLIENT, _SERVER = "client-to-server", "server-to-client"

_MASK = 0xFFFFFFFF

#: The rounds of MD4 (RFC 1320 §3.4): what is added, the order of the words, and by how
#: much four sums in turn are rotated.
_ROUNDS = (
    (0x00000000, tuple(range(16)), (3, 7, 11, 19)),
    (
        0x5A827999,
        tuple(row + 4 * column for row in range(4) for column in range(4)),
        (3, 5, 9, 13),
    ),
    (
        0x6ED9EBA1,
        (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
        (3, 9, 11, 15),
    ),
)


# --- From a password to the session's key


def nt_hash(password: str) -> bytes:
    """Hash what is secret; a server keeps the result, and never the password."""
    return md4(password.encode("utf-16-le", "surrogatepass"))


def response_key(hashed: bytes, user: str, domain: str) -> bytes:
    """Give the key of NTLMv2; user and domain as the user agent wrote them."""
    named = "".join(map(_upper, user)) + domain
    return _hmac(hashed, named.encode("utf-16-le", "surrogatepass"))


def proof(key: bytes, challenge: bytes, rest: bytes) -> bytes:
    """Give what proves the key; ``rest`` is all of the response that follows it."""
    return _hmac(key, challenge + rest)


def session_base_key(key: bytes, proved: bytes) -> bytes:
    """Give the key under which the session's own key came."""
    return _hmac(key, proved)


def _upper(letter: str) -> str:
    # One for one, as Windows does it: "ß" stays.
    upper = letter.upper()
    return upper if len(upper) == 1 else letter


# --- Signatures


@attrs.frozen
class Direction:
    """
    What signs all that goes one way.

    The cipher begins anew with each message, under a key that stays, so what it puts
    over a sum is always the same: ``pad``.
    """

    key: bytes = attrs.field(repr=False)
    pad: bytes = attrs.field(repr=False)

    def sign(self, text: bytes) -> bytes:
        """Give the signature of a text, 16 octets ([MS-NLMP] 3.4.4.2)."""
        summed = _hmac(self.key, _SEQUENCE + text)
        hidden = bytes(a ^ b for a, b in zip(summed, self.pad, strict=False))
        return _VERSION + hidden + _SEQUENCE


@attrs.frozen
class SessionSigner:
    """Signs as the server does, and knows the signatures of the client."""

    client: Direction
    server: Direction

    @classmethod
    def of(cls, session_key: bytes) -> SessionSigner:
        """Derive both directions from the exported session key."""
        return cls(_direction(session_key, _CLIENT), _direction(session_key, _SERVER))

    def sign(self, text: bytes) -> bytes:
        """Sign what the server says."""
        return self.server.sign(text)

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Whether the client signed this text so."""
        return hmac.compare_digest(self.client.sign(text), signature)


def _direction(session_key: bytes, way: str) -> Direction:
    seal = _magic(session_key, way, "sealing")
    pad = rc4(_md5(seal + _SEQUENCE), bytes(8))
    return Direction(_magic(session_key, way, "signing"), pad)


def _magic(session_key: bytes, way: str, use: str) -> bytes:
    words = f"session key to {way} {use} key magic constant\0"
    return _md5(session_key + words.encode("ascii"))


# --- What it is made of


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "md5")


def rc4(key: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt; a few octets, as it is not fast."""
    state = list(range(256))
    other = 0
    for at in range(256):
        other = (other + state[at] + key[at % len(key)]) & 0xFF
        state[at], state[other] = state[other], state[at]
    out, at, other = bytearray(), 0, 0
    for octet in data:
        at = (at + 1) & 0xFF
        other = (other + state[at]) & 0xFF
        state[at], state[other] = state[other], state[at]
        out.append(octet ^ state[(state[at] + state[other]) & 0xFF])
    return bytes(out)


def md4(data: bytes) -> bytes:
    """Hash as RFC 1320 has it."""
    padding = b"\x80" + bytes((55 - len(data)) % 64)
    padded = data + padding + struct.pack("<Q", 8 * len(data) & 2**64 - 1)
    sums = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    for begin in range(0, len(padded), 64):
        words = struct.unpack_from("<16I", padded, begin)
        sums = [a + b & _MASK for a, b in zip(sums, _mixed(sums, words), strict=True)]
    return struct.pack("<4I", *sums)


def _mixed(sums: Sequence[int], words: Sequence[int]) -> Iterable[int]:
    a, b, c, d = sums
    for number, (added, order, rotations) in enumerate(_ROUNDS):
        for step, word in enumerate(order):
            mixed = a + _choice(number, b, c, d) + words[word] + added & _MASK
            by = rotations[step % 4]
            a, b, c, d = d, (mixed << by | mixed >> (32 - by)) & _MASK, b, c
    return a, b, c, d


def _choice(number: int, b: int, c: int, d: int) -> int:
    if number == 0:
        return b & c | ~b & d
    if number == 1:
        return b & c | b & d | c & d
    return b ^ c ^ d
