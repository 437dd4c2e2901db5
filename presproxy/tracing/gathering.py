"""
The trace as it is looked at: what the ring holds, read and gathered, a slice at a time.

Nothing of it is there while nobody looks.  Whoever looks lets it `catch_up` until it says
that it has, and asks it for figures then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import attrs

from presproxy.trace import Ring
from presproxy.tracing.figures import Figure, Figures, Kind
from presproxy.tracing.filters import Filter
from presproxy.tracing.lanes import Lanes
from presproxy.tracing.message import Traced, read

#: Messages read in one slice: some five milliseconds.
SLICE = 200

#: Seconds of the strip above the ladder, and how many of them are one bar of it.
STRIP, BAR = 180, 3

#: Seconds over which the rate is counted.
_RATE = 10.0

#: What is folded: of many that mean the same only the latest is shown.
_FOLDED = (Kind.POLLING, Kind.KEEPALIVE, Kind.SUBSCRIPTION, Kind.SIGN_IN)


@attrs.define(eq=False)
class Shown:
    """A figure that is shown, and how many of the same it stands for."""

    figure: Figure
    repeats: int = 1


@attrs.frozen
class Page:
    """Some figures, the oldest first; ``next`` is what to ask for those before them."""

    shown: list[Shown]
    next: int | None


@attrs.define(eq=False)
class Gathering:
    """All that a ring holds, read and gathered as far as it has caught up."""

    ring: Ring
    figures: Figures = attrs.field(factory=Figures)
    lanes: Lanes = attrs.field(factory=Lanes)
    _held: deque[Traced] = attrs.field(factory=deque)
    _next: int = 0

    @property
    def latest(self) -> int:
        """The number of the latest message that was read."""
        return self._next - 1

    def catch_up(self, most: int = SLICE) -> bool:
        """Read up to ``most`` messages more; say whether there are still others."""
        self._forget()
        for number, entry in self.ring.since(self._next, most):
            traced = read(number, entry)
            # Its lane first: what is only a repeat has one as well.
            self.lanes.take(traced)
            self.figures.take(traced)
            self._held.append(traced)
            self._next = number + 1
        return self._next < self.ring.next

    def _forget(self) -> None:
        first = self.ring.first
        held = self._held
        while held and held[0].number < first:
            oldest = held.popleft()
            self.figures.forget(oldest)
            self.lanes.forget(oldest)
        self._next = max(self._next, first)

    # -- What is shown ---------------------------------------------------------------

    def page(
        self,
        wanted: Filter,
        before: int | None = None,
        limit: int = 200,
        *,
        is_folded: bool = True,
    ) -> Page:
        """
        Give the latest figures, until they have ``limit`` messages.

        ``before`` is the number of a message: only figures that begin earlier are given.
        """
        shown: list[Shown] = []
        folded: dict[object, Shown] = {}
        left = limit
        for figure in self._wanted(wanted, before):
            key = fold_of(figure) if is_folded else None
            known = folded.get(key) if key is not None else None
            if known is not None:
                known.repeats += 1
                continue
            if left <= 0:
                return Page(shown[::-1], shown[-1].figure.opening.number)
            each = Shown(figure)
            shown.append(each)
            if key is not None:
                folded[key] = each
            left -= len(figure.messages)
        return Page(shown[::-1], None)

    def changed_since(self, wanted: Filter, number: int, most: int) -> list[Shown]:
        """Give up to ``most`` figures with messages later than a number, oldest first."""
        found: list[Shown] = []
        for traced in reversed(self._held):
            if traced.number <= number or len(found) >= most:
                break
            figure = self.figures.of(traced.number)
            if figure is None or any(each.figure is figure for each in found):
                continue
            if wanted.lets(figure):
                found.append(Shown(figure))
        return found[::-1]

    def _wanted(self, wanted: Filter, before: int | None) -> Iterator[Figure]:
        for figure in self.figures:
            if before is not None and figure.opening.number >= before:
                continue
            if wanted.lets(figure):
                yield figure

    def message(self, number: int) -> Traced | None:
        """Give a message that is held."""
        place = number - self._held[0].number if self._held else -1
        return self._held[place] if 0 <= place < len(self._held) else None

    # -- How much there is -----------------------------------------------------------

    def rate(self, now: float) -> float:
        """Give the messages a second, of the last ten."""
        count = 0
        for traced in reversed(self._held):
            if traced.at < now - _RATE:
                break
            count += 1
        return count / _RATE

    def density(self, now: float) -> list[list[int]]:
        """Give messages and errors among them for each bar, the oldest first."""
        bars = [[0, 0] for _ in range(STRIP // BAR)]
        for traced in reversed(self._held):
            age = now - traced.at
            if age >= STRIP:
                break
            bar = bars[-1 - int(max(0.0, age) // BAR)]
            bar[0] += 1
            bar[1] += traced.is_error
        return bars


def fold_of(figure: Figure) -> object | None:
    """
    Say what a figure has in common with others that are folded into one.

    None if it is shown by itself: a subscription is, that begins, and what went wrong.
    """
    if figure.kind not in _FOLDED or figure.has_error:
        return None
    opening = figure.opening
    if figure.kind is Kind.SUBSCRIPTION and not opening.in_dialog:
        return None
    if figure.kind is Kind.SIGN_IN and opening.expires == 0:
        return None
    dialog = opening.call_id if figure.kind is Kind.SUBSCRIPTION else ""
    return (
        figure.kind,
        opening.sender,
        opening.receiver,
        opening.package,
        opening.peer[0],
        dialog,
    )
