"""The command ``demo``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from presproxy.cli.demo.ladder import signs_for
from presproxy.cli.demo.lync import LyncPlay
from presproxy.cli.demo.page import Page
from presproxy.cli.demo.scenes import DOMAIN, Play
from presproxy.cli.demo.stage import Stage
from presproxy.cli.output import console
from presproxy.cli.running import Surroundings, surrounded

#: By dialect.
_PLAYS: Mapping[str, type[Play] | type[LyncPlay]] = {"simple": Play, "lync": LyncPlay}


@click.command()
@click.option(
    "--dialect",
    type=click.Choice(("both", "simple", "lync")),
    default="both",
    show_default=True,
    help="What the users' clients speak.",
)
@click.option("--full", is_flag=True, help="Print the messages whole.")
@surrounded
def demo(surroundings: Surroundings, dialect: str, full: bool) -> None:
    """
    Play presence between two users, and print the ladder of it.

    A server of its own runs in this process; everybody speaks to it over real sockets
    on the loopback.  What each saw is checked at every step.
    """

    async def command(reactor: Any) -> bool:
        page = Page(console(), signs_for(sys.stdout.encoding), full)
        for name, play in _PLAYS.items():
            if dialect in ("both", name):
                await _played(play, reactor, page)
        return page.end()

    if not surroundings.run(command):
        raise click.exceptions.Exit(1)


async def _played(play: type[Play] | type[LyncPlay], reactor: Any, page: Page) -> None:
    """Play on a stage of its own."""
    stage = await Stage.open(reactor, DOMAIN)
    try:
        page.open([str(where) for where in stage.server.bound])
        prepared = await play.prepare(stage, page)
        await prepared.play()
    finally:
        await stage.close()
