"""Subscriptions as records: staged, refreshed, and deleted when they end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import attrs

from presproxy.errors import Conflict, PresproxyError, SubscriptionEnded
from presproxy.interfaces import IRouteKeeper
from presproxy.model.payload import SUBSCRIPTION, write_subscription
from presproxy.model.record import Change, Delete, Put
from presproxy.model.subscription import Subscription
from presproxy.server.journal import Journal

#: How often a change is staged again when another one of the same record was first.
_TRIES = 3


@attrs.define(eq=False)
class StagedSubscription:
    """
    A subscription's record on its way.

    ``expires_at`` is the end that the subscription will have, ``version`` the one of its
    record.  ``then`` follows once it is lasting, however late that is.
    """

    subscription: Subscription
    changes: Sequence[Change]
    expires_at: float
    version: int
    then: Callable[[], None]

    def live(self) -> None:
        """See `Staged`."""
        self.subscription.expires_at = self.expires_at
        self.subscription.version = self.version
        self.then()

    def take_back(self) -> None:
        """See `Staged`; nothing was reserved."""


@attrs.define(eq=False)
class Keeper:
    """
    Keeps the subscriptions whose routes outlive the process.

    ``keepers`` are the notifiers which can write a route, by name.  ``run`` runs what
    nobody waits for.
    """

    journal: Journal
    keepers: Mapping[str, IRouteKeeper]
    run: Callable[[Awaitable[None]], None]

    async def keep(
        self, subscription: Subscription, expires_at: float | None = None
    ) -> None:
        """
        Write a subscription's record, with another end if one is given.

        Two changes of one record may be under way at once, a refresh and a reservation of
        CSeq; who comes second is staged again.  Raises `SubscriptionEnded` if the subscription
        ends meanwhile, and deletes what was written of it.
        """
        for attempt in range(1, _TRIES + 1):
            if not subscription.is_alive:
                break
            try:
                await self.journal.commit(self._staged(subscription, expires_at))
            except Conflict:
                if attempt == _TRIES:
                    raise
            else:
                break
        if not subscription.is_alive:
            raise SubscriptionEnded(f"{subscription.key} has ended")

    async def remove(
        self, subscription: Subscription, then: Callable[[], None]
    ) -> None:
        """
        Delete the record of a subscription that is to end.

        ``then`` follows when it is deleted, although only after whoever waited for it has
        been told that it could not be done in time.
        """
        for attempt in range(1, _TRIES + 1):
            staged = self._staged_removal(subscription)
            try:
                await self.journal.commit(staged)
            except Conflict:
                if attempt == _TRIES:
                    raise
            except PresproxyError:
                staged.then = then
                raise
            else:
                return

    async def forget(self, subscription: Subscription) -> None:
        """
        Delete the record of a subscription that has ended.

        If that cannot be done now the record ends by its own expiry: after a start in
        between, the watcher's 481 ends it.
        """
        for _ in range(_TRIES):
            try:
                await self.journal.commit(self._staged_removal(subscription))
            except Conflict:
                continue
            except PresproxyError:
                return
            return

    def _staged(
        self, subscription: Subscription, expires_at: float | None
    ) -> StagedSubscription:
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
            partial(self._kept, subscription, keeper, route),
        )

    def _kept(
        self, subscription: Subscription, keeper: IRouteKeeper, route: bytes
    ) -> None:
        keeper.kept(subscription.route, route)
        if not subscription.is_alive:
            self.run(self.forget(subscription))

    def _staged_removal(self, subscription: Subscription) -> StagedSubscription:
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


def _nothing() -> None:
    """Nothing follows."""
