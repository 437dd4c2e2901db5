"""
The header of a message as it came: lines in their order, names as they are spelt.

Names are compared in one form, the long name in lower case; the compact forms of the
registry are known (RFC 3261 §7.3.3 and its extensions).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from presproxy.errors import MalformedField
from presproxy.sip import grammar
from presproxy.sip.fields import split_values

COMPACT_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "a": "accept-contact",
        "b": "referred-by",
        "c": "content-type",
        "d": "request-disposition",
        "e": "content-encoding",
        "f": "from",
        "i": "call-id",
        "j": "reject-contact",
        "k": "supported",
        "l": "content-length",
        "m": "contact",
        "n": "identity-info",
        "o": "event",
        "r": "refer-to",
        "s": "subject",
        "t": "to",
        "u": "allow-events",
        "v": "via",
        "x": "session-expires",
        "y": "identity",
    }
)

_USUAL = (
    "Accept",
    "Accept-Contact",
    "Accept-Encoding",
    "Accept-Language",
    "Alert-Info",
    "Allow",
    "Allow-Events",
    "Authorization",
    "Call-ID",
    "Call-Info",
    "Contact",
    "Content-Disposition",
    "Content-Encoding",
    "Content-ID",
    "Content-Language",
    "Content-Length",
    "Content-Transfer-Encoding",
    "Content-Type",
    "CSeq",
    "Date",
    "Error-Info",
    "Event",
    "Expires",
    "From",
    "Identity",
    "Max-Forwards",
    "MIME-Version",
    "Min-Expires",
    "Organization",
    "P-Access-Network-Info",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Path",
    "Priority",
    "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Require",
    "Reason",
    "Record-Route",
    "Refer-To",
    "Referred-By",
    "Require",
    "Retry-After",
    "Route",
    "Server",
    "Service-Route",
    "Session-Expires",
    "SIP-ETag",
    "SIP-If-Match",
    "Subject",
    "Subscription-State",
    "Suppress-If-Match",
    "Supported",
    "Timestamp",
    "To",
    "Unsupported",
    "User-Agent",
    "Via",
    "Warning",
    "WWW-Authenticate",
)

#: From the spellings usual in the field to the form compared; the others take longer.
SPELLINGS: Mapping[str, str] = {
    **{name: name.lower() for name in _USUAL},
    **{name.title(): name.lower() for name in _USUAL},
    **{name.lower(): name.lower() for name in _USUAL},
    **COMPACT_FORMS,
}

_BREAKS = ("\r", "\n", "\0")


def canonical(name: str) -> str:
    """Give the form in which a name is compared."""
    known = SPELLINGS.get(name)
    if known is not None:
        return known
    lower = name.lower()
    return COMPACT_FORMS.get(lower, lower)


def check_line(name: str, value: str) -> None:
    """Raise `MalformedField` for what would be no field, or more than one, if written."""
    if not grammar.is_token(name):
        raise MalformedField(name, "no name of a field")
    if any(each in value for each in _BREAKS):
        raise MalformedField(name, "a line break or NUL cannot be written")


class Header:
    """
    The lines of a header, to be read in order or changed.

    Every name may be given in any spelling.  What is added is checked: no value can
    smuggle in a second line.
    """

    __slots__ = ("_lines",)

    def __init__(self, lines: Iterable[tuple[str, str]] = ()) -> None:
        self._lines: list[tuple[str, str]] = []
        for name, value in lines:
            self.add(name, value)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Header) and self._lines == other._lines

    __hash__ = None  # type: ignore[assignment]  # It changes.

    def __repr__(self) -> str:
        return f"Header({self._lines!r})"

    def get(self, name: str) -> str | None:
        """Give the value of the first line of this name."""
        wanted = canonical(name)
        return next(
            (value for each, value in self._lines if canonical(each) == wanted), None
        )

    def get_all(self, name: str) -> list[str]:
        """Give the values of all lines of this name, one per line."""
        wanted = canonical(name)
        return [value for each, value in self._lines if canonical(each) == wanted]

    def values(self, name: str) -> list[str]:
        """Give all values of this name, whether on one line or on several."""
        return [value for line in self.get_all(name) for value in split_values(line)]

    def add(self, name: str, value: str) -> None:
        """Put a line at the end."""
        check_line(name, value)
        self._lines.append((name, value))

    def push(self, name: str, value: str) -> None:
        """Put a line above all others of its name, as Via and Record-Route want it."""
        check_line(name, value)
        wanted = canonical(name)
        position = next(
            (
                at
                for at, (each, _) in enumerate(self._lines)
                if canonical(each) == wanted
            ),
            0,
        )
        self._lines.insert(position, (name, value))

    def pop(self, name: str) -> str | None:
        """Take the topmost value of this name away, also from a line that has several."""
        wanted = canonical(name)
        for position, (each, line) in enumerate(self._lines):
            if canonical(each) != wanted:
                continue
            top, *rest = split_values(line) or [""]
            if rest:
                self._lines[position] = (each, ", ".join(rest))
            else:
                del self._lines[position]
            return top
        return None

    def set(self, name: str, value: str) -> None:
        """Make this the only line of its name, in the place of the first."""
        check_line(name, value)
        wanted = canonical(name)
        for position, (each, _) in enumerate(self._lines):
            if canonical(each) == wanted:
                self._lines[position] = (each, value)
                kept = self._lines[: position + 1]
                rest = self._lines[position + 1 :]
                self._lines = kept + [
                    line for line in rest if canonical(line[0]) != wanted
                ]
                return
        self._lines.append((name, value))

    def remove(self, name: str) -> None:
        """Take all lines of this name away."""
        wanted = canonical(name)
        self._lines = [line for line in self._lines if canonical(line[0]) != wanted]

    def __str__(self) -> str:
        return "".join(f"{name}: {value}\r\n" for name, value in self._lines)
