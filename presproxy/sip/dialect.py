"""Which dialect of SIP a user agent speaks, by what its requests say."""

from __future__ import annotations

import re

from presproxy.sip.message import Request

#: SIPE, and Microsoft's own, which all begin with one of these.
_product = re.compile(
    r"(?:^|\s)(?:Sipe|UCCAPI|UCCP|UCMA|RTC|RTCC|LCC|OC|CPE|OCPhone)/"
).search

#: Extensions that nobody else asks for or names ([MS-SIP], [MS-SIPRE], [MS-PRES]).
_prefixes = ("ms-", "msrtc-", "com.microsoft.")
_tags = frozenset({"gruu-10", "adhoclist", "categorylist"})
_FIELDS = ("supported", "proxy-require", "require")

#: What an endpoint says that it understands ([MS-SIPREGE] 3.1).
_endpoint = frozenset(
    {"gruu-10", "msrtc-event-categories", "com.microsoft.msrtc.presence"}
)


def speaks_lync(request: Request) -> bool:
    """Whether whoever sent this speaks the dialect of Lync, and not of SIMPLE alone."""
    if _product(request.user_agent or ""):
        return True
    return any(
        tag in _tags or tag.startswith(_prefixes)
        for name in _FIELDS
        if request.has(name)
        for tag in map(str.lower, request.values(name))
    )


def registers_endpoint(request: Request) -> bool:
    """
    Whether a REGISTER is an endpoint's, to which more belongs than to a contact.

    Not all that speak the dialect are: clients of 2005 register as others do.
    """
    return not _endpoint.isdisjoint(request.supported)
