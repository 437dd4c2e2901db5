"""What all plays have in common: parts with a title, and what is checked in them."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.task import deferLater

from presproxy.cli.demo.page import Page
from presproxy.cli.demo.stage import LIMIT, NOTIFICATIONS, Message, Stage
from presproxy.errors import MalformedDocument
from presproxy.useragent import Notification, Presence, presence_in


@attrs.define(eq=False)
class Telling:
    """A play on a stage, told on a page."""

    stage: Stage
    page: Page
    _shown: int = attrs.field(default=0, init=False)

    def begin(
        self,
        title: str,
        sentence: str,
        watcher: str = "Luser1",
        presentity: str = "Luser2",
    ) -> None:
        """Begin a part."""
        self.page.begin(title, sentence, watcher, presentity)

    def check(self, what: str, is_so: bool, otherwise: str) -> None:
        """Say whether something is as expected."""
        self.page.verdict(what, is_so, otherwise)

    def check_presence(
        self, who: str, seen: Notification, expected: Presence, words: str
    ) -> None:
        """Say whether somebody saw what was published."""
        presence = presence_seen(seen)
        self.check(f"{who} sees {words}", presence == expected, f"saw {presence}")

    async def show(self) -> list[Message]:
        """Draw what went over the wire since, once it has been answered."""
        await self.until(lambda: self.stage.tape.is_quiet)
        messages = self.stage.tape.messages[self._shown :]
        self._shown += len(messages)
        self.page.show(messages)
        return messages

    async def settle(self) -> None:
        """Let the server do whatever it has still to do: a turn of its reactor or two."""
        for _ in range(10):
            await deferLater(self.stage.reactor, 0)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Let the reactor go on until something is so, or it is too late."""
        limit = self.stage.reactor.seconds() + LIMIT
        while not is_so() and self.stage.reactor.seconds() < limit:
            await deferLater(self.stage.reactor, 0.001)


def presence_seen(notification: Notification) -> Presence | None:
    try:
        return presence_in(notification.body) if notification.body else None
    except MalformedDocument:
        return None


def latency(messages: list[Message]) -> str:
    """Say how long after the first message the first notification went out."""
    for message in messages:
        if message.method in NOTIFICATIONS:
            return f"{1000 * (message.at - messages[0].at):.1f} ms"
    return "never"
