"""
The flow: Luser1 watches Luser2 of contoso.com; who else may not, sees nothing.

Each part says what is done, draws what went over the wire, and checks what everybody saw.
"""

from __future__ import annotations

import attrs

from presproxy.cli.demo.page import Page
from presproxy.cli.demo.stage import Stage
from presproxy.cli.demo.telling import Telling, latency, presence_seen
from presproxy.model.decision import Handling
from presproxy.useragent import (
    HeldPublication,
    HeldSubscription,
    Presence,
    Refused,
    UserAgent,
)

DOMAIN = "contoso.com"

#: What Luser2 publishes, one after the other.
DAY = (
    Presence("available"),
    Presence("busy", "In a call"),
    Presence("dnd"),
    Presence("brb"),
    Presence("away"),
    Presence("offwork"),
)

NOBODY_AT_HOME = Presence("offline")


@attrs.define(eq=False)
class Play(Telling):
    """The flow, being played."""

    luser1: UserAgent
    luser2: UserAgent
    luser3: UserAgent
    mallory: UserAgent

    @classmethod
    async def prepare(cls, stage: Stage, page: Page) -> Play:
        """Let everybody come."""
        return cls(
            stage,
            page,
            luser1=await stage.enter("Luser1@contoso.com", "udp"),
            luser2=await stage.enter("Luser2@contoso.com", "tcp"),
            luser3=await stage.enter("Luser3@contoso.com", "udp"),
            mallory=await stage.enter("Mallory@fabrikam.com", "tcp"),
        )

    async def play(self) -> None:
        """Play all parts."""
        subscription = await self.subscription()
        waiting = await self.a_stranger_waits()
        await self.the_blocked_one()
        publication = await self.publications(subscription)
        await self.refresh(publication)
        await self.poll()
        await self.the_stranger_is_allowed(waiting)
        await self.logging_off(publication, subscription)
        await self.unsubscription(subscription)
        await self.afterwards()

    async def subscription(self) -> HeldSubscription:
        """Luser1 subscribes, and sees that nobody is at home."""
        self.begin(
            "Subscription",
            "Luser1 asks to be told of Luser2's presence, for an hour. The server "
            "answers, and tells at once what there is: Luser2 has published nothing.",
        )
        subscription = await self.luser1.subscribe(self.luser2.aor)
        seen = await subscription.next()
        await self.show()
        self.check_presence("Luser1", seen, NOBODY_AT_HOME, "offline")
        return subscription

    async def a_stranger_waits(self) -> HeldSubscription:
        """Mallory of another domain subscribes, and waits."""
        self.begin(
            "A stranger",
            "Mallory is of another domain, and Luser2 has not said what she may see. "
            "Her subscription is pending; what she is told is what everybody is told "
            "of whom nobody knows.",
            watcher="Mallory",
        )
        subscription = await self.mallory.subscribe(self.luser2.aor)
        seen = await subscription.next()
        await self.show()
        self.check(
            "Mallory waits",
            seen.subscription.state == "pending"
            and presence_seen(seen) in (None, NOBODY_AT_HOME),
            f"{seen.subscription}, {presence_seen(seen)}",
        )
        return subscription

    async def the_blocked_one(self) -> None:
        """Luser3, whom Luser2 has blocked, is refused."""
        self.begin(
            "A blocked watcher",
            "Luser3 is of the same domain, but Luser2 has blocked him.",
            watcher="Luser3",
        )
        await self.stage.say(self.luser2.aor, self.luser3.aor, Handling.BLOCK)
        status = 200
        try:
            await self.luser3.subscribe(self.luser2.aor)
        except Refused as error:
            status = error.status
        await self.show()
        self.check("Luser3 is refused", status == 403, f"answered {status}")

    async def publications(self, subscription: HeldSubscription) -> HeldPublication:
        """Luser2 publishes one state after the other, and Luser1 sees each."""
        self.begin(
            "Publication and change",
            "Luser2's client publishes each state of a day. Each is kept, answered, "
            "and told to Luser1. Mallory is told nothing.",
        )
        publication = None
        for presence in DAY:
            if publication is None:
                publication = await self.luser2.publish(presence)
            else:
                await publication.modify(self.luser2.content(presence))
            seen = await subscription.next()
            shown = await self.show()
            self.check_presence("Luser1", seen, presence, f"it, {latency(shown)}")
        assert publication is not None
        return publication

    async def refresh(self, publication: HeldPublication) -> None:
        """Luser2 refreshes, which changes nothing."""
        self.begin(
            "Refresh",
            "Luser2's client holds its state for another hour: nothing changes, and "
            "nobody is told.",
        )
        await publication.refresh()
        await self.settle()
        told = [each for each in await self.show() if each.method == "NOTIFY"]
        self.check("Nobody is told", not told, f"{len(told)} messages")

    async def poll(self) -> None:
        """Luser1 looks once."""
        self.begin(
            "Polling",
            "A client may look once instead: it subscribes for no time at all, and is "
            "told the state as it is.",
        )
        seen = await self.luser1.fetch(self.luser2.aor)
        await self.show()
        self.check_presence("Luser1", seen, DAY[-1], "it, once")

    async def the_stranger_is_allowed(self, waiting: HeldSubscription) -> None:
        """Mallory has seen nothing of all that, until Luser2 allows her."""
        self.begin(
            "The stranger is allowed",
            "Mallory was told nothing of all this. Now Luser2 allows her, and her "
            "subscription becomes active. She looks, and leaves.",
            watcher="Mallory",
        )
        before = len(list(self.stage.tape.notified("Mallory")))
        self.check("Mallory saw no change", before == 1, f"{before} messages")
        await self.stage.say(self.luser2.aor, self.mallory.aor, Handling.ALLOW)
        seen = await waiting.next()
        await self.show()
        self.check_presence("Mallory", seen, DAY[-1], "it")
        await waiting.unsubscribe()
        await self.show()
        self.check("Mallory has left", not waiting.is_alive, "still there")

    async def logging_off(
        self, publication: HeldPublication, subscription: HeldSubscription
    ) -> None:
        """Luser2 logs off, and Luser1 sees that nobody is at home."""
        self.begin(
            "Logging off",
            "Luser2's client takes its publication back. That it expires has the same "
            "effect.",
        )
        await publication.remove()
        seen = await subscription.next()
        await self.show()
        self.check_presence("Luser1", seen, NOBODY_AT_HOME, "offline")

    async def unsubscription(self, subscription: HeldSubscription) -> None:
        """Luser1 unsubscribes, and is told that it is over."""
        self.begin(
            "Unsubscription",
            "Luser1 wants to be told no more. A last message says that it is over.",
        )
        await subscription.unsubscribe()
        seen = await subscription.next()
        await self.show()
        self.check("It is over for Luser1", seen.is_last, str(seen.subscription))

    async def afterwards(self) -> None:
        """Luser2 publishes, and nobody is left to be told."""
        self.begin("Afterwards", "Luser2 is back. Nobody watches, and nobody is told.")
        await self.luser2.publish(Presence("available"))
        await self.settle()
        told = [each for each in await self.show() if each.method == "NOTIFY"]
        self.check("Nobody is told", not told, f"{len(told)} messages")
