"""``show``: what a running server holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import attrs
import click
from rich.text import Text

from presproxy.cli.contacts import ask, with_api, with_json
from presproxy.cli.output import print_json, print_table
from presproxy.cli.running import Surroundings, surrounded
from presproxy.cli.words import short

Row = Sequence[str | Text]


@attrs.frozen
class _View:
    """The columns of a list, and how an item of it becomes rows."""

    columns: Sequence[str]
    rows: Callable[[Any], Iterable[Row]]


def _presentity(item: Any) -> Iterator[Row]:
    for package in item["packages"]:
        watchers = package["watchers"]
        yield (
            short(item["aor"]),
            package["package"],
            str(package["publications"]),
            str(package["categories"]),
            str(watchers["active"]),
            str(watchers["pending"]),
        )


def _subscription(item: Any) -> Iterator[Row]:
    style = {"active": "green", "pending": "yellow"}.get(item["state"], "dim")
    yield (
        short(item["watcher"]),
        short(item["presentity"]),
        item["package"],
        Text(item["state"], style=style),
        _seconds(item["expires_in"]),
        item["via"],
        item["rule"],
    )


def _registration(item: Any) -> Iterator[Row]:
    for contact in item["contacts"]:
        yield (
            short(item["aor"]),
            contact["uri"],
            _seconds(contact["expires_in"]),
            contact["user_agent"] or "",
        )


def _plugin(item: Any) -> Iterator[Row]:
    calls, failures = item["calls"], item["failures"]
    mean = f"{1000 * item['seconds'] / calls:.2f} ms" if calls else ""
    style = "red" if failures else ""
    yield (
        f"{item['kind']}:{item['name']}",
        str(calls),
        mean,
        Text(str(failures), style=style),
        item["spec"],
    )


def _upstream(item: Any) -> Iterator[Row]:
    is_away = item["is_away"]
    yield (
        item["uri"],
        Text("away" if is_away else "there", style="red" if is_away else "green"),
        f"{len(item['answering'])} of {len(item['hosts'])}",
        item["why"] or "",
    )


def _behind(item: Any) -> Iterator[Row]:
    is_there = item["is_there"]
    yield (
        short(item["aor"]),
        item["package"],
        item["direction"],
        item["server"],
        Text(
            "there" if is_there else "not there", style="green" if is_there else "red"
        ),
        _seconds(item["expires_in"]),
        item["why"] or "",
    )


_VIEWS = {
    "presentities": _View(
        (
            "presentity",
            "package",
            "publications",
            "categories",
            "watchers",
            "pending",
        ),
        _presentity,
    ),
    "subscriptions": _View(
        ("watcher", "presentity", "package", "state", "expires", "via", "rule"),
        _subscription,
    ),
    "registrations": _View(("user", "contact", "expires", "user agent"), _registration),
    "plugins": _View(("plugin", "calls", "mean", "failures", "as configured"), _plugin),
    "behind": _View(
        ("presentity", "package", "", "server behind", "state", "expires", "why"),
        _behind,
    ),
    "upstreams": _View(("server behind", "state", "hosts", "why"), _upstream),
}


@click.command()
@click.argument("what", type=click.Choice(tuple(_VIEWS)), metavar="WHAT")
@with_json
@with_api
@surrounded
def show(surroundings: Surroundings, what: str, as_json: bool, api: str) -> None:
    """
    List what a running server holds.

    WHAT is presentities, subscriptions, registrations, plugins, upstreams, which are the
    servers behind, or behind: what is fetched from them and passed to them.
    """
    items = ask(surroundings, api, lambda client: client.every(what))
    if as_json:
        print_json({"total": len(items), "items": items})
        return
    view = _VIEWS[what]
    print_table(view.columns, [row for item in items for row in view.rows(item)])


def _seconds(seconds: int | None) -> str:
    return "" if seconds is None else f"{seconds} s"
