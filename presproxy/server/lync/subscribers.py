"""Who added a user to his contacts: noted, told of, and acknowledged ([MS-PRES] 2.2.2.7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

import attrs

from presproxy.documents.lync import subscribers as documents
from presproxy.documents.lync.containers import MemberType
from presproxy.documents.lync.subscribers import Subscriber
from presproxy.errors import Conflict, PresproxyError
from presproxy.events.contacts import ContactLists
from presproxy.events.subscribers import Subscribers
from presproxy.server.answer import Answer
from presproxy.server.domains import Domains
from presproxy.server.exchange import Exchange
from presproxy.server.journal import Journal
from presproxy.server.lync.service import own_resource
from presproxy.sip.uri import AddressOfRecord, address_of_record, domain_of

#: How often a change is staged again when another one of the same record was first.
_TRIES = 3


@attrs.define(eq=False)
class SubscriberBook:
    """Keeps who subscribed.  ``run`` runs what nobody waits for."""

    domains: Domains
    table: Subscribers
    contacts: ContactLists
    journal: Journal
    run: Callable[[Awaitable[None]], None]

    def introduced(self, user: AddressOfRecord, watcher: AddressOfRecord) -> None:
        """
        Somebody says that he has added a user to his contacts just now.

        A user is told of each once.  Nobody waits for this.  Whom the user has said
        anything of he knows already.
        """
        is_ours = domain_of(user) in self.domains.names
        if not is_ours or watcher == user or self.contacts.of(user).get(watcher):
            return
        if self.table.version(user, watcher):
            # Told of already: whoever signs in watches all of his contacts anew.
            return
        of_the_house = domain_of(watcher) in self.domains.names
        kind = MemberType.SAME_ENTERPRISE if of_the_house else MemberType.FEDERATED
        self.run(self._note(user, Subscriber(watcher, kind)))

    async def _note(self, user: AddressOfRecord, subscriber: Subscriber) -> None:
        try:
            await self.journal.commit(self.table.stage(user, subscriber))
        except PresproxyError:
            # He is noted when he subscribes again, if another has not done it just now.
            return

    async def acknowledge(
        self, user: AddressOfRecord, answers: Sequence[tuple[AddressOfRecord, bool]]
    ) -> None:
        """Keep what a user answers; raises `StorageUnavailable`."""
        for attempt in range(1, _TRIES + 1):
            staged = self.table.stage_acknowledged(user, answers)
            try:
                await self.journal.commit(staged)
            except Conflict:
                if attempt == _TRIES:
                    raise
            else:
                return


@attrs.define(eq=False)
class SubscriberAnswers:
    """Serves what a user answers about his subscribers."""

    content_type: ClassVar[str] = documents.CONTENT_TYPE

    domains: Domains
    subscribers: SubscriberBook

    async def serve(self, exchange: Exchange) -> Answer:
        """Acknowledge whom the body names; who never subscribed is passed over."""
        user = own_resource(exchange, self.domains)
        answers = [
            (self.domains.home(address_of_record(name)), is_acknowledged)
            for name, is_acknowledged in documents.read_set_subscribers(
                exchange.request.body
            )
        ]
        await self.subscribers.acknowledge(user, answers)
        return Answer(200)
