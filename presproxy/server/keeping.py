"""Subscriptions as records: staged, refreshed, and deleted when they end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import attrs

from presproxy.errors import Conflict, PresproxyError
from presproxy.interfaces import IRouteKeeper
from presproxy.model.payload import SUBSCRIPTION, write_subscription
from presproxy.model.record import Change, Delete, Put
from presproxy.model.subscription import Subscription
from presproxy.server.journal import Journal

#: How often a change is staged again when another one of the same record was first.
_TRIES = 3


@attrs.define(eq=False)
class StagedSubscription:
    """A subscription's record on its way; ``expires_at`` is the end it will have."""

    subscription: Subscription
    changes: Sequence[Change]
    expires_at: float
    version: int
    #: Tells the notifier that its route is kept.
    kept: Callable[[], None]

    def live(self) -> None:
        """See `Staged`."""
        self.subscription.expires_at = self.expires_at
        self.subscription.version = self.version
        self.kept()

    def take_back(self) -> None:
        """See `Staged`; nothing was reserved."""


@attrs.define(eq=False)
class Keeper:
    """
    Keeps the subscriptions whose routes outlive the process.

    ``keepers`` are the notifiers which can write a route, by name.
    """

    journal: Journal
    keepers: Mapping[str, IRouteKeeper]

    def staged(
        self, subscription: Subscription, expires_at: float | None = None
    ) -> StagedSubscription:
        """Stage a subscription's record as it is now, with another end if one is given."""
        if expires_at is None:
            expires_at = subscription.expires_at
        keeper = self.keepers.get(subscription.notifier)
        if keeper is None:
            return StagedSubscription(subscription, (), expires_at, 0, _nothing)
        route = keeper.write(subscription.route)
        put = Put(
            SUBSCRIPTION,
            subscription.key,
            subscription.presentity,
            subscription.version,
            expires_at,
            write_subscription(subscription, route),
            told=subscription.version == 0,
        )
        return StagedSubscription(
            subscription,
            (put,),
            expires_at,
            subscription.version + 1,
            partial(keeper.kept, subscription.route, route),
        )

    def staged_removal(self, subscription: Subscription) -> StagedSubscription:
        """Stage the end of a subscription's record."""
        changes: tuple[Change, ...] = ()
        if subscription.version:
            changes = (
                Delete(
                    SUBSCRIPTION,
                    subscription.key,
                    subscription.presentity,
                    subscription.version,
                ),
            )
        return StagedSubscription(
            subscription, changes, subscription.expires_at, 0, _nothing
        )

    async def keep(
        self, subscription: Subscription, expires_at: float | None = None
    ) -> None:
        """
        Write a subscription's record anew.

        Two changes of one record may be under way at once, a refresh and a reservation of
        CSeq; who comes second is staged again.
        """
        for _ in range(_TRIES - 1):
            try:
                await self.journal.commit(self.staged(subscription, expires_at))
            except Conflict:
                continue
            return
        await self.journal.commit(self.staged(subscription, expires_at))

    async def forget(self, subscription: Subscription) -> None:
        """
        Delete the record of a subscription that has ended.

        If that cannot be done now the record ends by its own expiry: after a start in
        between, the watcher's 481 ends it.
        """
        for _ in range(_TRIES):
            try:
                await self.journal.commit(self.staged_removal(subscription))
            except Conflict:
                continue
            except PresproxyError:
                return
            return


def _nothing() -> None:
    """There is no route to tell of."""
