"""
From one state to notices: views, content types, slices.

A change is told in slices of a bounded number of watchers, between which the reactor
breathes.  The body is looked up when its slice's turn comes, so a slice always tells the
latest state; a change that comes in between sends only those slices again that had been
told already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

import attrs
from twisted.logger import Logger

from presproxy.events.resource import Resource
from presproxy.extend.guard import PluginFailed
from presproxy.interfaces import INotifier
from presproxy.metrics import Counter
from presproxy.model.decision import NEUTRAL, View
from presproxy.model.notice import Notice
from presproxy.model.subscription import State, Subscription

_log = Logger()

#: Watchers told before the reactor is let breathe: about five milliseconds of work.
SLICE = 500


@attrs.define(eq=False)
class _Slice:
    """Some watchers of one resource who are told the same."""

    resource: Resource
    notifier: str
    view: View
    content_type: str
    subscriptions: list[Subscription]

    def still_meant(self) -> list[Subscription]:
        """Leave out those who ended or see something else since the slice was cut."""
        return [
            each
            for each in self.subscriptions
            if each.state is State.ACTIVE and each.view == self.view
        ]


@attrs.define(eq=False)
class FanOut:
    """
    Hands notices to notifiers.

    ``soon`` calls a function in the reactor's next turn.  What a notifier raises is
    counted and logged, and the others are told all the same.
    """

    notifiers: Mapping[str, INotifier]
    soon: Callable[[Callable[[], None]], None]
    failures: Counter
    _waiting: deque[_Slice] = attrs.field(factory=deque)
    _told: dict[Resource, list[_Slice]] = attrs.field(factory=dict)
    _is_coming: bool = False

    def __len__(self) -> int:
        return len(self._waiting)

    def tell(self, resource: Resource) -> None:
        """Tell all active watchers of a resource its present state."""
        if resource in self._told:
            # Under way: what still waits will tell the new state anyway.
            self._waiting.extend(self._told[resource])
            self._told[resource] = []
            return
        slices = self._cut(resource)
        if len(slices) > 1 or self._waiting:
            self._told[resource] = []
            self._waiting.extend(slices)
            self._come_again()
            return
        for each in slices:
            self._hand_over(each)

    def tell_one(self, resource: Resource, subscription: Subscription) -> None:
        """Tell one watcher the present state, whatever his subscription's state is."""
        try:
            body = resource.body(subscription.view, subscription.content_type)
        except PluginFailed:
            # Counted and logged by its guard; he is told of the next change.
            return
        self._notify(subscription.notifier, Notice((subscription,), body))

    def _cut(self, resource: Resource) -> list[_Slice]:
        groups: dict[tuple[str, View, str], _Slice] = {}
        slices: list[_Slice] = []
        for each in resource.subscriptions.values():
            if each.state is not State.ACTIVE:
                continue
            key = (each.notifier, each.view, each.content_type)
            current = groups.get(key)
            if current is None or len(current.subscriptions) >= SLICE:
                current = groups[key] = _Slice(resource, *key, [])
                slices.append(current)
            current.subscriptions.append(each)
        # The neutral view is the same always: a NOTIFY would tell who is politely blocked
        # that something has changed.
        return [each for each in slices if each.view != NEUTRAL]

    def _come_again(self) -> None:
        if not self._is_coming:
            self._is_coming = True
            self.soon(self._turn)

    def _turn(self) -> None:
        self._is_coming = False
        if not self._waiting:
            return
        each = self._waiting.popleft()
        self._hand_over(each)
        self._told[each.resource].append(each)
        if self._waiting:
            self._come_again()
        else:
            self._told.clear()

    def _hand_over(self, each: _Slice) -> None:
        meant = each.still_meant()
        if not meant:
            return
        resource = each.resource
        try:
            body = resource.body(each.view, each.content_type)
        except PluginFailed:
            return
        self._notify(each.notifier, Notice(meant, body, resource.changed_at))

    def _notify(self, name: str, notice: Notice) -> None:
        try:
            self.notifiers[name].notify(notice)
        except Exception:
            self.failures.value += 1
            if self.failures.value & (self.failures.value - 1) == 0:
                # One line each time the number has doubled: bounded, and never silent.
                _log.failure("The notifier {name} failed", name=name)
