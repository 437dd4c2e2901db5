"""Figures, messages and lanes as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from presproxy.sip.message import MalformedMessage
from presproxy.tracing.figures import NOTIFICATIONS
from presproxy.tracing.gathering import Gathering, Shown
from presproxy.tracing.lamps import kind_of_body
from presproxy.tracing.lanes import Lane
from presproxy.tracing.message import Traced
from presproxy.tracing.secrets import blanked
from presproxy.tracing.words import lamp_in, name_of, say

JSON = Mapping[str, Any]

#: Our own lane.
SERVER = "server"

#: How much of a body is shown; the rest is in what is exported.
LARGEST_BODY = 256 * 1024

#: The last timer of a request by datagram before it is given up (RFC 3261 §17.1.2.2).
_TIMER = {"UDP": " (timer E)"}


def moment(at: float) -> str:
    """Write a moment on the wall clock with microseconds, as RFC 3339 has it."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


@attrs.frozen(eq=False)
class Writer:
    """
    Writes what is gathered.

    ``wall`` gives a moment of the ring on the wall clock; ``ours`` is our own lane.
    """

    gathering: Gathering
    wall: Callable[[float], float]
    ours: JSON

    def figures(self, shown: Iterable[Shown]) -> list[JSON]:
        """Write figures without their messages."""
        return [self._figure(each) for each in shown]

    def messages(self, shown: Iterable[Shown]) -> list[JSON]:
        """Write the messages of figures, in the order they were seen."""
        found = [
            (traced, each.figure.id)
            for each in shown
            for traced in each.figure.messages
        ]
        found.sort(key=lambda each: each[0].number)
        return [self.message(*each) for each in found]

    def lanes(self, shown: Iterable[Shown]) -> list[JSON]:
        """Write the lanes of figures and our own: who watches left, who publishes right."""
        lanes: dict[str, Lane] = {}
        for each in shown:
            for traced in each.figure.messages:
                lane = self.gathering.lanes.of(traced.number)
                if lane is not None:
                    lanes[lane.id] = lane
        left = [_lane(each) for each in lanes.values() if each.role.value == "watcher"]
        right = [_lane(each) for each in lanes.values() if each.role.value != "watcher"]
        return [*left, self.ours, *right]

    def _figure(self, shown: Shown) -> JSON:
        figure = shown.figure
        said = say(figure, self.gathering.figures)
        return {
            "id": figure.id,
            "kind": figure.kind.value,
            "title": said.title,
            "outcome": said.outcome,
            "at": moment(self.wall(figure.opening.at)),
            "ms": round(figure.seconds * 1000, 3),
            "state": None if said.state is None else list(said.state),
            "told": said.told,
            "repeats": shown.repeats,
            "dialog": figure.opening.call_id or None,
            "error": figure.has_error,
        }

    def message(self, traced: Traced, figure: str) -> JSON:
        """Write one message as a row of the ladder."""
        lane = self.gathering.lanes.of(traced.number)
        there = SERVER if lane is None else lane.id
        lamp = lamp_in(traced)
        return {
            "id": str(traced.number),
            "at": moment(self.wall(traced.at)),
            "from": SERVER if traced.is_out else there,
            "to": there if traced.is_out else SERVER,
            "figure": figure,
            "method": traced.method,
            "status": traced.status,
            "reason": traced.reason or None,
            "target": name_of(traced.target) if traced.target else None,
            "call_id": traced.call_id,
            "cseq": f"{traced.cseq} {traced.method}" if traced.method else "",
            "transport": traced.transport.lower(),
            "size": len(traced.data),
            "detail": _detail(traced),
            "mark": None if lamp is None else lamp.token,
            "retransmissions": [moment(self.wall(at)) for at in traced.repeats],
            "body": kind_of_body(traced.content_type),
        }


def _lane(lane: Lane) -> JSON:
    host, port = lane.address
    return {
        "id": lane.id,
        "role": lane.role.value,
        "identity": lane.identity.partition(":")[2] or lane.identity or None,
        "label": name_of(lane.identity) or host,
        "agent": lane.agent or None,
        "address": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "transport": lane.transport.lower(),
    }


def _detail(traced: Traced) -> str:
    """Say what stands below an arrow: what matters most of its header."""
    try:
        message = traced.message()
    except MalformedMessage:
        return ""
    words: list[str] = []
    if traced.status is None:
        words += [traced.package] if traced.package else []
        words += [_state(message.get("subscription-state"))]
        words += _named(message.get("sip-if-match"), "If-Match")
        words += ["signed"] if message.has("authorization") else []
        if traced.method == "BENOTIFY":
            words.append("wants no answer")
    else:
        words += _named(message.get("sip-etag"), "SIP-ETag")
        words += _named(message.get("retry-after"), "Retry-After")
        words += _named(message.get("min-expires"), "Min-Expires")
        challenge = message.get("www-authenticate") or message.get("proxy-authenticate")
        words += [challenge.partition(" ")[0]] if challenge else []
    if traced.expires is not None:
        words.append(f"Expires {traced.expires}")
    return " · ".join(word for word in words if word)


def _state(value: str | None) -> str:
    if value is None:
        return ""
    state, _, rest = value.partition(";")
    reason = rest if "reason=" in rest else ""
    return f"{state} {reason}".strip()


def _named(value: str | None, name: str) -> list[str]:
    return [] if value is None else [f"{name} {value}"]


# -- One message ---------------------------------------------------------------------


def in_full(traced: Traced, answered: Sequence[Traced]) -> JSON:
    """Show one message whole, its secrets blanked, and what became of it."""
    data = blanked(traced.data).lstrip(b"\r\n")
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "replace").split("\r\n")
    return {
        "id": str(traced.number),
        "start": lines[0],
        "headers": list(_headers(lines[1:])),
        "body": _body(traced, body),
        "links": _links(traced),
        "delivery": list(_delivery(traced, answered)),
        "raw": data[: 2 * LARGEST_BODY].decode("utf-8", "replace"),
        "why": traced.reason if not traced.method else None,
    }


def _headers(lines: Sequence[str]) -> Iterator[list[str]]:
    """Cut the lines of a header, the rest of a folded one joined to it."""
    found: list[list[str]] = []
    for line in lines:
        if line[:1] in " \t" and found:
            found[-1][1] += f" {line.strip()}"
            continue
        name, _, value = line.partition(":")
        found.append([name.strip(), value.strip()])
    yield from found


def _body(traced: Traced, body: bytes) -> JSON | None:
    if not body:
        return None
    text = body[:LARGEST_BODY].decode("utf-8", "replace")
    is_cut = len(body) > LARGEST_BODY
    return {"type": traced.content_type, "text": text, "is_cut": is_cut}


def _links(traced: Traced) -> JSON:
    is_notification = traced.method in NOTIFICATIONS
    whom, who = traced.receiver, traced.sender
    if is_notification:
        whom, who = who, whom
    watched = is_notification or traced.method == "SUBSCRIBE"
    is_state = watched or traced.method in ("PUBLISH", "SERVICE")
    return {
        "subscription": traced.call_id if watched else None,
        "presentity": whom if is_state else None,
        "watcher": who if watched else None,
    }


def _delivery(traced: Traced, answered: Sequence[Traced]) -> Iterator[JSON]:
    what = "sent" if traced.is_out else "came"
    timer = _TIMER.get(traced.transport, "") if traced.is_out else ""
    steps = [(traced.at, what)]
    steps += [(at, f"{what} again{timer}") for at in traced.repeats]
    steps += [(each.at, f"{each.status} {each.reason}") for each in answered]
    for at, text in sorted(steps):
        yield {"at": f"+{1000 * (at - traced.at):,.1f} ms", "what": text}
