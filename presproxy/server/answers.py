"""The one table from errors to SIP responses."""

from __future__ import annotations

from collections.abc import Callable

from presproxy.documents.lync.categories import FAULT_TYPE, write_fault
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
    SignInRefused,
    StorageUnavailable,
    SubscriptionEnded,
)
from presproxy.events.category_staging import WrongVersion
from presproxy.events.contact_edits import FixedGroup, UnknownGroup
from presproxy.events.containers import StaleContainers
from presproxy.events.locations import OutOfOrder
from presproxy.extend.guard import PluginFailed
from presproxy.proxying.inspect import NotForwarded
from presproxy.server.answer import RETRY_AFTER, Answer
from presproxy.server.room import NoRoom
from presproxy.transaction.dialog import CSeqTooLow

#: Reason phrases go on one line and need not be long.
_LONGEST_REASON = 120


def _because(status: int, error: PresproxyError) -> Answer:
    return Answer(status, reason=_words(error)[:_LONGEST_REASON])


def _interval(error: PresproxyError) -> Answer:
    minimum = error.minimum if isinstance(error, IntervalTooBrief) else 0
    return Answer(423, (("Min-Expires", str(minimum)),))


def _warned(error: PresproxyError) -> Answer:
    words = _words(error).replace("\\", "/").replace('"', "'")
    return Answer(403, (("Warning", f'399 presproxy "{words}"'),))


def _not_forwarded(error: PresproxyError) -> Answer:
    if isinstance(error, NotForwarded):
        return Answer(error.status, error.fields, error.why)
    return Answer(500)


def _failed(error: PresproxyError) -> Answer:
    """A storage that fails is one that cannot do it now."""
    is_storage = isinstance(error, PluginFailed) and error.kind == "storage"
    return Answer(503 if is_storage else 500, RETRY_AFTER)


def _stale(error: PresproxyError) -> Answer:
    """Tell which versions are the current ones ([MS-PRES] 2.2.2.1)."""
    answer = _because(409, error)
    if isinstance(error, WrongVersion | StaleContainers):
        answer.body, answer.content_type = write_fault(error.stale), FAULT_TYPE
    return answer


def _words(error: PresproxyError) -> str:
    return " ".join(str(error).split())


_TABLE: dict[type[PresproxyError], Callable[[PresproxyError], Answer]] = {
    MalformedField: lambda error: _because(400, error),
    MalformedDocument: lambda error: _because(400, error),
    IntervalTooBrief: _interval,
    EntityTagMismatch: lambda error: Answer(412),
    LimitReached: _warned,
    NoRoom: lambda error: Answer(503, RETRY_AFTER),
    AccessDenied: lambda error: Answer(403),
    SignInRefused: lambda error: _because(403, error),
    WrongVersion: _stale,
    FixedGroup: lambda error: _because(403, error),
    UnknownGroup: lambda error: _because(404, error),
    StaleContainers: _stale,
    SubscriptionEnded: lambda error: Answer(481),
    CSeqTooLow: lambda error: _because(500, error),
    NotForwarded: _not_forwarded,
    OutOfOrder: lambda error: _because(500, error),
    StorageUnavailable: lambda error: Answer(503, RETRY_AFTER),
    Conflict: lambda error: Answer(503, RETRY_AFTER),
    NodeLost: lambda error: Answer(503, RETRY_AFTER),
    PluginFailed: _failed,
}


def row_of(
    kind: type[PresproxyError],
) -> Callable[[PresproxyError], Answer] | None:
    """Give what answers errors of a class: its own row, or that of its nearest parent."""
    return next((_TABLE[each] for each in kind.__mro__ if each in _TABLE), None)


def answer_to(error: PresproxyError) -> Answer | None:
    """Give the response that says what went wrong, None if that is a defect of ours."""
    row = row_of(type(error))
    return None if row is None else row(error)
