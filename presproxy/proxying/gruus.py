"""
The URIs that lead to one user agent of a user (RFC 5627).

The public one names user and instance to whoever reads it.  A temporary one says nothing
to anybody but us: all that it stands for is in it, enciphered, and none is kept here.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2s
from hmac import compare_digest
from urllib.parse import quote

import attrs

from presproxy.proxying.keys import Keyring
from presproxy.proxying.token import read_octets, write_octets
from presproxy.sip.uri import AddressOfRecord, SipURI, address_of_record, domain_of

#: How the user of a temporary one begins.
_TEMPORARY = "tgruu."

#: What a parameter of a URI may hold unescaped besides letters and digits (RFC 3261 §25.1).
_PLAIN = "-_.!~*'()[]/:&+$"

#: Octets: of what seals one, of what makes it unlike any other, and what its length is a
#: multiple of, so that it does not tell that of the user's name.
_SEAL, _ONCE, _BLOCK = 12, 8, 32

#: Octets of a user and a label that still make one.
_LONGEST = 224


@attrs.frozen
class Meant:
    """
    Whom a GRUU means: a user, and of his instances one.

    It is named by ``instance``, or by the ``label`` of its registration.
    """

    aor: AddressOfRecord
    instance: str = ""
    label: str = ""


@attrs.frozen
class Gruus:
    """Writes and reads them.  ``random`` gives as many random octets as it is asked for."""

    keys: Keyring
    random: Callable[[int], bytes]

    def public(self, aor: AddressOfRecord, instance: str) -> str:
        """Give the one that stays the same (§3.1)."""
        octets = instance.encode("utf-8", "surrogateescape")
        return f"{aor};gr={quote(octets, safe=_PLAIN)}"

    def temporary(self, aor: AddressOfRecord, label: str) -> str | None:
        """Give one that was never given before (§3.2); None for a name that is too long."""
        told = f"{label} {aor}".encode()
        if len(told) > _LONGEST:
            return None
        told = self.random(_ONCE) + told
        told += bytes(-len(told) % _BLOCK)
        key = self.keys.current
        seal = _seal(key, told)
        user = _TEMPORARY + write_octets(seal + _crossed(key, seal, told))
        return f"sip:{user}@{domain_of(aor)};gr"

    def meant(self, uri: SipURI) -> Meant | None:
        """Say whom a URI means; None if it is no GRUU, or none of ours."""
        instance = uri.parameter("gr")
        if instance:
            aor = address_of_record(attrs.evolve(uri, parameters=()))
            return Meant(aor, instance=instance)
        user = uri.user or ""
        if instance is None or not user.startswith(_TEMPORARY):
            return None
        data = read_octets(user.removeprefix(_TEMPORARY))
        return None if data is None else self._read(data)

    def _read(self, data: bytes) -> Meant | None:
        seal, crossed = data[:_SEAL], data[_SEAL:]
        for key in self.keys.known:
            told = _crossed(key, seal, crossed)
            if compare_digest(seal, _seal(key, told)):
                label, _, aor = told[_ONCE:].rstrip(b"\0").decode().partition(" ")
                return Meant(AddressOfRecord(aor), label=label)
        return None


def _seal(key: bytes, told: bytes) -> bytes:
    own = blake2s(b"gruu", key=key).digest()
    return blake2s(told, digest_size=_SEAL, key=own).digest()


def _crossed(key: bytes, seal: bytes, data: bytes) -> bytes:
    """
    Encipher octets, or read them again.

    What they are crossed with comes from their seal, which is of what is in them and of
    octets that are never used twice: so is it.
    """
    own = blake2s(b"gruu cipher", key=key).digest()
    stream = b"".join(
        blake2s(seal + number.to_bytes(2, "big"), key=own).digest()
        for number in range(-(-len(data) // _BLOCK))
    )
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))
