"""
The messages of NTLM in the connectionless form, which has two of its three.

The server begins with CHALLENGE ([MS-NLMP] 2.2.1.2), the user agent answers by
AUTHENTICATE (2.2.1.3); there is no NEGOTIATE.
"""

from __future__ import annotations

import struct
from enum import IntFlag

import attrs

from presproxy.errors import MalformedField

_SIGNATURE = b"NTLMSSP\0"
_CHALLENGE, _AUTHENTICATE = 2, 3

#: As Windows Server 2003 had it, with the revision of NTLM that is in use; nobody looks.
_VERSION = bytes.fromhex("0502ce0e0000000f")

#: Where what the fields point to begins at the earliest.
_CHALLENGE_HEAD, _AUTHENTICATE_HEAD = 56, 64

#: More than a name of a user and what Windows says of his machine take together.
_LARGEST = 8192

#: The proof, and what it is a proof of: its own head of 28 octets, and an end of the list
#: of names.  NTLMv1 has 24 in all, which is how it is told apart.
_PROOF, _SHORTEST_RESPONSE = 16, 16 + 28 + 4

_KEY = 16


class Flag(IntFlag):
    """What both agree on ([MS-NLMP] 2.2.2.5), as far as it matters here."""

    UNICODE = 0x00000001
    REQUEST_TARGET = 0x00000004
    SIGN = 0x00000010
    DATAGRAM = 0x00000040
    NTLM = 0x00000200
    ALWAYS_SIGN = 0x00008000
    TARGET_IS_SERVER = 0x00020000
    EXTENDED_SESSION_SECURITY = 0x00080000
    IDENTIFY = 0x00100000
    TARGET_INFO = 0x00800000
    VERSION = 0x02000000
    KEY_128 = 0x20000000
    KEY_EXCHANGE = 0x40000000
    KEY_56 = 0x80000000


#: All of the above: user agents insist on most of them, and say no to none.
OFFERED = Flag(sum(Flag))

#: Without these an answer has no names we can read, or signs in another way.
_NEEDED = Flag.UNICODE | Flag.EXTENDED_SESSION_SECURITY | Flag.KEY_EXCHANGE

#: The names in target info ([MS-NLMP] 2.2.2.1); 0 ends them.
_COMPUTER, _DOMAIN, _DNS_COMPUTER, _DNS_DOMAIN = 1, 2, 3, 4


@attrs.frozen
class Authenticate:
    """
    What a user agent answers with.

    ``user`` and ``domain`` are as it wrote them.  ``proof`` is that of ``rest``, and
    ``key`` the session's, encrypted.
    """

    user: str
    domain: str
    proof: bytes = attrs.field(repr=False)
    rest: bytes = attrs.field(repr=False)
    key: bytes = attrs.field(repr=False)


def write_challenge(challenge: bytes, computer: str, domain: str) -> bytes:
    """
    Write a CHALLENGE with these eight random octets.

    No time is in the names: whoever finds one there sends a code over all messages, of
    which there is one less than he thinks.
    """
    short = computer.partition(".")[0][:15].upper()
    target = short.encode("utf-16-le")
    names = b"".join(
        (
            _pair(_DOMAIN, domain.partition(".")[0][:15].upper()),
            _pair(_COMPUTER, short),
            _pair(_DNS_DOMAIN, domain),
            _pair(_DNS_COMPUTER, computer),
            bytes(4),
        )
    )
    return b"".join(
        (
            _SIGNATURE,
            struct.pack("<I", _CHALLENGE),
            _pointer(target, _CHALLENGE_HEAD),
            struct.pack("<I", OFFERED),
            challenge,
            bytes(8),
            _pointer(names, _CHALLENGE_HEAD + len(target)),
            _VERSION,
            target,
            names,
        )
    )


def read_authenticate(data: bytes) -> Authenticate:
    """Read an AUTHENTICATE with NTLMv2 in it; raises `MalformedField`."""
    if len(data) > _LARGEST:
        raise _mistake(f"{len(data)} octets are more than {_LARGEST}")
    if len(data) < _AUTHENTICATE_HEAD or not data.startswith(_SIGNATURE):
        raise _mistake("no message of NTLM")
    kind, flags = struct.unpack_from("<I", data, 8)[0], _flags(data)
    if kind != _AUTHENTICATE:
        raise _mistake(f"a message of type {kind}, not {_AUTHENTICATE}")
    if flags & _NEEDED != _NEEDED:
        missing = _NEEDED & ~flags
        raise _mistake(f"without {missing.name}")
    response = _pointed(data, 20, "the response")
    if len(response) < _SHORTEST_RESPONSE:
        raise _mistake(f"a response of {len(response)} octets is not NTLMv2")
    key = _pointed(data, 52, "the session key")
    if len(key) != _KEY:
        raise _mistake(f"a session key of {len(key)} octets")
    return Authenticate(
        user=_text(_pointed(data, 36, "the user"), "the user"),
        domain=_text(_pointed(data, 28, "the domain"), "the domain"),
        proof=response[:_PROOF],
        rest=response[_PROOF:],
        key=key,
    )


def _flags(data: bytes) -> Flag:
    (number,) = struct.unpack_from("<I", data, 60)
    return Flag(number & OFFERED)


def _pair(name: int, value: str) -> bytes:
    written = value.encode("utf-16-le")
    return struct.pack("<HH", name, len(written)) + written


def _pointer(value: bytes, at: int) -> bytes:
    return struct.pack("<HHI", len(value), len(value), at)


def _pointed(data: bytes, at: int, what: str) -> bytes:
    length, _, begin = struct.unpack_from("<HHI", data, at)
    if length and (begin < _AUTHENTICATE_HEAD or begin + length > len(data)):
        raise _mistake(f"{what} is outside of the message")
    return data[begin : begin + length] if length else b""


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-16-le")
    except UnicodeDecodeError:
        raise _mistake(f"{what} is not text in UTF-16") from None


def _mistake(why: str) -> MalformedField:
    return MalformedField("gssapi-data", why)
