"""All lists that are watched: the dialogs of batches, from their beginning to their end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from functools import partial

import attrs

from presproxy.errors import LimitReached
from presproxy.events.agent import PresenceAgent
from presproxy.events.expiry import SLICE, Expiries
from presproxy.model.notice import EMPTY, Notice
from presproxy.model.subscription import Happening, Reason, Subscription, Tell
from presproxy.notify.lists import ListDialog
from presproxy.server.lync.connected import Connected
from presproxy.sip.flow import Flow
from presproxy.sip.uri import AddressOfRecord

#: Dialogs of one watcher.  Chosen: some for each of his endpoints.  What is in them is
#: counted as any other subscription.
_MOST_OF_ONE = 100


@attrs.define(eq=False)
class ListDialogs:
    """
    The dialogs of lists by their keys, which are our tags.

    ``tell`` hands a notice to the SIP notifier; ``soon`` calls a function in the
    reactor's next turn.
    """

    agent: PresenceAgent
    connected: Connected
    tell: Callable[[Notice], None]
    soon: Callable[[Callable[[], None]], object]
    _dialogs: dict[str, ListDialog] = attrs.field(factory=dict)
    _by_watcher: Counter[AddressOfRecord] = attrs.field(factory=Counter)
    _expiries: Expiries[Subscription] = attrs.field(factory=Expiries)
    #: Members of lists that are over, and of what.
    _ending: deque[tuple[Subscription, Happening]] = attrs.field(factory=deque)

    def __len__(self) -> int:
        return len(self._dialogs)

    @property
    def expiring(self) -> int:
        """How many are kept by the second in which they end: all, unless some leak."""
        return len(self._expiries)

    def subscription(self, key: str) -> Subscription | None:
        """Give the subscription of a list that has not ended."""
        dialog = self._dialogs.get(key)
        return None if dialog is None else dialog.subscription

    def dialog(self, key: str) -> ListDialog:
        """Give a list that has not ended; KeyError for any other."""
        return self._dialogs[key]

    def begin(self, dialog: ListDialog, flow: Flow) -> None:
        """A list is watched from now on; raises `LimitReached`."""
        watcher = dialog.subscription.watcher.aor
        if self._by_watcher[watcher] >= _MOST_OF_ONE:
            raise LimitReached("lists of one watcher", _MOST_OF_ONE)
        self._by_watcher[watcher] += 1
        self._dialogs[dialog.subscription.key] = dialog
        self.keep(dialog, flow)

    def keep(self, dialog: ListDialog, flow: Flow) -> None:
        """A list is watched until another moment, or by another flow."""
        subscription = dialog.subscription
        self._expiries.keep(subscription)
        for member in dialog.members.values():
            if member.subscription is not None:
                member.subscription.expires_at = subscription.expires_at
        end = partial(self.end, dialog, Happening.UNREACHABLE)
        self.connected.hold(subscription.key, flow, subscription.watcher.aor, end)

    def end(
        self, dialog: ListDialog, happening: Happening, is_told: bool = True
    ) -> None:
        """A list is watched no more; the watcher is told so, if he can and is to be."""
        subscription = dialog.subscription
        tell = subscription.happen(happening)
        if self._dialogs.pop(subscription.key, None) is None:
            return
        subscription.reason = subscription.reason or Reason.TIMEOUT
        watcher = subscription.watcher.aor
        self._by_watcher[watcher] -= 1
        if not self._by_watcher[watcher]:
            del self._by_watcher[watcher]
        self._expiries.drop(subscription)
        self.connected.release(subscription.key)
        if tell is Tell.LAST and is_told:
            self.tell(Notice((subscription,), EMPTY))
        self._end_members(dialog, happening)

    def lost(self, subscription: Subscription, reason: Reason) -> None:
        """The watcher of a list cannot be told any more."""
        dialog = self._dialogs.get(subscription.key)
        if dialog is not None:
            subscription.reason = reason
            self.end(dialog, Happening.UNREACHABLE)

    def expire(self, now: float) -> bool:
        """End some lists whose time is over, and say whether there are more."""
        for subscription in self._expiries.due(now):
            self.end(self._dialogs[subscription.key], Happening.EXPIRED)
        return self._expiries.is_due(now)

    def _end_members(self, dialog: ListDialog, happening: Happening) -> None:
        is_under_way = bool(self._ending)
        for member in dialog.members.values():
            if member.subscription is not None:
                self._ending.append((member.subscription, happening))
        dialog.members.clear()
        dialog.news.clear()
        if not is_under_way:
            self._end_some()

    def _end_some(self) -> None:
        """End members of lists that are over; where they are many, in turns of their own."""
        for _ in range(min(SLICE, len(self._ending))):
            subscription, happening = self._ending.popleft()
            self.agent.end(subscription, happening)
        if self._ending:
            self.soon(self._end_some)
