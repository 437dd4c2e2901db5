"""
STUN as a keep-alive (RFC 5626 §3.5.2, RFC 5389): "what is my address?"

Enough for user agents that ask on the port where they speak SIP.  No authentication, no
fingerprint, and attributes of a request are not read: a server for other uses would
have to refuse those it does not know (RFC 5389 §7.3.1).
"""

from __future__ import annotations

import struct
from ipaddress import ip_address

from presproxy.sip.flow import Address

#: What begins with a smaller octet is STUN, or nothing (RFC 7983 §7).
FIRST_OF_SIP = 4

_HEADER = struct.Struct("!HHL")
_REQUEST, _RESPONSE = 0x0001, 0x0101
_COOKIE = 0x2112A442
_MAPPED_ADDRESS, _XOR_MAPPED_ADDRESS = 0x0001, 0x0020


def binding_response(data: bytes, peer: Address) -> bytes | None:
    """Write the answer to a Binding request; None for what is none."""
    if len(data) < 20:
        return None
    kind, length, cookie = _HEADER.unpack_from(data)
    if kind != _REQUEST or length % 4 or length != len(data) - 20:
        return None
    transaction = data[4:20]
    host = ip_address(peer[0].partition("%")[0]).packed
    family = 1 if len(host) == 4 else 2
    if cookie == _COOKIE:
        # Some translators of addresses rewrite any address of theirs that they see.
        attribute = _XOR_MAPPED_ADDRESS
        port = (peer[1] ^ _COOKIE >> 16).to_bytes(2, "big")
        host = bytes(one ^ other for one, other in zip(host, transaction, strict=False))
    else:
        attribute = _MAPPED_ADDRESS
        port = peer[1].to_bytes(2, "big")
    value = struct.pack("!BB", 0, family) + port + host
    return (
        struct.pack("!HH", _RESPONSE, len(value) + 4)
        + transaction
        + struct.pack("!HH", attribute, len(value))
        + value
    )
