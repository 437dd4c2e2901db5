"""
The patterns of the language, each under its name in RFC 3261 §25.1.

They are pieces of regular expressions, put together where they are used.  Each is
linear: no two ways to match the same text, so that no input makes a match slow.  Where
they allow more than the grammar, it is what user agents in the field send; the comment
says what.
"""

from __future__ import annotations

import re

from presproxy.errors import MalformedField

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"

#: Space within one unfolded line: folded lines are joined before a field is read.
LWS = r"[ \t]"

#: The quotes included.  A backslash quotes whatever follows it.
QUOTED_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'

#: As the grammar, and an underscore, which names in private networks do have.
HOSTNAME = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*"

#: The form only; `presproxy.sip.uri` looks at the address itself.
IPV6REFERENCE = r"\[[0-9A-Fa-f:.]+\]"

HOST = rf"(?:{HOSTNAME}|{IPV6REFERENCE})"

#: A generic-param's value: token, host or quoted string.  More than the grammar: any
#: run of other characters which cannot be taken for a delimiter, since user agents put
#: URIs and base64 there without quotes.
GEN_VALUE = rf'(?:{QUOTED_STRING}|[^\s;,"<>]*)'

#: ``;name`` or ``;name=value``, with what space the grammar allows.  An empty one, as in
#: a trailing semicolon, is passed over.
GENERIC_PARAM = rf"{LWS}*;{LWS}*(?:({TOKEN})(?:{LWS}*={LWS}*({GEN_VALUE}))?)?"

#: Parameters as most user agents write them, without quotes, spaces or escapes.
PLAIN_PARAMETERS = r';[^\x00-\x20",<>\x7f-\U0010ffff]*'

_is_token = re.compile(TOKEN).fullmatch
_quoted_pair = re.compile(r"\\(.)", re.DOTALL)
_to_escape = re.compile(r'(["\\])')
_parameter = re.compile(GENERIC_PARAM)
_is_plain = re.compile(PLAIN_PARAMETERS).fullmatch

Parameters = tuple[tuple[str, str | None], ...]


def is_token(text: str) -> bool:
    """Whether ``text`` is a token."""
    return _is_token(text) is not None


def quote(text: str) -> str:
    """Write a quoted string."""
    return f'"{_to_escape.sub(_ESCAPED, text)}"'


_ESCAPED = r"\\\1"


def unquote(text: str) -> str:
    """Read a quoted string; text without quotes is given back as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return _quoted_pair.sub(r"\1", inner) if "\\" in inner else inner


def parse_parameters(name: str, text: str) -> Parameters:
    """
    Read ``;a=b;c`` into pairs, names and values as they are written.

    One semicolon too many at the end is passed over.  ``name`` is the field they are in,
    for the `MalformedField` raised.
    """
    if not text:
        return ()
    if _is_plain(text):
        plain = cut_plain(text)
        if plain is not None:
            return plain
    found: list[tuple[str, str | None]] = []
    position, end = 0, len(text.rstrip(" \t"))
    while position < end:
        match = _parameter.match(text, position)
        if match is None or (match[1] is None and match.end() < end):
            raise MalformedField(name, f"parameters cannot be read: {text[:60]!r}")
        position = match.end()
        if match[1] is not None:
            found.append((match[1], match[2]))
    return tuple(found)


def cut_plain(text: str) -> Parameters | None:
    """
    Cut `PLAIN_PARAMETERS` into pairs, in half the time of `parse_parameters`.

    None if a name is no ASCII word: it may be one all the same.
    """
    found: list[tuple[str, str | None]] = []
    for part in text[1:].split(";"):
        name, equals, value = part.partition("=")
        if not name.isalnum():
            return None
        found.append((name, value if equals else None))
    return tuple(found)


def write_parameters(parameters: Parameters) -> str:
    """Write pairs as ``;a=b;c``."""
    return "".join(
        f";{name}" if value is None else f";{name}={value}"
        for name, value in parameters
    )


def find_parameter(parameters: Parameters, name: str) -> str | None:
    """
    Give the first value of a parameter, its quotes taken off.

    ``name`` is in lower case.  Empty for one without a value, None if it is not there.
    """
    for each, value in parameters:
        if each == name or each.lower() == name:
            if value is None:
                return ""
            return unquote(value) if value[:1] == '"' else value
    return None
