"""What went wrong, in words for the user of a Lync client ([MS-OCER] 2.2.1.1)."""

from __future__ import annotations

from presproxy.sip.flow import Flow
from presproxy.sip.message import Request

FIELD = "ms-diagnostics"

#: The first number of the SIP stack's range, for what has none of its own there.
SIP_STACK = 1000


def diagnosis(number: int, reason: str, source: str) -> tuple[str, str]:
    """Write the field; what would end a quoted string is left out of the words."""
    words = " ".join(reason.replace("\\", "/").replace('"', "'").split())
    return (FIELD, f'{number};reason="{words}";source="{source}"')


def reads_diagnoses(request: Request) -> bool:
    """Whether a client of Lync's make asks: all of them name an epid."""
    return "epid=" in (request.get("from") or "").lower()


def host_of(flow: Flow) -> str:
    """Give our end of a flow, as Via names it, without its port."""
    host, colon, port = flow.sent_by.rpartition(":")
    return host if colon and port.isdecimal() else flow.sent_by
