"""The one table from errors to SIP responses."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import presproxy
from presproxy.documents.lync.categories import Stale
from presproxy.errors import (
    AccessDenied,
    AuthenticationContinues,
    ConfigurationMistakes,
    Conflict,
    CredentialsRejected,
    EntityTagMismatch,
    FlowClosed,
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
from presproxy.events.contact_edits import FixedGroup, UnknownGroup
from presproxy.events.containers import StaleContainers
from presproxy.events.locations import OutOfOrder
from presproxy.extend.guard import PluginFailed
from presproxy.server.answers import answer_to, row_of
from presproxy.server.decide import Undecided
from presproxy.server.front.upstream import Away
from presproxy.server.room import NoRoom
from presproxy.transaction.dialog import CSeqTooLow

#: Errors that no step lets out: who meets them, and where they end.
ELSEWHERE = {
    PresproxyError: "the root of all",
    AuthenticationContinues: "Identifier",
    CredentialsRejected: "Identifier",
    Undecided: "Question, Decider",
    ConfigurationMistakes: "the start",
    FlowClosed: "the transaction layer",
    Away: "Attempt",
}

#: Rooms whose errors never come to a step: below it, or beside it.
_OTHER_ROOMS = ("cli", "config", "extend", "sip", "storage", "transport", "useragent")


def every_error() -> list[type[PresproxyError]]:
    for module in pkgutil.walk_packages(presproxy.__path__, "presproxy."):
        if not module.name.startswith("presproxy.testing.contracts"):
            importlib.import_module(module.name)
    found, left = [], [PresproxyError]
    while left:
        error = left.pop()
        found.append(error)
        left += error.__subclasses__()
    return [each for each in found if each.__module__.startswith("presproxy.")]


def test_every_error_a_step_may_raise_has_a_row():
    unanswered = [
        error.__name__
        for error in every_error()
        if row_of(error) is None
        and error not in ELSEWHERE
        and error.__module__.split(".")[1] not in _OTHER_ROOMS
    ]

    assert unanswered == []


@pytest.mark.parametrize(
    ("error", "status", "fields", "reason"),
    [
        (MalformedField("Event", "is empty"), 400, {}, "Event: is empty"),
        (MalformedDocument("no\r\n  XML"), 400, {}, "no XML"),
        (MalformedDocument("x" * 500), 400, {}, "x" * 120),
        (IntervalTooBrief(60), 423, {"Min-Expires": "60"}, None),
        (EntityTagMismatch("x"), 412, {}, None),
        (
            LimitReached('"\\" many', 3),
            403,
            {"Warning": "399 presproxy \"at most 3 '/' many\""},
            None,
        ),
        (NoRoom("subscriptions", 3), 503, {"Retry-After": "30"}, None),
        (AccessDenied("whoever"), 403, {}, None),
        (UnknownGroup(7), 404, {}, "no group has the number 7"),
        (FixedGroup("it stays"), 403, {}, "it stays"),
        (
            StaleContainers([Stale(1, 2, 3)]),
            409,
            {},
            "change 1 was made on version 2, and 3 is current",
        ),
        (SignInRefused("wrong password"), 403, {}, "wrong password"),
        (SubscriptionEnded("x"), 481, {}, None),
        (CSeqTooLow(1, 2), 500, {}, "CSeq 1 comes after 2"),
        (OutOfOrder("older"), 500, {}, "older"),
        (StorageUnavailable("full"), 503, {"Retry-After": "30"}, None),
        (Conflict([("a", "b")]), 503, {"Retry-After": "30"}, None),
        (NodeLost(), 503, {"Retry-After": "30"}, None),
        (PluginFailed("auth", "a", "x"), 500, {"Retry-After": "30"}, None),
        (PluginFailed("storage", "a", "x"), 503, {"Retry-After": "30"}, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_becomes_an_answer(error, status, fields, reason):
    answer = answer_to(error)

    assert (answer.status, dict(answer.fields), answer.reason) == (
        status,
        fields,
        reason,
    )


def test_an_error_without_a_row_is_a_defect():
    assert answer_to(ConfigurationMistakes(["x"])) is None
