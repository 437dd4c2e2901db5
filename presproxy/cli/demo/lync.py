"""
The flow in Lync's dialect: Luser2 publishes categories, Luser1 watches a list.

Luser3 speaks SIMPLE, and sees and is seen all the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from presproxy.cli.demo.page import Page
from presproxy.cli.demo.scenes import DAY, NOBODY_AT_HOME
from presproxy.cli.demo.stage import Stage
from presproxy.cli.demo.telling import Telling, latency
from presproxy.useragent import HeldSubscription, Notification, Presence, UserAgent
from presproxy.useragent.lync import Contact, LyncEndpoint, LyncSubscription
from presproxy.useragent.lync.seen import seen_in


@attrs.define(eq=False)
class LyncPlay(Telling):
    """The flow in Lync's dialect, being played."""

    luser1: LyncEndpoint
    luser2: LyncEndpoint
    luser3: UserAgent

    @classmethod
    async def prepare(cls, stage: Stage, page: Page) -> LyncPlay:
        """Let everybody come."""
        return cls(
            stage,
            page,
            luser1=LyncEndpoint(await stage.enter("Luser1@contoso.com", "tcp")),
            luser2=LyncEndpoint(await stage.enter("Luser2@contoso.com", "tcp")),
            luser3=await stage.enter("Luser3@contoso.com", "udp"),
        )

    async def play(self) -> None:
        """Play all parts."""
        await self.sign_in()
        batch = await self.batch()
        await self.publications(batch)
        await self.poll()
        simple = await self.a_simple_watcher()
        await self.a_simple_publisher(batch)
        await self.blocked_and_not(batch)
        await self.signing_off(batch, simple)
        await self.unsubscription(batch)

    async def sign_in(self) -> None:
        """Both sign in and learn what they have published."""
        self.begin(
            "Lync: signing in",
            "Luser1's and Luser2's clients sign in as endpoints, by connections that "
            "stay, and ask for what their users keep here.",
        )
        for endpoint in (self.luser1, self.luser2):
            await endpoint.sign_in()
        await self.show()
        endpoints = len(self.stage.server.lync.endpoints)
        self.check("Both are signed in", endpoints == 2, f"{endpoints} are")

    async def batch(self) -> LyncSubscription:
        """Luser1 watches all contacts by one subscription."""
        self.begin(
            "Lync: one subscription for many",
            "Luser1 asks for all contacts at once. How each of them is rides in the "
            "answer.",
        )
        contacts = [self.luser2.agent.aor, self.luser3.aor]
        subscription = await self.luser1.watch(contacts)
        seen = seen_in(await subscription.next())
        await self.show()
        self.check(
            "Luser1 sees both offline",
            [(each.uri, each.presence) for each in seen]
            == [(uri, NOBODY_AT_HOME) for uri in contacts],
            f"saw {seen}",
        )
        return subscription

    async def publications(self, batch: LyncSubscription) -> None:
        """Luser2 publishes one state after the other, and Luser1 sees each."""
        self.begin(
            "Lync: publication and change",
            "Luser2's client publishes each state of a day, as the user's choice and the "
            "machine's state. One state is made of them, and told to Luser1 by "
            "messages that nobody answers.",
        )
        for presence in DAY:
            await self.luser2.say(presence)
            seen = await batch.next()
            shown = await self.show()
            self.check_contact("Luser1", seen, presence, f"it, {latency(shown)}")

    async def poll(self) -> None:
        """Luser1 looks once."""
        self.begin(
            "Lync: polling",
            "A client may look once instead. All of it is in the answer.",
        )
        seen = await self.luser1.look([self.luser2.agent.aor])
        await self.show()
        self.check_contact("Luser1", seen, DAY[-1], "it, once")

    async def a_simple_watcher(self) -> HeldSubscription:
        """Luser3, who speaks SIMPLE, sees the same."""
        self.begin(
            "Two dialects, one state",
            "Luser3's client speaks SIMPLE and reads presence documents. It is shown the "
            "state that Luser2's has published as categories.",
            watcher="Luser3",
        )
        subscription = await self.luser3.subscribe(self.luser2.agent.aor)
        seen = await subscription.next()
        await self.show()
        self.check_presence("Luser3", seen, DAY[-1], "it")
        return subscription

    async def a_simple_publisher(self, batch: LyncSubscription) -> None:
        """Luser3 publishes a document, and Luser1 sees it as categories."""
        self.begin(
            "And the other way",
            "Luser3's client publishes a presence document. Luser1's is told of it as "
            "categories, in the list that it watches.",
            presentity="Luser3",
        )
        said = Presence("busy", "By SIMPLE")
        await self.luser3.publish(said)
        seen = await batch.next()
        await self.show()
        self.check_contact("Luser1", seen, said, "it")

    async def blocked_and_not(self, batch: LyncSubscription) -> None:
        """Luser2 puts Luser1 among the blocked, and takes him out again."""
        self.begin(
            "Lync: access levels",
            "Luser2's client puts Luser1 into the container of whom is blocked. To him "
            "Luser2 looks offline; out of it he is told the truth.",
        )
        for is_blocked, presence in ((True, NOBODY_AT_HOME), (False, DAY[-1])):
            await self.luser2.block(self.luser1.agent.aor, is_blocked)
            seen = await batch.next()
            await self.show()
            words = "nobody at home" if is_blocked else "the truth"
            self.check_contact("Luser1", seen, presence, words)

    async def signing_off(
        self, batch: LyncSubscription, simple: HeldSubscription
    ) -> None:
        """Luser2 signs off, and everybody sees that nobody is at home."""
        self.begin(
            "Lync: signing off",
            "Luser2's client signs off. What its machine said ends with it; that the "
            "connection breaks has the same effect.",
        )
        await self.luser2.sign_off()
        seen = await batch.next()
        last = await simple.next()
        await self.show()
        self.check_contact("Luser1", seen, NOBODY_AT_HOME, "offline")
        self.check_presence("Luser3", last, NOBODY_AT_HOME, "offline")

    async def unsubscription(self, batch: LyncSubscription) -> None:
        """Luser1 watches nobody any more."""
        self.begin(
            "Lync: unsubscription",
            "Luser1's client watches nobody any more, and signs off.",
        )
        await batch.unsubscribe()
        await self.luser1.sign_off()
        await self.show()
        self.check("It is over for Luser1", not batch.is_alive, "it is not")

    def check_contact(
        self, who: str, seen: Notification, expected: Presence, words: str
    ) -> None:
        """Say whether somebody saw one contact as he is."""
        contacts: Sequence[Contact] = seen_in(seen)
        presences = [each.presence for each in contacts]
        self.check(f"{who} sees {words}", presences == [expected], f"saw {presences}")
