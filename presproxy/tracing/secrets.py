"""What nobody needs to see in a trace: answers to challenges, and keys of media."""

from __future__ import annotations

import re

#: Fields that carry what proves who somebody is.
_fields = re.compile(
    rb"^((?:Proxy-)?(?:Authorization|Authenticate|Authentication-Info)"
    rb"|WWW-Authenticate)[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
#: What in them is no secret is the scheme, and all parameters but these.
_parameters = re.compile(
    rb'\b((?:response|rspauth|gssapi-data|cnonce|token)[ \t]*=[ \t]*)("[^"]*"|[^,\s]+)',
    re.IGNORECASE,
)
#: What follows these schemes is secret as a whole.
_schemes = re.compile(rb":[ \t]*(?:Basic|Bearer)[ \t]+", re.IGNORECASE)
#: Keys in a description of media: ``a=crypto`` and ``k=``.
_keys = re.compile(rb"(\binline:)([A-Za-z0-9+/=]+)|^(k=[a-z0-9]+:)([^\r\n]+)", re.M)


def blanked(data: bytes) -> bytes:
    """Put an ``x`` for each octet of a message's secrets; its length stays."""
    head, blank, body = data.partition(b"\r\n\r\n")
    head = _fields.sub(lambda found: _field(found[0]), head)
    return head + blank + (_keys.sub(_key, body) if body else b"")


def _field(line: bytes) -> bytes:
    scheme = _schemes.search(line)
    if scheme is not None:
        return line[: scheme.end()] + b"x" * (len(line) - scheme.end())
    return _parameters.sub(lambda found: found[1] + _value(found[2]), line)


def _value(value: bytes) -> bytes:
    if value.startswith(b'"'):
        return b'"' + b"x" * (len(value) - 2) + b'"'
    return b"x" * len(value)


def _key(found: re.Match[bytes]) -> bytes:
    name, value = (found[1], found[2]) if found[1] else (found[3], found[4])
    return name + b"x" * len(value)
