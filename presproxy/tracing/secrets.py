"""What nobody needs to see in a trace: answers to challenges, and keys of media."""

from __future__ import annotations

import re

#: Fields that carry what proves who somebody is.
_fields = re.compile(
    rb"^((?:Proxy-)?(?:Authorization|Authenticate|Authentication-Info)"
    rb"|WWW-Authenticate)[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
#: Parameters that are no secret; all others may be.
_SHOWN = frozenset(
    (
        *(b"algorithm", b"auth", b"charset", b"cnum", b"crand", b"domain", b"epid"),
        *(b"nc", b"nextnonce", b"nonce", b"opaque", b"qop", b"realm", b"snum"),
        *(b"srand", b"stale", b"targetname", b"uri", b"username", b"userhash"),
        b"version",
    )
)
#: The name of a field with the scheme, and a parameter or what stands between two.
_begin = re.compile(rb"[\w-]+[ \t]*:\s*")
_scheme = re.compile(rb"[\w-]+(?=\s|$)(?!\s*=)")
_part = re.compile(
    rb'([\w-]+)(\s*=\s*)("(?:[^"\\]|\\.)*"|[^"=,\s][^",\s]*)(?=\s*(?:,|$))'
    rb"|[,\s]+|[^,\s]+",
    re.DOTALL,
)
_secret = re.compile(rb"\S")
#: Keys in a description of media: ``a=crypto`` and ``k=``.
_keys = re.compile(rb"(\binline:)([A-Za-z0-9+/=]+)|^(k=[a-z0-9]+:)([^\r\n]+)", re.M)


def blanked(data: bytes) -> bytes:
    """Put an ``x`` for each octet of a message's secrets; its length stays."""
    head, blank, body = data.partition(b"\r\n\r\n")
    head = _fields.sub(lambda found: _field(found[0]), head)
    return head + blank + (_keys.sub(_key, body) if body else b"")


def _field(line: bytes) -> bytes:
    begin = _begin.match(line)
    end = begin.end() if begin is not None else 0
    scheme = _scheme.match(line, end)
    if scheme is not None:
        end = scheme.end()
    return line[:end] + b"".join(_told(part) for part in _part.finditer(line, end))


def _told(part: re.Match[bytes]) -> bytes:
    """Give a parameter as it may be seen; of what is none, nothing may be."""
    name, equals, value = part.groups()
    if name is None:
        return part[0] if part[0][:1] in b", \t\r\n" else b"x" * len(part[0])
    if name.lower() in _SHOWN:
        return part[0]
    if value[:1] == b'"':
        return name + equals + b'"' + _secret.sub(b"x", value[1:-1]) + b'"'
    return name + equals + b"x" * len(value)


def _key(found: re.Match[bytes]) -> bytes:
    name, value = (found[1], found[2]) if found[1] else (found[3], found[4])
    return name + b"x" * len(value)
