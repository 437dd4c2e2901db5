"""What commands print: tables and lines for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

#: How each state is shown on a terminal.
STYLES = {
    "available": "green",
    "idle": "green",
    "busy": "red",
    "dnd": "bold red",
    "brb": "yellow",
    "away": "yellow",
    "offwork": "yellow",
    "offline": "dim",
    "unknown": "dim",
}

#: How states are said to people, where it is not their own name.
NAMES = {
    "dnd": "do not disturb",
    "brb": "be right back",
    "offwork": "off work",
}

#: Columns for whoever is not a terminal: wide enough never to wrap a line.
_PIPE = 10_000


def console() -> Console:
    """
    Give what prints to stdout as it is now.

    Colours are for terminals only, and not where NO_COLOR is set.
    """
    width = None if sys.stdout.isatty() else _PIPE
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)


def print_json(value: Any, *, on_one_line: bool = False) -> None:
    """Print one value."""
    text = json.dumps(value, ensure_ascii=False, indent=None if on_one_line else 2)
    print(text, flush=True)


def print_line(*parts: str | Text) -> None:
    """Print one line, and at once."""
    console().print(Text(" ").join(_text(part) for part in parts), soft_wrap=True)
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """Print columns with their headings; the first is never cut."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        table.add_column(name, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    _print_without_trailing_blanks(table)


def state_text(state: str) -> Text:
    """Give a state as people say it, in its colour."""
    return Text(NAMES.get(state, state), style=STYLES.get(state, ""))


def _print_without_trailing_blanks(table: Table) -> None:
    screen = console()
    with screen.capture() as captured:
        screen.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def _text(part: str | Text) -> Text:
    return part if isinstance(part, Text) else Text(part)
