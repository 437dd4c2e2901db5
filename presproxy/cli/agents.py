"""``publish`` and ``fetch``: one thing said or asked as a user agent."""

from __future__ import annotations

from typing import Any

import click
from twisted.internet.defer import CancelledError, Deferred

from presproxy.cli.account import Speaker, speaks_sip
from presproxy.cli.lync import publish_until_interrupted
from presproxy.cli.output import print_json, print_line, state_text
from presproxy.cli.running import Surroundings, surrounded
from presproxy.cli.sighting import Sighting
from presproxy.cli.words import address, short
from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent import STATES, HeldPublication, Presence


@click.command()
@click.argument("aor", type=address)
@click.argument(
    "state", metavar="STATE", type=click.Choice(STATES, case_sensitive=False)
)
@click.option("--note", metavar="TEXT", help="A few words of your own.")
@click.option(
    "--expires",
    type=click.IntRange(min=1),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="How long it lasts.",
)
@click.option("--hold", is_flag=True, help="Keep it until Ctrl-C, then take it back.")
@click.option(
    "--lync",
    is_flag=True,
    help="Sign in as a Lync client, by TCP if not TLS; implies --hold.",
)
@speaks_sip
@surrounded
def publish(
    speaker: Speaker,
    surroundings: Surroundings,
    aor: AddressOfRecord,
    state: str,
    note: str | None,
    expires: int,
    hold: bool,
    lync: bool,
) -> None:
    """
    Publish the STATE of AOR.

    STATE is available, busy, dnd, brb, away, offwork or offline.
    """
    presence = Presence(state, note)

    def said(how: str) -> None:
        print_line(f"{short(aor)} is", state_text(state), how)

    async def by_lync(reactor: Any) -> None:
        async with speaker.agent(reactor, aor, by_stream=True) as agent:
            await publish_until_interrupted(
                agent, presence, lambda: said("until Ctrl-C")
            )

    async def command(reactor: Any) -> None:
        async with speaker.agent(reactor, aor) as agent:
            lost: Deferred[None] = Deferred()
            publication = await agent.publish(presence, expires, lost=lost.errback)
            said(f"for {publication.granted} s, entity-tag {publication.entity_tag}")
            if hold:
                await _held(publication, lost)

    surroundings.run(by_lync if lync else command)


async def _held(publication: HeldPublication, lost: Deferred[None]) -> None:
    """Wait until Ctrl-C, and take the publication back."""
    try:
        await lost
    except CancelledError:
        await publication.remove()


@click.command()
@click.argument("aor", type=address)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@speaks_sip
@surrounded
def fetch(
    speaker: Speaker, surroundings: Surroundings, aor: AddressOfRecord, as_json: bool
) -> None:
    """Look once at the presence of AOR."""

    async def command(reactor: Any) -> Sighting:
        async with speaker.agent(reactor, speaker.watcher_of(aor)) as agent:
            return Sighting.of(await agent.fetch(aor))

    sighting = surroundings.run(command)
    if as_json:
        print_json(sighting.as_json)
    else:
        print_line(sighting.as_text)
