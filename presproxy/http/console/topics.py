"""
Topics of the stream: what a page may ask to be kept up to date of.

A topic is asked for its news when there is time to send some, and told what the reader
has already.  So nothing is kept for a reader: one who is slow is told later, of the
latest state, and costs no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs

from presproxy.http.answers import Wrong
from presproxy.http.trace.views import TraceViews
from presproxy.tracing.filters import Filter

#: Messages of one event of the trace; of more only the figures are told.
_MOST_MESSAGES = 200
#: Figures of one event.
_MOST_FIGURES = 100


@attrs.frozen
class News:
    """One event: its name, and what stands in it."""

    event: str
    data: Mapping[str, Any]


class Topic(Protocol):
    """One topic of one reader; it knows what he was told."""

    #: The least seconds between two events.
    pause: float

    async def news(self) -> News | None:
        """Give what is new since it was asked last, None if nothing is."""


Opening = Callable[[str, int | None], Topic]
"""Opens a topic by what stands after its name, and the number to go on from."""


@attrs.define(eq=False)
class TraceTopic:
    """Figures with messages later than the last one told."""

    views: TraceViews
    wanted: Filter
    told: int
    pause: float = 0.2

    async def news(self) -> News | None:
        """See `Topic`."""
        ring = self.views.looking.ring
        if ring.next - 1 <= self.told:
            return None
        gathering = await self.views.looking.look()
        since, self.told = self.told, gathering.latest
        if since + 1 < ring.first:
            return News("reset", {"reason": "messages were dropped in between"})
        shown = gathering.changed_since(self.wanted, since, _MOST_FIGURES)
        capture = self.views.capture(gathering)
        if not shown:
            return News("trace", {"figures": [], "messages": [], "capture": capture})
        is_many = sum(len(each.figure.messages) for each in shown) > _MOST_MESSAGES
        written = self.views.written(gathering, shown, None, is_brief=is_many)
        return News("trace", {**written, "coalesced": True} if is_many else written)


@attrs.define(eq=False)
class ServerTopic:
    """Who answers; told when it changed, and once at the beginning."""

    show: Callable[[], Mapping[str, Any]]
    pause: float = 5.0
    told: Mapping[str, Any] | None = None

    async def news(self) -> News | None:
        """See `Topic`."""
        shown = self.show()
        lasting = {key: value for key, value in shown.items() if key != "now"}
        if lasting == self.told:
            return None
        self.told = lasting
        return News("server", shown)


def opener_of_trace(views: TraceViews) -> Opening:
    """
    Give what opens ``trace:<filter>``.

    A new one begins with what comes from now on: the page has asked for the rest.
    """

    def open_(words: str, number: int | None) -> Topic:
        is_wrong = words.startswith("!")
        wanted = views.filter(words.removeprefix("!"), is_wrong)
        latest = views.looking.ring.next - 1
        return TraceTopic(views, wanted, latest if number is None else number)

    return open_


def open_topic(openings: Mapping[str, Opening], name: str, number: int | None) -> Topic:
    """Open a topic by its name; raises `Wrong` where there is none of this name."""
    kind, _, rest = name.partition(":")
    opening = openings.get(kind)
    if opening is None:
        known = ", ".join(openings)
        raise Wrong(400, "topics", f"there is no topic {kind[:40]!r}, but {known}")
    return opening(rest, number)
