"""
The ladder: who sent what to whom, read from top to bottom.

Three lanes, an arrow for each message with its method or status in it, and beside it a
few words on what it means.  It fits 80 columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
from rich.console import Console
from rich.text import Text

#: Columns of the lanes, and where the words beside them begin.
_LANES = (4, 26, 48)
_WORDS = 51
WIDTH = 80

_LANE_STYLE = "dim"


@attrs.frozen
class Signs:
    """What lines and arrows are made of."""

    lane: str = "│"
    line: str = "─"
    right: str = "▶"
    left: str = "◀"
    good: str = "✓"
    bad: str = "✗"
    dot: str = "·"


BEAUTIFUL = Signs()
#: For whoever cannot write the others.
PLAIN = Signs("|", "-", ">", "<", "ok", "NOT", "-")


def signs_for(encoding: str | None) -> Signs:
    """Give the beautiful ones wherever they can be written."""
    try:
        "".join(attrs.astuple(BEAUTIFUL)).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return BEAUTIFUL


@attrs.frozen
class Arrow:
    """One message: from lane to lane, what stands in it, and what it means."""

    sender: int
    receiver: int
    label: Text
    meaning: Text


@attrs.frozen
class Ladder:
    """Draws lines of text; ``console`` says how wide letters are."""

    console: Console
    signs: Signs = BEAUTIFUL

    def title(self, text: str) -> Text:
        """Draw what begins a part."""
        line = Text(f"{self.signs.line * 2} ", style="dim")
        line.append(text, style="bold not dim")
        line.append(" " + self.signs.line * (WIDTH - len(line) - 1))
        return line

    def heads(self, names: Sequence[str]) -> Text:
        """Draw the names above the lanes."""
        line = Text()
        for column, name in zip(_LANES, names, strict=True):
            _pad(line, max(0, column - len(name) // 2))
            line.append(name, style="bold")
        return line

    def rung(self, words: Text | None = None) -> Iterator[Text]:
        """Draw the lanes without an arrow, and words beside them."""
        for part in self._wrapped(words):
            line = self._lanes(None)
            if part:
                _pad(line, _WORDS)
                line.append_text(part)
            yield line

    def arrow(self, arrow: Arrow) -> Iterator[Text]:
        """Draw one message; words which need more lines get them."""
        first, *rest = self._wrapped(arrow.meaning)
        line = self._lanes(arrow)
        if first:
            _pad(line, _WORDS)
            line.append_text(first)
        yield line
        for part in rest:
            yield from self.rung(part)

    def _lanes(self, arrow: Arrow | None) -> Text:
        left = None if arrow is None else min(arrow.sender, arrow.receiver)
        line = Text(" " * _LANES[0])
        for number, column in enumerate(_LANES):
            line.append(self.signs.lane, style=_LANE_STYLE)
            if number == len(_LANES) - 1:
                break
            room = _LANES[number + 1] - column - 1
            if arrow is not None and number == left:
                line.append_text(self._shaft(arrow, room))
            else:
                line.append(" " * room)
        return line

    def _shaft(self, arrow: Arrow, room: int) -> Text:
        label = arrow.label.copy()
        label.truncate(room - 4, overflow="ellipsis")
        shaft = self.signs.line * (room - label.cell_len - 3)
        style = arrow.label.style
        if arrow.sender < arrow.receiver:
            return Text.assemble(" ", label, " ", (shaft + self.signs.right, style))
        return Text.assemble((self.signs.left + shaft, style), " ", label, " ")

    def _wrapped(self, words: Text | None) -> Sequence[Text]:
        if not words:
            return [Text()]
        return list(words.wrap(self.console, WIDTH - _WORDS))


def _pad(line: Text, column: int) -> None:
    line.append(" " * (column - line.cell_len))
