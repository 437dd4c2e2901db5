"""``publish --lync`` and ``watch --lync``: said and seen as a Lync client does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from presproxy.cli.news import News, Over, pause_after
from presproxy.cli.sighting import Sighting
from presproxy.errors import MalformedDocument, PresproxyError
from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent import (
    Notification,
    Presence,
    SubscriptionEnded,
    UserAgent,
)
from presproxy.useragent.lync import Contact, LyncEndpoint, LyncSubscription
from presproxy.useragent.lync.seen import seen_in


async def publish_until_interrupted(
    agent: UserAgent, presence: Presence, said: Callable[[], None]
) -> None:
    """
    Sign in, publish, and take it back on Ctrl-C.

    ``said`` is called once it is published.  What a machine says lasts as long as its
    connection, so that there is nothing to be left behind.
    """
    lost: Deferred[None] = Deferred()
    endpoint = LyncEndpoint(agent, lambda error: _fail(lost, error))
    await endpoint.sign_in()
    await endpoint.say(presence)
    said()
    try:
        await lost
    except CancelledError:
        await endpoint.take_back()
        await endpoint.sign_off()


@attrs.define(eq=False)
class LyncWatching:
    """Some presentities, watched by one subscription made anew whenever that makes sense."""

    agent: UserAgent
    aors: Sequence[AddressOfRecord]
    tell: Callable[[News], None]
    _was_there: bool = False
    _task: Deferred[None] | None = None
    _endpoint: LyncEndpoint | None = None
    _subscription: LyncSubscription | None = None

    def start(self) -> None:
        """Begin."""
        self._task = Deferred.fromCoroutine(self._go_on())
        # It tells what happens to it; this is Ctrl-C.
        self._task.addErrback(lambda failure: failure.trap(CancelledError) and None)

    async def leave(self) -> None:
        """Unsubscribe, and sign off."""
        if self._task is not None:
            self._task.cancel()
        try:
            if self._subscription is not None and self._subscription.is_alive:
                await self._subscription.unsubscribe()
                if self._endpoint is not None:
                    await self._endpoint.sign_off()
        except PresproxyError:
            return

    async def _go_on(self) -> None:
        while True:
            error = await self._until_it_ends()
            pause = pause_after(error, self._was_there)
            if pause is None:
                for aor in self.aors:
                    self.tell(Over(aor, error))
                return
            await deferLater(self.agent.reactor, pause)

    async def _until_it_ends(self) -> PresproxyError:
        ended: Deferred[None] = Deferred()
        self._endpoint = LyncEndpoint(self.agent, lambda error: _fail(ended, error))
        try:
            await self._endpoint.sign_in()
            self._subscription = await self._endpoint.watch(
                self.aors, self._told, lambda error: _fail(ended, error)
            )
            self._was_there = True
            await ended
        except PresproxyError as error:
            self._endpoint.let_go()
            return error
        raise AssertionError("it ends by an error only")

    def _told(self, notification: Notification) -> None:
        try:
            contacts = seen_in(notification)
        except MalformedDocument:
            return
        for contact in contacts:
            self._tell_of(contact)

    def _tell_of(self, contact: Contact) -> None:
        if contact.subscription == "terminated":
            aor = AddressOfRecord(contact.uri)
            self.tell(Over(aor, SubscriptionEnded(aor, contact.reason)))
            return
        self.tell(
            Sighting(
                datetime.now().astimezone(),
                contact.uri,
                contact.subscription,
                contact.reason,
                contact.presence,
            )
        )


def _fail(waiting: Deferred[None], error: PresproxyError) -> None:
    """Let whoever waits know of the first error; the others are of the same cause."""
    if not waiting.called:
        waiting.errback(error)
