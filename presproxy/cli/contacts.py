"""Contact lists and ``explain``: who may see whom, by the server's JSON interface."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import click

from presproxy.cli.api import ApiClient
from presproxy.cli.output import print_json, print_line, print_table
from presproxy.cli.running import Surroundings, surrounded
from presproxy.cli.words import address, short, url
from presproxy.sip.uri import AddressOfRecord

with_api = click.option(
    "--api",
    type=url,
    metavar="URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    envvar="PRESPROXY_API",
    help="Where the server's HTTP is.",
)
with_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

Asking = Callable[[ApiClient], Coroutine[Any, Any, Any]]


def ask(surroundings: Surroundings, api: str, asking: Asking) -> Any:
    """Ask the server whose HTTP is at ``api``."""
    return surroundings.run(lambda reactor: asking(ApiClient(api, reactor)))


@click.command()
@click.argument("watcher", type=address)
@click.argument("aor", type=address)
@click.option("--package", default="presence", show_default=True, metavar="NAME")
@with_json
@with_api
@surrounded
def explain(
    surroundings: Surroundings,
    watcher: AddressOfRecord,
    aor: AddressOfRecord,
    package: str,
    as_json: bool,
    api: str,
) -> None:
    """Say what WATCHER may see of AOR, and which plugin says so by which rule."""
    said = ask(surroundings, api, lambda client: client.explain(watcher, aor, package))
    if as_json:
        print_json(said)
        return
    decision = said["decision"]
    print_line(f"{short(watcher)} {_SEES[decision['handling']]} {short(aor)}")
    who = decision["plugin"] or "nobody"
    print_table(
        ("handling", "view", "decided by", "rule"),
        [(decision["handling"], decision["view"], who, decision["rule"])],
    )


#: What a handling means for the watcher.
_SEES = {
    "allow": "sees",
    "confirm": "waits to be allowed to see",
    "polite-block": "believes to see, but sees nothing of",
    "block": "is refused to see",
}


@click.command()
@click.argument("aor", type=address)
@with_json
@with_api
@surrounded
def contacts(
    surroundings: Surroundings, aor: AddressOfRecord, as_json: bool, api: str
) -> None:
    """List what AOR has said of watchers."""
    said = ask(surroundings, api, lambda client: client.contacts(aor))
    if as_json:
        print_json(said)
        return
    _print_contacts(said["contacts"])


def _print_contacts(entries: Sequence[Mapping[str, Any]]) -> None:
    """Print entries, with names and groups where the user's clients gave any."""
    columns: tuple[str, ...] = ("watcher", "handling")
    rows: list[tuple[str, ...]] = [
        (short(each["aor"]), each["handling"]) for each in entries
    ]
    if any("groups" in each for each in entries):
        columns += ("name", "groups")
        rows = [
            (*row, each.get("name", ""), ", ".join(each.get("groups", ())))
            for row, each in zip(rows, entries, strict=True)
        ]
    print_table(columns, rows)


def _handling(name: str, handling: str, help: str) -> click.Command:
    """Make a command which writes one handling into a contact list."""

    @click.command(name, help=help)
    @click.argument("aor", type=address)
    @click.argument("watcher", type=address)
    @with_api
    @surrounded
    def command(
        surroundings: Surroundings,
        aor: AddressOfRecord,
        watcher: AddressOfRecord,
        api: str,
    ) -> None:
        ask(surroundings, api, lambda client: client.handle(aor, watcher, handling))

    return command


allow = _handling("allow", "allow", "Let WATCHER see AOR.")
block = _handling("block", "block", "Refuse WATCHER to see AOR.")
politely_block = _handling(
    "politely-block", "polite-block", "Let WATCHER see AOR offline, always."
)


@click.command()
@click.argument("aor", type=address)
@click.argument("watcher", type=address)
@with_api
@surrounded
def forget(
    surroundings: Surroundings,
    aor: AddressOfRecord,
    watcher: AddressOfRecord,
    api: str,
) -> None:
    """Forget what AOR has said of WATCHER."""
    ask(surroundings, api, lambda client: client.forget(aor, watcher))
