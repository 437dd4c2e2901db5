"""The one table from errors to SIP responses."""

from __future__ import annotations

from collections.abc import Callable

from presproxy.errors import (
    AccessDenied,
    Conflict,
    EntityTagMismatch,
    IntervalTooBrief,
    LimitReached,
    MalformedDocument,
    MalformedField,
    NodeLost,
    PresproxyError,
    StorageUnavailable,
)
from presproxy.events.locations import OutOfOrder
from presproxy.extend.guard import PluginFailed
from presproxy.server.answer import Answer
from presproxy.transaction.dialog import CSeqTooLow

#: Seconds after which a user agent may try again.  Given with every refusal that may
#: pass, since some user agents wait for hours, or for ever, without it.
RETRY_AFTER = 30

_RETRY = (("Retry-After", str(RETRY_AFTER)),)

#: Reason phrases go on one line and need not be long.
_LONGEST_REASON = 120


def _because(status: int, error: PresproxyError) -> Answer:
    words = " ".join(str(error).split())[:_LONGEST_REASON]
    return Answer(status, reason=words)


def _interval(error: PresproxyError) -> Answer:
    minimum = error.minimum if isinstance(error, IntervalTooBrief) else 0
    return Answer(423, (("Min-Expires", str(minimum)),))


def _warned(error: PresproxyError) -> Answer:
    words = str(error).replace('"', "'")
    return Answer(403, (("Warning", f'399 presproxy "{words}"'),))


_TABLE: dict[type[PresproxyError], Callable[[PresproxyError], Answer]] = {
    MalformedField: lambda error: _because(400, error),
    MalformedDocument: lambda error: _because(400, error),
    IntervalTooBrief: _interval,
    EntityTagMismatch: lambda error: Answer(412),
    LimitReached: _warned,
    AccessDenied: lambda error: Answer(403),
    CSeqTooLow: lambda error: _because(500, error),
    OutOfOrder: lambda error: _because(500, error),
    StorageUnavailable: lambda error: Answer(503, _RETRY),
    Conflict: lambda error: Answer(503, _RETRY),
    NodeLost: lambda error: Answer(503, _RETRY),
    PluginFailed: lambda error: Answer(500, _RETRY),
}


def answer_to(error: PresproxyError) -> Answer | None:
    """Give the response that says what went wrong, None if that is a defect of ours."""
    for kind in type(error).__mro__:
        row = _TABLE.get(kind)
        if row is not None:
            return row(error)
    return None
