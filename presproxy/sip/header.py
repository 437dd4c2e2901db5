"""
The names of header fields, and what may stand in a line.

Names are compared in one form, the long name in lower case; the compact forms of the
registry are known (RFC 3261 §7.3.3 and its extensions).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from presproxy.errors import MalformedField
from presproxy.sip import grammar

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
    "Identity-Info",
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
    "Reject-Contact",
    "Request-Disposition",
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

#: As a compact name is written out.
LONG_NAMES: Mapping[str, str] = {
    short: next(usual for usual in _USUAL if usual.lower() == name)
    for short, name in COMPACT_FORMS.items()
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
