"""What the demo prints: the ladder as it grows, and how much was as expected."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from rich.console import Console
from rich.text import Text

from presproxy.cli.demo.ladder import PLAIN, WIDTH, Arrow, Ladder, Signs
from presproxy.cli.demo.meaning import label_of, meaning_of
from presproxy.cli.demo.stage import SERVER, Message

#: The lane of each end of a message.
_SERVER_LANE = 1
_RIGHT_LANE = 2

#: For whoever cannot write the signs of the ladder, words of which hold these.
_IN_ASCII = str.maketrans("→“”", '>""')

#: Before each line of a message printed whole.
_INDENT = " " * 6


@attrs.define(eq=False)
class Page:
    """
    Prints, and counts.

    With ``full`` the messages are printed whole below their arrows.
    """

    console: Console
    signs: Signs
    full: bool = False
    expected: int = 0
    checked: int = 0
    _number: int = 0
    _lanes: Sequence[str] = ()
    _has_verdict: bool = False

    @property
    def ladder(self) -> Ladder:
        """What draws the lines."""
        return Ladder(self.console, self.signs)

    def open(self, places: Sequence[str]) -> None:
        """Say what this is, and where the server listens."""
        self._print(Text("Presence between users of contoso.com", style="bold"))
        self._print(Text(f"by a server on {' and '.join(places)}", style="dim"))

    def begin(self, title: str, sentence: str, watcher: str, presentity: str) -> None:
        """Begin a part, with a sentence on it and the names over the lanes."""
        self._number += 1
        self._has_verdict = False
        self._lanes = (watcher, SERVER, presentity)
        self._print(Text())
        self._print(self.ladder.title(f"{self._number} {self.signs.dot} {title}"))
        for line in Text(sentence).wrap(self.console, 78):
            self._print(Text("  ").append_text(line))
        self._print(Text())
        self._print(self.ladder.heads(self._lanes))
        self._rung()

    def show(self, messages: Sequence[Message]) -> None:
        """Draw messages between those who have lanes."""
        messages = [
            each
            for each in messages
            if each.sender in self._lanes and each.receiver in self._lanes
        ]
        if messages and self._has_verdict:
            self._rung()
        for message in messages:
            arrow = Arrow(
                self._lane(message.sender),
                self._lane(message.receiver),
                label_of(message.read),
                meaning_of(message.read, message.receiver),
            )
            for line in self.ladder.arrow(arrow):
                self._print(line)
            if self.full:
                self._print_whole(message)

    def verdict(self, text: str, is_so: bool, otherwise: str) -> None:
        """Say whether it went as expected."""
        self.checked += 1
        self.expected += is_so
        if is_so:
            said = Text(f"{self.signs.good} {text}", style="green")
        else:
            said = Text(f"{self.signs.bad} {text}: {otherwise}", style="bold red")
        self._rung(said)
        self._has_verdict = True

    def end(self) -> bool:
        """Say how much was as expected, and whether all of it was."""
        is_all = self.expected == self.checked
        style = "bold green" if is_all else "bold red"
        self._print(Text())
        self._print(Text(f"{self.expected} of {self.checked} as expected", style=style))
        return is_all

    def _lane(self, name: str) -> int:
        if name == SERVER:
            return _SERVER_LANE
        return _RIGHT_LANE if name == self._lanes[_RIGHT_LANE] else 0

    def _rung(self, words: Text | None = None) -> None:
        for line in self.ladder.rung(words):
            self._print(line)

    def _print_whole(self, message: Message) -> None:
        text = message.data.decode("utf-8", "replace").rstrip()
        for number, line in enumerate(text.splitlines()):
            style = "bold" if number == 0 else "dim"
            for part in self._folded(line):
                self._print(Text(_INDENT + part, style=style))
        self._print(Text())

    def _folded(self, line: str) -> Sequence[str]:
        """Cut a line to the width of a terminal; for programs it stays whole."""
        room = WIDTH - len(_INDENT)
        if not self.console.is_terminal or len(line) <= room:
            return [line]
        return [line[begin : begin + room] for begin in range(0, len(line), room)]

    def _print(self, line: Text) -> None:
        line.rstrip()
        if self.signs is PLAIN:
            line.plain = line.plain.translate(_IN_ASCII)
        self.console.print(line, soft_wrap=True)
