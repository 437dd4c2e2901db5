"""``trace``: what goes over the wire, as figures, until Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import click
from rich.text import Text
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater

from presproxy.cli.api import ApiClient
from presproxy.cli.contacts import with_api, with_json
from presproxy.cli.output import print_json, print_line, state_text
from presproxy.cli.running import Surroundings, surrounded

#: Seconds between two looks.
_PAUSE = 0.5

_STYLES = {
    "subscription": "bold blue",
    "publication": "bold magenta",
    "change": "bold cyan",
    "polling": "bold yellow",
}

Shown = Mapping[str, Any]


@attrs.define(eq=False)
class Printer:
    """Prints each figure once, and of those that go on what is new."""

    as_json: bool
    _titles: dict[str, str] = attrs.field(factory=dict)
    _printed: set[str] = attrs.field(factory=set)

    def show(self, trace: Shown) -> None:
        """Print what was not printed yet."""
        if self.as_json:
            if trace["messages"]:
                print_json(trace, on_one_line=True)
            return
        labels = {lane["id"]: lane["label"] for lane in trace["lanes"]}
        for figure in trace["figures"]:
            rows = [
                row
                for row in trace["messages"]
                if row["figure"] == figure["id"] and row["id"] not in self._printed
            ]
            if rows:
                self._print(figure, rows, labels)
        self._forget(trace)

    def _print(self, figure: Shown, rows: list[Any], labels: Mapping[str, str]) -> None:
        if self._titles.get(figure["id"]) != figure["title"]:
            self._titles[figure["id"]] = figure["title"]
            print_line(*head_of(figure))
        for row in rows:
            self._printed.add(row["id"])
            print_line(*line_of(row, labels))

    def _forget(self, trace: Shown) -> None:
        """Keep no more than the server does."""
        if len(self._printed) > 2 * max(1000, trace["capture"]["held"]):
            self._printed.clear()
            self._titles.clear()


def head_of(figure: Shown) -> Iterator[Text]:
    """Write the line above a figure's messages."""
    kind = figure["kind"]
    yield Text(f"{kind:<12}", style=_STYLES.get(kind, "bold"))
    yield Text(figure["title"], style="bold")
    if figure["state"]:
        before, after = (state_text(each or "unknown") for each in figure["state"])
        yield Text.assemble("[", before, " → ", after, "]")
    yield Text(figure["outcome"], style="dim")
    if figure["repeats"] > 1:
        yield Text(f"× {figure['repeats']}", style="dim")


def line_of(row: Shown, labels: Mapping[str, str]) -> Iterator[Text]:
    """Write one message."""
    clock = row["at"].partition("T")[2][:12]
    ends = f"{labels.get(row['from'], '?')} → {labels.get(row['to'], '?')}"
    yield Text(f"  {clock}", style="dim")
    yield Text(f"{ends:<26}")
    if row["status"] is None:
        yield Text(f"{row['method'] or 'unread'} {row['target'] or ''}".strip())
    else:
        style = "red" if row["status"] >= 400 else "green"
        yield Text(f"{row['status']} {row['reason'] or ''}".strip(), style=style)
    if row["mark"]:
        yield state_text(row["mark"])
    if row["retransmissions"]:
        yield Text(f"sent {1 + len(row['retransmissions'])} times", style="yellow")
    if row["detail"]:
        yield Text(row["detail"], style="dim")


@click.command()
@click.argument("words", nargs=-1, metavar="[WORDS]...")
@click.option("--errors", is_flag=True, help="Only what was refused or cannot be read.")
@click.option("--once", is_flag=True, help="Print what is held, and end.")
@with_json
@with_api
@surrounded
def trace(
    surroundings: Surroundings,
    words: tuple[str, ...],
    errors: bool,
    once: bool,
    as_json: bool,
    api: str,
) -> None:
    """
    Print what goes over the wire of a running server, until Ctrl-C.

    Messages are gathered into figures: a subscription, a publication, a change and all
    who are told of it, a poll.  WORDS choose some: user:alice method:NOTIFY status:4xx
    call-id: transport: package: figure: or free text, each with - before it to leave
    some out (after -- then).
    """
    query = {"q": " ".join(words), "errors": str(int(errors))}
    printer = Printer(as_json)

    async def command(reactor: Any) -> None:
        client = ApiClient(api, reactor)
        shown = await client.get("trace", query)
        printer.show(shown)
        while not once:
            try:
                await deferLater(reactor, _PAUSE)
                after = str(max(1, shown["latest"]))
                shown = await client.get("trace", {**query, "after": after})
            except CancelledError:
                return
            printer.show(shown)

    surroundings.run(command)
