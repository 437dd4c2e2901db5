"""
Figures: messages gathered by what they mean, across dialogs and transports.

A request opens a figure.  Responses and what is sent again belong to that of their
transaction; a notification belongs to that of the request which caused it, as the tap
was told.  What no cause was noted of belongs to the SUBSCRIBE of its dialog that has not
been notified yet.
"""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import attrs

from presproxy.tracing.message import Traced

#: Seconds between a message's coming to the tap and the moment that is known as its
#: arrival above: both are read in one call, some microseconds apart.  Nothing else is
#: recorded in between.
_ARRIVAL = 0.0005

#: Messages of a figure, after which what a peer says next opens another one: under one
#: Call-ID he may say whatever he likes, as often.  Chosen: more than a call has.
_MOST = 200

#: The methods of notifications.
NOTIFICATIONS = ("NOTIFY", "BENOTIFY")


class Kind(enum.StrEnum):
    """What a figure is."""

    SUBSCRIPTION = "subscription"
    PUBLICATION = "publication"
    #: A publication, an expiry or a decision, and every notification it caused.
    CHANGE = "change"
    POLLING = "polling"
    SIGN_IN = "sign-in"
    #: The end of a subscription, whoever wanted it.
    ENDING = "ending"
    #: Passed on between others.
    RELAYED = "relayed"
    #: Contact lists and other services of Lync.
    SERVICE = "service"
    #: What only asks whether somebody is there.
    KEEPALIVE = "keep-alive"
    OTHER = "other"
    #: What cannot be read.
    UNREAD = "unread"


_KINDS = {
    "PUBLISH": Kind.PUBLICATION,
    "REGISTER": Kind.SIGN_IN,
    "OPTIONS": Kind.KEEPALIVE,
    "NOTIFY": Kind.CHANGE,
    "BENOTIFY": Kind.CHANGE,
    **dict.fromkeys(
        ("INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO", "REFER"),
        Kind.RELAYED,
    ),
    "MESSAGE": Kind.RELAYED,
}

#: What a Lync client publishes with.
_PUBLISHES = "application/msrtc-category-publish+xml"


@attrs.define(eq=False)
class Figure:
    """
    Messages that mean one thing together, in the order they were seen.

    ``about`` is the address whose state it is about.  ``former`` is the id of the one in
    which that state changed before.  ``touched`` is the number of its latest message.
    """

    id: str
    kind: Kind
    messages: list[Traced]
    about: str
    former: str = ""
    touched: int = 0
    #: The tables it is found in, and where.
    keys: list[tuple[dict[Any, Figure], Any]] = attrs.field(factory=list, repr=False)

    @property
    def opening(self) -> Traced:
        """The message it begins with, of those that are held."""
        return self.messages[0]

    @property
    def notifications(self) -> list[Traced]:
        """The notifications in it that we sent."""
        return [
            each
            for each in self.messages
            if each.is_out and each.is_request and each.method in NOTIFICATIONS
        ]

    @property
    def has_error(self) -> bool:
        """Whether something was refused, or cannot be read."""
        return any(each.is_error for each in self.messages)

    @property
    def seconds(self) -> float:
        """From its first message to its last, repeats included."""
        last = max((each.repeats or [each.at])[-1] for each in self.messages)
        return max(last, self.messages[-1].at) - self.opening.at


_Transaction = tuple[str, str, bool]


@attrs.define(eq=False)
class Figures:
    """
    All figures of the messages that are held.

    `take` is given each message in the order they were seen, and `forget` what is held
    no more.
    """

    _figures: dict[str, Figure] = attrs.field(factory=dict)
    _of: dict[int, Figure] = attrs.field(factory=dict)
    #: By branch, method and whether we began it.
    _requests: dict[_Transaction, Traced] = attrs.field(factory=dict)
    _responses: dict[tuple[_Transaction, int], Traced] = attrs.field(factory=dict)
    _by_cause: dict[float, Figure] = attrs.field(factory=dict)
    #: The latest one of a Call-ID.
    _by_call: dict[str, Figure] = attrs.field(factory=dict)
    #: What is relayed, by Call-ID and the number and method of CSeq.
    _by_cseq: dict[tuple[str, int, str], Figure] = attrs.field(factory=dict)
    #: The latest one about somebody's state, by address and package.
    _by_state: dict[tuple[str, str], Figure] = attrs.field(factory=dict)
    _came_at: list[float] = attrs.field(factory=list)
    _came: list[Traced] = attrs.field(factory=list)

    def __len__(self) -> int:
        return len(self._figures)

    def __iter__(self) -> Iterator[Figure]:
        """Give all, the latest opened first."""
        return reversed(self._figures.values())

    def get(self, id: str) -> Figure | None:
        """Give one by its id."""
        return self._figures.get(id)

    def of(self, number: int) -> Figure | None:
        """Give the one that a message is in."""
        return self._of.get(number)

    def take(self, traced: Traced) -> Traced:
        """Take the next message; gives it, or that which it only is a repeat of."""
        if not traced.method:
            self._open(traced, Kind.UNREAD)
            return traced
        key = (traced.branch, traced.method, traced.is_out is traced.is_request)
        if traced.is_request:
            return self._take_request(key, traced)
        return self._take_response(key, traced)

    def _take_request(self, transaction: _Transaction, traced: Traced) -> Traced:
        if traced.branch and traced.method != "ACK":
            known = self._requests.setdefault(transaction, traced)
            if known is not traced:
                return self._repeat(known, traced)
        figure = self._figure_of(traced)
        if figure is None:
            figure = self._open(traced, kind_of(traced))
        else:
            self._join(figure, traced)
        if traced.is_out:
            if traced.cause and traced.cause not in self._by_cause:
                _enter(self._by_cause, traced.cause, figure)
        else:
            self._came_at.append(traced.at)
            self._came.append(traced)
            if figure.kind is Kind.RELAYED:
                key = (traced.call_id, traced.cseq, traced.method)
                _enter(self._by_cseq, key, figure)
        _enter(self._by_call, traced.call_id, figure)
        return traced

    def _take_response(self, key: _Transaction, traced: Traced) -> Traced:
        request = self._requests.get(key)
        if request is None:
            self._open(traced, Kind.OTHER)
            return traced
        known = self._responses.setdefault((key, traced.status or 0), traced)
        if known is not traced:
            return self._repeat(known, traced)
        self._join(self._of[request.number], traced)
        return traced

    def _repeat(self, known: Traced, again: Traced) -> Traced:
        known.repeats.append(again.at)
        self._of[known.number].touched = again.number
        return known

    def _figure_of(self, traced: Traced) -> Figure | None:
        """Give the figure a request belongs to that opens none."""
        if traced.is_out:
            return self._caused(traced) or self._passed_on(traced)
        before = self._by_call.get(traced.call_id)
        if before is None or len(before.messages) >= _MOST:
            return None
        if before.kind is Kind.RELAYED:
            return before
        last = before.messages[-1]
        is_signed_now = last.is_challenge and last.method == traced.method
        return before if is_signed_now else None

    def _caused(self, traced: Traced) -> Figure | None:
        if traced.cause:
            known = self._by_cause.get(traced.cause)
            if known is not None:
                return known
            place = bisect_right(self._came_at, traced.cause) - 1
            if place >= 0 and traced.cause - self._came_at[place] <= _ARRIVAL:
                return self._of[self._came[place].number]
        if traced.method not in NOTIFICATIONS:
            return None
        asked = self._by_call.get(traced.call_id)
        if asked is None or asked.opening.method != "SUBSCRIBE" or asked.notifications:
            return None
        return asked

    def _passed_on(self, traced: Traced) -> Figure | None:
        if kind_of(traced) is not Kind.RELAYED:
            return None
        key = (traced.call_id, traced.cseq, traced.method)
        return self._by_cseq.get(key) or self._by_call.get(traced.call_id)

    def _open(self, traced: Traced, kind: Kind) -> Figure:
        figure = Figure(f"f{traced.number}", kind, [], about_of(traced))
        self._figures[figure.id] = figure
        self._join(figure, traced)
        if kind in (Kind.PUBLICATION, Kind.CHANGE):
            key = (figure.about, traced.package)
            former = self._by_state.get(key)
            figure.former = "" if former is None else former.id
            _enter(self._by_state, key, figure)
        return figure

    def _join(self, figure: Figure, traced: Traced) -> None:
        is_told = traced.is_out and traced.is_request
        if is_told and figure.kind is Kind.PUBLICATION:
            figure.kind = Kind.CHANGE
        figure.messages.append(traced)
        figure.touched = traced.number
        self._of[traced.number] = figure

    # -- Forgetting ------------------------------------------------------------------

    def forget(self, traced: Traced) -> None:
        """Let go of the oldest message there is."""
        figure = self._of.pop(traced.number, None)
        if figure is None:
            return
        self._forget_transaction(traced)
        figure.messages.remove(traced)
        if not figure.messages:
            self._forget_figure(figure)

    def _forget_transaction(self, traced: Traced) -> None:
        key = (traced.branch, traced.method, traced.is_out is traced.is_request)
        if not traced.is_request:
            self._responses.pop((key, traced.status or 0), None)
            return
        if self._requests.get(key) is traced:
            del self._requests[key]
        if not traced.is_out and self._came and self._came[0] is traced:
            del self._came[0], self._came_at[0]

    def _forget_figure(self, figure: Figure) -> None:
        del self._figures[figure.id]
        for known, key in figure.keys:
            if known.get(key) is figure:
                del known[key]


def _enter(known: dict[Any, Figure], key: Any, figure: Figure) -> None:
    """Let a figure be found, until it is forgotten."""
    if known.get(key) is not figure:
        known[key] = figure
        figure.keys.append((known, key))


def kind_of(request: Traced) -> Kind:
    """Say what a request opens, by itself."""
    if request.method == "SUBSCRIBE":
        if request.expires != 0:
            return Kind.SUBSCRIPTION
        return Kind.ENDING if request.in_dialog else Kind.POLLING
    if request.method == "SERVICE":
        is_published = request.content_type == _PUBLISHES
        return Kind.PUBLICATION if is_published else Kind.SERVICE
    if request.method in NOTIFICATIONS and request.state == "terminated":
        return Kind.ENDING
    return _KINDS.get(request.method, Kind.OTHER)


def about_of(traced: Traced) -> str:
    """Say whose state a message is about: notifications come from him."""
    return traced.sender if traced.method in NOTIFICATIONS else traced.receiver
