"""The command ``demo``."""

from __future__ import annotations

import sys
from typing import Any

import click

from presproxy.cli.demo.ladder import signs_for
from presproxy.cli.demo.page import Page
from presproxy.cli.demo.scenes import DOMAIN, Play
from presproxy.cli.demo.stage import Stage
from presproxy.cli.output import console
from presproxy.cli.running import Surroundings, surrounded


@click.command()
@click.option("--full", is_flag=True, help="Print the messages whole.")
@surrounded
def demo(surroundings: Surroundings, full: bool) -> None:
    """
    Play presence between two users, and print the ladder of it.

    A server of its own runs in this process; everybody speaks to it over real sockets
    on the loopback.  What each saw is checked at every step.
    """

    async def command(reactor: Any) -> bool:
        page = Page(console(), signs_for(sys.stdout.encoding), full)
        stage = await Stage.open(reactor, DOMAIN)
        try:
            page.open([str(where) for where in stage.server.bound])
            play = await Play.prepare(stage, page)
            await play.play()
        finally:
            await stage.close()
        return page.end()

    if not surroundings.run(command):
        raise click.exceptions.Exit(1)
