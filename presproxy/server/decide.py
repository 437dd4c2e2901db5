"""Asking the contact ACLs, once for a new subscription and again when rules change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import attrs

from presproxy.events.agent import PresenceAgent
from presproxy.extend.guard import Guard, PluginFailed
from presproxy.interfaces import IContactACL
from presproxy.model.decision import Decision, Explained, Handling
from presproxy.model.identity import Identity
from presproxy.model.subscription import Subscription
from presproxy.sip.uri import AddressOfRecord

#: What nobody has an opinion about waits for the presentity.
_NOBODY = Decision(Handling.CONFIRM, "no contact ACL has an opinion")


@attrs.define(eq=False)
class Decider:
    """
    Asks the contact ACLs in their order.

    One that fails leaves the subscription pending; it is asked again later.
    """

    acls: Sequence[Guard[IContactACL]]
    agent: PresenceAgent
    #: Keeps a subscription whose decision is another now.
    keep: Callable[[Subscription], Awaitable[None]]
    #: Runs something that waits, and logs what goes wrong.
    run: Callable[[Awaitable[None]], None]
    _undecided: set[AddressOfRecord] = attrs.field(factory=set)

    async def explain(
        self, watcher: Identity, presentity: AddressOfRecord, package: str
    ) -> Explained:
        """Decide, and name who did."""
        for acl in self.acls:
            try:
                decision = await acl.ask(
                    acl.plugin.decide, watcher, presentity, package
                )
            except PluginFailed:
                self._undecided.add(presentity)
                return Explained(
                    Decision(Handling.CONFIRM, f"acl {acl.name} failed"), acl.name
                )
            if decision is not None:
                return Explained(decision, acl.name)
        return Explained(_NOBODY, "")

    async def decide(
        self, watcher: Identity, presentity: AddressOfRecord, package: str
    ) -> Decision:
        """Say what a watcher may see."""
        return (await self.explain(watcher, presentity, package)).decision

    def decide_again(self, presentity: AddressOfRecord) -> None:
        """Ask anew about every subscription to a presentity, and obey at once."""
        self.run(self._decide_again(presentity))

    def ask_undecided(self) -> None:
        """Ask again where a plugin had failed."""
        undecided, self._undecided = self._undecided, set()
        for presentity in undecided:
            self.decide_again(presentity)

    async def decide_each(self, subscriptions: Sequence[Subscription]) -> None:
        """Ask anew about some subscriptions, such as those found at a start."""
        for subscription in subscriptions:
            decision = await self.decide(
                subscription.watcher, subscription.presentity, subscription.package
            )
            if self.agent.decided(subscription, decision):
                await self.keep(subscription)

    async def _decide_again(self, presentity: AddressOfRecord) -> None:
        for package, watcher in self.agent.visitors.waiting(presentity):
            decision = await self.decide(Identity(watcher, ""), presentity, package)
            if decision.handling is not Handling.CONFIRM:
                self.agent.forget_visitor(presentity, package, watcher)
        await self.decide_each(self.agent.of(presentity))
