"""
What went wrong, in words for a Lync client's user ([MS-OCER] 2.2.1.1).

The numbers that are known are used where they fit; what has none of its own is told by
the number of its range.
"""

from __future__ import annotations

from presproxy.server.answer import Answer
from presproxy.sip.diagnostics import (
    FIELD,
    SIP_STACK,
    diagnosis,
    host_of,
    reads_diagnoses,
)
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.status import reason as phrase_of

UNKNOWN_USER = 1003
GRUU_MISSING = 2057
STALE_VERSION = 2141
NO_EPID = 4010
WRONG_EVENT = 4055

#: The first of each range: of presence, of other services for users.
_PRESENCE, _USER_SERVICES = 2000, 4000

_RANGES = {
    "REGISTER": _USER_SERVICES,
    "PUBLISH": _PRESENCE,
    "SERVICE": _PRESENCE,
    "SUBSCRIBE": _PRESENCE,
}

_NUMBERS = {404: UNKNOWN_USER, 409: STALE_VERSION}

#: Asked for credentials nobody is refused yet.
_CHALLENGES = (401, 407)


def with_diagnosis(request: Request, answer: Answer, flow: Flow) -> Answer:
    """Give a refusal with its reason, if a Lync client is to read it; all else as it is."""
    if answer.status < 400 or answer.status in _CHALLENGES:
        return answer
    if not reads_diagnoses(request):
        return answer
    if any(name.lower() == FIELD for name, _ in answer.fields):
        return answer
    field = diagnosis(
        _number(request, answer),
        answer.reason or phrase_of(answer.status),
        host_of(flow),
    )
    answer.fields = (*answer.fields, field)
    return answer


def _number(request: Request, answer: Answer) -> int:
    known = _NUMBERS.get(answer.status)
    return known or _RANGES.get(request.method, SIP_STACK)
