"""What a figure says: who did what, and how it ended; a sentence each."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from presproxy.sip.message import MalformedMessage
from presproxy.tracing.figures import NOTIFICATIONS, Figure, Figures, Kind
from presproxy.tracing.lamps import Lamp, lamp_of
from presproxy.tracing.message import Traced

#: How the lamps are said.
SAID = {
    "available": "available",
    "idle": "idle",
    "busy": "busy",
    "dnd": "not to be disturbed",
    "brb": "right back",
    "away": "away",
    "offwork": "off work",
    "offline": "offline",
    "unknown": "unknown",
}


@attrs.frozen
class Said:
    """
    A figure in words.

    ``state`` is the lamp before and after, either None if that is not known; ``told`` is
    how many were notified of a change.
    """

    title: str
    outcome: str
    state: tuple[str | None, str | None] | None = None
    told: int | None = None


def say(figure: Figure, figures: Figures) -> Said:
    """Put a figure into words."""
    return _SAYING[figure.kind](figure, figures)


def lamp_in(traced: Traced) -> Lamp | None:
    """Give the lamp that a message's body shows."""
    if not traced.content_type:
        return None
    try:
        message = traced.message()
    except MalformedMessage:
        return None
    return lamp_of(message.get("content-type") or "", message.body)


def name_of(address: str) -> str:
    """Give the user of an address, or what there is of it."""
    user, at, _ = address.partition(":")[2].partition("@")
    return user if at else address.partition(":")[2] or address


# -- By kind -------------------------------------------------------------------------


def _subscription(figure: Figure, figures: Figures) -> Said:
    opening = figure.opening
    who, whom = name_of(opening.sender), name_of(opening.receiver)
    goes_on = opening.in_dialog and opening.method == "SUBSCRIBE"
    does = "goes on watching" if goes_on else "subscribes to"
    what = "the own account" if who == whom else whom
    if opening.content_type.endswith("-categorylist+xml"):
        what = "contacts"
    return Said(f"{who} {does} {what}{_package(opening)}", _granted(figure))


def _granted(figure: Figure) -> str:
    answer = _answer(figure, "SUBSCRIBE")
    if answer is None or answer.status is None or answer.status >= 300:
        return _ended(answer)
    states = [each.state for each in figure.notifications if each.state]
    state = states[0] if states else "accepted"
    return f"{state} for {answer.expires} s" if answer.expires else state


def _polling(figure: Figure, figures: Figures) -> Said:
    opening = figure.opening
    who, whom = name_of(opening.sender), name_of(opening.receiver)
    answer = _answer(figure, "SUBSCRIBE")
    if answer is not None and (answer.status or 0) >= 300:
        return Said(f"{who} asks once for {whom}{_package(opening)}", _ended(answer))
    title = f"{who} asks once for {whom}{_package(opening)}"
    return Said(title, "one look, no dialog kept")


def _publication(figure: Figure, figures: Figures) -> Said:
    opening, answer = figure.opening, _answer(figure, figure.opening.method)
    who = name_of(figure.about)
    after = _lamp_after(figure)
    before = _lamp_before(figure, figures)
    what = "publishes"
    if opening.expires == 0 and not opening.content_type:
        what = "publishes no more"
    elif after is not None:
        what = f"publishes {SAID[after]}"
    elif not opening.content_type and opening.method == "PUBLISH":
        what = "publishes the same for longer"
    state = (before, after) if after is not None else None
    return Said(f"{who} {what}{_package(opening)}", _kept(answer), state)


def _kept(answer: Traced | None) -> str:
    if answer is None or (answer.status or 0) >= 300:
        return _ended(answer)
    tag = _field(answer, "sip-etag")
    words = [f"entity-tag {tag}"] if tag else ["kept"]
    if answer.expires:
        words.append(f"{answer.expires} s")
    return ", ".join(words)


def _change(figure: Figure, figures: Figures) -> Said:
    opening, sent = figure.opening, figure.notifications
    who, after = name_of(figure.about), _lamp_after(figure)
    is_said = f"{who} is {SAID[after]}" if after else f"{who} changed"
    if not opening.is_out and opening.method in NOTIFICATIONS:
        is_said = f"the server behind says: {is_said}"
    told = len({each.call_id for each in sent})
    count = "1 is told" if told == 1 else f"{told} are told"
    state = (_lamp_before(figure, figures), after) if after else None
    title = f"{is_said}{_package(opening)}: {count}"
    return Said(title, _told(figure, sent), state, told)


def _told(figure: Figure, sent: list[Traced]) -> str:
    if not sent:
        return _ended(_answer(figure, figure.opening.method))
    began = figure.opening.at
    words = [f"first after {_ms(sent[0].at - began)}"]
    if len(sent) > 1:
        words.append(f"last after {_ms(sent[-1].at - began)}")
    again = sum(1 for each in sent if each.repeats)
    if again:
        words.append(f"{again} sent again")
    refused = sum(1 for each in figure.messages if each.is_error)
    if refused:
        words.append(f"{refused} refused")
    return " · ".join(words)


def _sign_in(figure: Figure, figures: Figures) -> Said:
    opening = figure.opening
    does = "signs out" if opening.expires == 0 else "signs in"
    answer = _answer(figure, "REGISTER")
    if answer is not None and answer.status == 200:
        contacts = _field(answer, "contact")
        return Said(
            f"{name_of(opening.receiver)} {does}",
            "registered" if contacts else "nobody is registered any more",
        )
    return Said(f"{name_of(opening.receiver)} {does}", _ended(answer))


def _ending(figure: Figure, figures: Figures) -> Said:
    opening = figure.opening
    if opening.method == "SUBSCRIBE":
        who, whom = name_of(opening.sender), name_of(opening.receiver)
        answer = _ended(_answer(figure, "SUBSCRIBE"))
        return Said(f"{who} watches {whom} no more{_package(opening)}", answer)
    who, whom = name_of(opening.receiver), name_of(opening.sender)
    return Said(
        f"the watching of {whom} by {who} ends{_package(opening)}",
        _field(opening, "subscription-state") or "terminated",
    )


def _by_opening(does: str) -> Callable[[Figure, Figures], Said]:
    def said(figure: Figure, figures: Figures) -> Said:
        opening = figure.opening
        who, whom = name_of(opening.sender), name_of(opening.receiver)
        title = does.format(who=who, whom=whom, method=opening.method)
        return Said(title, _ended(_answer(figure, opening.method)))

    return said


def _unread(figure: Figure, figures: Figures) -> Said:
    return Said("something that cannot be read", figure.opening.reason)


_SAYING: dict[Kind, Callable[[Figure, Figures], Said]] = {
    Kind.SUBSCRIPTION: _subscription,
    Kind.PUBLICATION: _publication,
    Kind.CHANGE: _change,
    Kind.POLLING: _polling,
    Kind.SIGN_IN: _sign_in,
    Kind.ENDING: _ending,
    Kind.RELAYED: _by_opening("{method} from {who} to {whom} is passed on"),
    Kind.SERVICE: _by_opening("{who} changes the own lists"),
    Kind.KEEPALIVE: _by_opening("{who} asks whether we are there"),
    Kind.OTHER: _by_opening("{method} from {who} to {whom}"),
    Kind.UNREAD: _unread,
}


# -- Below ---------------------------------------------------------------------------


def _answer(figure: Figure, method: str) -> Traced | None:
    """Give the last final response to a method in a figure."""
    for traced in reversed(figure.messages):
        if traced.method == method and (traced.status or 0) >= 200:
            return traced
    return None


def _ended(answer: Traced | None) -> str:
    return "no answer yet" if answer is None else f"{answer.status} {answer.reason}"


def _package(opening: Traced) -> str:
    """Name a package other than presence."""
    package = opening.package
    return "" if package in ("", "presence") else f" ({package})"


def _field(traced: Traced, name: str) -> str:
    try:
        return traced.message().get(name) or ""
    except MalformedMessage:
        return ""


def _ms(seconds: float) -> str:
    ms = seconds * 1000
    return f"{ms:,.0f} ms" if ms >= 100 else f"{ms:.1f} ms"


def _lamp_after(figure: Figure) -> str | None:
    """Give the lamp that watchers see, or what was published where nobody is told."""
    for traced in (*figure.notifications, *figure.messages):
        lamp = lamp_in(traced)
        if lamp is not None:
            return lamp.token
    return None


def _lamp_before(figure: Figure, figures: Figures) -> str | None:
    former = figures.get(figure.former) if figure.former else None
    return None if former is None else _lamp_after(former)
