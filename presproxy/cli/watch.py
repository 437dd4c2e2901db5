"""``watch``: every change of some presentities, one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import click
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredQueue,
    gatherResults,
)
from twisted.internet.task import deferLater

from presproxy.cli.account import Speaker, speaks_sip
from presproxy.cli.lync import LyncWatching
from presproxy.cli.news import News, Over, pause_after
from presproxy.cli.output import print_json, print_line
from presproxy.cli.running import Surroundings, explained, surrounded
from presproxy.cli.sighting import Sighting
from presproxy.cli.words import address, short
from presproxy.errors import PresproxyError
from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent import (
    HeldSubscription,
    SubscriptionEnded,
    UserAgent,
)

#: Seconds in which a server must let us go when somebody has pressed Ctrl-C.
_FAREWELL = 2.0


@attrs.define(eq=False)
class Watching:
    """One presentity, subscribed to anew whenever that makes sense."""

    agent: UserAgent
    aor: AddressOfRecord
    expires: int
    tell: Callable[[News], None]
    _was_there: bool = False
    _task: Deferred[None] | None = None
    _subscription: HeldSubscription | None = None

    def start(self) -> None:
        """Begin."""
        self._task = Deferred.fromCoroutine(self._go_on())
        # It tells what happens to it; this is Ctrl-C.
        self._task.addErrback(lambda failure: failure.trap(CancelledError) and None)

    async def leave(self) -> None:
        """Unsubscribe."""
        if self._task is not None:
            self._task.cancel()
        if self._subscription is not None and self._subscription.is_alive:
            try:
                await self._subscription.unsubscribe(_FAREWELL)
            except PresproxyError:
                return

    async def _go_on(self) -> None:
        while True:
            error = await self._until_it_ends()
            pause = pause_after(error, self._was_there)
            if pause is None:
                self.tell(Over(self.aor, error))
                return
            await deferLater(self.agent.reactor, pause)

    async def _until_it_ends(self) -> PresproxyError:
        ended: Deferred[PresproxyError] = Deferred()
        try:
            self._subscription = await self.agent.subscribe(
                self.aor,
                self.expires,
                told=lambda notification: self.tell(Sighting.of(notification)),
                lost=ended.callback,
            )
        except PresproxyError as error:
            return error
        self._was_there = True
        return await ended


@click.command()
@click.argument("aors", metavar="AOR...", type=address, nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line each.")
@click.option(
    "--expires",
    type=click.IntRange(min=1),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long the server may have forgotten us before that is noticed.",
)
@click.option(
    "--lync",
    is_flag=True,
    help="Sign in as a Lync client, by TCP if not TLS, and watch all by one subscription.",
)
@speaks_sip
@surrounded
def watch(
    speaker: Speaker,
    surroundings: Surroundings,
    aors: Sequence[AddressOfRecord],
    as_json: bool,
    expires: int,
    lync: bool,
) -> None:
    """Print every change of the presence of each AOR, until Ctrl-C."""

    async def command(reactor: Any) -> bool:
        wanted = tuple(dict.fromkeys(aors))
        watcher = speaker.watcher_of(aors[0])
        async with speaker.agent(reactor, watcher, lync) as agent:
            news: DeferredQueue[News] = DeferredQueue()
            watching: Sequence[Watching | LyncWatching]
            if lync:
                watching = [LyncWatching(agent, wanted, news.put)]
            else:
                watching = [Watching(agent, aor, expires, news.put) for aor in wanted]
            return await _watch(watching, set(wanted), news, as_json)

    if not surroundings.run(command):
        raise click.exceptions.Exit(1)


async def _watch(
    watching: Sequence[Watching | LyncWatching],
    wanted: set[AddressOfRecord],
    news: DeferredQueue[News],
    as_json: bool,
) -> bool:
    """Watch until Ctrl-C, which is True, or until nobody is left to be watched."""
    for each in watching:
        each.start()
    try:
        while wanted:
            one = await news.get()
            if isinstance(one, Over):
                wanted.discard(one.aor)
            _print(one, as_json)
    except CancelledError:
        return True
    finally:
        await gatherResults([Deferred.fromCoroutine(each.leave()) for each in watching])
    return False


def _print(one: News, as_json: bool) -> None:
    if isinstance(one, Over):
        click.echo(f"presproxy: {short(one.aor)}: {_why(one.error)}", err=True)
    elif as_json:
        print_json(one.as_json, on_one_line=True)
    else:
        print_line(one.as_text)


def _why(error: PresproxyError) -> str:
    if isinstance(error, SubscriptionEnded):
        return f"watched no more: {error.reason or 'no reason given'}"
    return explained(error)
