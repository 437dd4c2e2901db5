"""What users say of each other: contact lists, containers and subscribers, built together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import attrs

from presproxy.events.agent import PresenceAgent
from presproxy.events.contacts import ContactLists
from presproxy.events.containers import Containers as ContainerTable
from presproxy.events.subscribers import Subscribers
from presproxy.interfaces import Account, IStorage
from presproxy.server.contacts import Contacts
from presproxy.server.containers import Containers
from presproxy.server.decide import Decider
from presproxy.server.domains import Domains
from presproxy.server.journal import Journal
from presproxy.server.lync.conflicts import Conflicts
from presproxy.server.lync.contacts import ContactCalls
from presproxy.server.lync.containers import ContainerChanging
from presproxy.server.lync.service import Handler
from presproxy.server.lync.subscribers import SubscriberAnswers, SubscriberBook
from presproxy.sip.uri import AddressOfRecord

#: The packages which tell a user's own clients of his contact list, of his containers,
#: and of his subscribers.
_CONTACTS = ("vnd-microsoft-roaming-contacts", "vnd-microsoft-roaming-acl")
_CONTAINERS = ("vnd-microsoft-roaming-self",)
_SUBSCRIBERS = ("vnd-microsoft-roaming-self", "presence.wpending")


@attrs.frozen(eq=False)
class Lists:
    """
    All that is kept of who knows and who sees whom.

    ``services`` serve SERVICE by the content type of its body, and share the count of the
    ``conflicts`` that an endpoint was told of.
    """

    contacts: Contacts
    containers: Containers
    subscribers: SubscriberBook
    conflicts: Conflicts = attrs.field(init=False, factory=Conflicts)
    services: dict[str, Handler] = attrs.field(init=False)

    @services.default
    def _by_content_type(self) -> dict[str, Handler]:
        domains = self.subscribers.domains
        calls = ContactCalls(domains, self.contacts, self.subscribers)
        changing = ContainerChanging(domains, self.containers, self.conflicts)
        answers = SubscriberAnswers(domains, self.subscribers)
        return {
            calls.content_type: calls.serve,
            changing.content_type: changing.serve,
            answers.content_type: answers.serve,
        }

    async def open(self) -> None:
        """Read all that may have blocked somebody; raises ValueError if it cannot be."""
        await self.contacts.open()
        await self.containers.open()

    def account(self, user: AddressOfRecord) -> Account:
        """Give what a user says here of others."""
        return Account(
            containers=self.containers.table.of(user),
            subscribers=self.subscribers.table.of(user),
            contacts=self.contacts.shown(user),
            handlings=self.contacts.of(user),
        )


def build_lists(
    storage: IStorage,
    agent: PresenceAgent,
    decider: Decider,
    journal: Journal,
    domains: Domains,
    run: Callable[[Awaitable[None]], None],
    users: int,
) -> Lists:
    """Build all of it, reading nothing yet; ``users`` is how many may have any of it."""

    def telling(packages: Sequence[str]) -> Callable[[AddressOfRecord], None]:
        """Give what tells a user's own clients that something of his is another now."""

        def changed(user: AddressOfRecord) -> None:
            for package in packages:
                agent.changed(user, package, agent.ticks())

        return changed

    again = decider.decide_again
    lists = ContactLists(again, telling(_CONTACTS), users=users)
    table = ContainerTable(domains.names, again, telling(_CONTAINERS), users=users)
    subscribers = Subscribers(telling(_SUBSCRIBERS), users=users)
    return Lists(
        Contacts(lists, storage, journal),
        Containers(table, storage, journal),
        SubscriberBook(domains, subscribers, lists, journal, run),
    )
