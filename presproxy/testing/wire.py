"""
Messages as text, read and written without the server's own parser.

A test which speaks over a real socket must not share the mistakes of what it tests.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Mapping, Sequence

import attrs

#: Value of a field: one line, several, or None for a field to be left out.
Value = str | Sequence[str] | None

_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "o": "event",
    "k": "supported",
    "u": "allow-events",
}

_numbers = itertools.count(1)
_PREFIX = os.urandom(4).hex()


def fresh(prefix: str = "") -> str:
    """Give a text nobody has used before: a branch, a tag, a Call-ID, a note."""
    return f"{prefix}{_PREFIX}{next(_numbers)}"


def written(host: str) -> str:
    """Write a host as URIs and Via do: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def family(host: str) -> socket.AddressFamily:
    """Give the kind of socket that an address needs."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@attrs.frozen(eq=False)
class Message:
    """A message that came: its first line, its fields by lower-case name, its body."""

    data: bytes
    first_line: str
    fields: Sequence[tuple[str, str]]
    body: bytes

    @classmethod
    def read(cls, data: bytes) -> Message:
        """Read one message, which must be whole."""
        head, _, body = data.partition(b"\r\n\r\n")
        first_line, *lines = head.decode("utf-8", "replace").split("\r\n")
        fields = []
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields.append((_COMPACT.get(name, name), value.strip()))
        return cls(data, first_line, fields, body)

    @property
    def is_response(self) -> bool:
        """Whether it is a response."""
        return self.first_line.startswith("SIP/2.0 ")

    @property
    def status(self) -> int:
        """The status of a response, 0 for a request."""
        return int(self.first_line.split()[1]) if self.is_response else 0

    @property
    def reason(self) -> str:
        """The reason phrase of a response."""
        return self.first_line.split(" ", 2)[2]

    @property
    def method(self) -> str:
        """The method of a request, or of the request that a response answers."""
        if self.is_response:
            return (self.get("cseq") or "").rpartition(" ")[2]
        return self.first_line.split()[0]

    def get(self, name: str) -> str | None:
        """Give a field's first value as it stands."""
        return next((value for each, value in self.fields if each == name), None)

    def all(self, name: str) -> list[str]:
        """Give all values of a field, one for each line."""
        return [value for each, value in self.fields if each == name]

    def need(self, name: str) -> str:
        """Give a field which must be there."""
        value = self.get(name)
        if value is None:
            raise AssertionError(f"no {name} in {self.data!r}")
        return value

    @property
    def cseq(self) -> int:
        """The number of CSeq."""
        return int(self.need("cseq").split()[0])

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.need("call-id")

    @property
    def branch(self) -> str:
        """The branch of the top Via, empty if it has none."""
        return parameter(self.need("via"), "branch") or ""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def __repr__(self) -> str:
        return f"<{self.first_line}>"


def parameter(value: str, name: str) -> str | None:
    """Give one parameter of a field value."""
    for each in value.split(";")[1:]:
        key, _, found = each.partition("=")
        if key.strip().lower() == name:
            return found.strip()
    return None


def compose(
    first_line: str, fields: Mapping[str, Value], body: bytes | str = b""
) -> bytes:
    """Write a message; Content-Length is added unless it is among the fields."""
    data = body.encode() if isinstance(body, str) else body
    lines = [first_line]
    for name, value in {"Content-Length": str(len(data)), **fields}.items():
        if value is None:
            continue
        values = [value] if isinstance(value, str) else value
        lines += [f"{name}: {each}" for each in values]
    return "\r\n".join([*lines, "", ""]).encode() + data


def respond(
    request: Message, status: str = "200 OK", fields: Mapping[str, Value] | None = None
) -> bytes:
    """Write a response to a request that came."""
    copied = ("via", "from", "to", "call-id", "cseq")
    lines = [f"SIP/2.0 {status}"]
    lines += [f"{name}: {value}" for name, value in request.fields if name in copied]
    for name, value in {"Content-Length": "0", **(fields or {})}.items():
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode()


def cut(stream: bytes) -> tuple[list[bytes], bytes]:
    """Cut whole messages off a stream, and give what is left; CRLFs between are dropped."""
    messages: list[bytes] = []
    while True:
        stream = stream.lstrip(b"\r\n")
        head, blank, rest = stream.partition(b"\r\n\r\n")
        if not blank:
            return messages, stream
        length = int(Message.read(head + blank).get("content-length") or 0)
        if len(rest) < length:
            return messages, stream
        messages.append(head + blank + rest[:length])
        stream = rest[length:]


PIDF = "application/pidf+xml"


def pidf(
    entity: str, note: str = "", basic: str = "open", *, id: str = "t1", more: str = ""
) -> str:
    """Write a small presence document."""
    noted = f"<note>{note}</note>" if note else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="{entity}">'
        f'<tuple id="{id}"><status><basic>{basic}</basic></status>{noted}</tuple>'
        f"{more}</presence>"
    )
