"""
From one state to notices: views, content types, slices.

Watchers are told in slices, and of these a bounded number in one turn of the reactor.
Who is in a slice, and what they are told, is looked up when its turn comes, so that a
slice always tells the latest state.  A change that comes in between is told in one more
round, in which whoever was told it already is passed over.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs
from twisted.logger import Logger

from presproxy.events.resource import Resource
from presproxy.extend.guard import PluginFailed
from presproxy.interfaces import INotifier
from presproxy.metrics import Counter, has_doubled
from presproxy.model.decision import NEUTRAL, View
from presproxy.model.notice import EMPTY, Body, Notice, NumberedBody
from presproxy.model.subscription import State, Subscription

_log = Logger()

# To look it up in its enumeration takes ten times as long before Python 3.12.
_ACTIVE = State.ACTIVE

#: Watchers told before the reactor breathes: three to five milliseconds of work.
SLICE = 500

#: Where that takes longer, fewer are: seconds, and how few at the least.  Chosen: what
#: else waits for the reactor notices no less.
LONGEST = 0.005
FEWEST = 20


@attrs.define(eq=False)
class _Group:
    """Some watchers of one resource who are told the same."""

    notifier: str
    view: View
    content_type: str
    subscriptions: list[Subscription]

    def fits(self, subscription: Subscription) -> bool:
        """Whether one more watcher is told the same."""
        return (
            (subscription.view is self.view or subscription.view == self.view)
            and subscription.content_type == self.content_type
            and subscription.notifier == self.notifier
        )

    def untold(self, body: Body | NumberedBody) -> list[Subscription]:
        """Leave out who was told this already, or ended just now."""
        return [
            each
            for each in self.subscriptions
            if each.shown is not body and each.state is _ACTIVE and each.shown != body
        ]


@attrs.define(eq=False)
class _Round:
    """One telling of a resource's watchers, which may take several turns."""

    watchers: Sequence[Subscription]
    changed_at: float
    #: How many of them had their turn.
    done: int = 0
    #: When the change was asked for that wants another round, None if there is none.
    again_for: float | None = None

    @property
    def left(self) -> int:
        """How many did not have their turn yet."""
        return len(self.watchers) - self.done

    def take(self, size: int) -> Sequence[Subscription]:
        """Give those whose turn it is."""
        taken = self.watchers[self.done : self.done + size]
        self.done += len(taken)
        return taken


@attrs.define(eq=False)
class FanOut:
    """
    Hands notices to notifiers.

    ``soon`` calls a function in the reactor's next turn; at most ``size`` watchers are
    told in one, or as many as `LONGEST` allows by ``ticks``.  What a notifier raises is
    counted and logged, and the others are told all the same.
    """

    notifiers: Mapping[str, INotifier]
    soon: Callable[[Callable[[], None]], object]
    ticks: Callable[[], float]
    failures: Counter
    size: int = SLICE
    #: As many as seem to be told in time.
    _fitting: int = attrs.field(init=False)
    #: The next one's turn comes first.
    _rounds: OrderedDict[Resource, _Round] = attrs.field(factory=OrderedDict)
    _is_coming: bool = False

    @_fitting.default
    def _hope_for_all(self) -> int:
        return self.size

    def __len__(self) -> int:
        """How many slices wait, if they are as large as can be."""
        return sum(-(-each.left // self.size) for each in self._rounds.values())

    @property
    def is_under_way(self) -> bool:
        """Whether watchers wait for a turn to come."""
        return self._is_coming

    def tell(self, resource: Resource, changed_at: float) -> None:
        """
        Tell the present state to all active watchers who were not told it yet.

        ``changed_at`` is when the change was asked for, on the clock of latencies.  It
        begins with `go_on`, or in its turn after what is under way.
        """
        under_way = self._rounds.get(resource)
        if under_way is None:
            watchers = tuple(resource.subscriptions.values())
            if watchers:
                self._rounds[resource] = _Round(watchers, changed_at)
        elif under_way.again_for is None:
            # What still waits will tell the new state, but somebody had his turn.
            under_way.again_for = changed_at

    def go_on(self) -> None:
        """Tell what waits, if nothing else is under way; the rest in turns of its own."""
        if not self._is_coming:
            self._turn()

    def tell_one(self, resource: Resource, subscription: Subscription) -> None:
        """
        Tell one watcher the present state, whatever his subscription's state is.

        A notification must follow each SUBSCRIBE (RFC 6665 §4.2.1.2): where the package
        fails, it has no body.
        """
        try:
            body = resource.showing(subscription.view, subscription.content_type)
        except PluginFailed:
            # Counted and logged by its guard.
            body = EMPTY
        self._notify(subscription.notifier, (subscription,), body, 0.0)

    def _turn(self) -> None:
        self._is_coming = False
        began = self.ticks()
        left = self._fitting
        try:
            while self._rounds and left > 0:
                left -= self._tell_a_slice(left)
        finally:
            self._learn(self._fitting - left, self.ticks() - began)
            if self._rounds:
                self._is_coming = True
                self.soon(self._turn)

    def _learn(self, told: int, took: float) -> None:
        """Choose how many are told in the next turn by how long it took to tell some."""
        if told:
            fit = int(told * LONGEST / took) if took > 0 else self.size
            self._fitting = max(FEWEST, min(fit, 2 * self._fitting, self.size))

    def _tell_a_slice(self, size: int) -> int:
        """Tell one slice, and say how many it was; then it is the next resource's."""
        resource, round_ = self._rounds.popitem(last=False)
        watchers = round_.take(size)
        if round_.left:
            self._rounds[resource] = round_
        elif round_.again_for is not None:
            self.tell(resource, round_.again_for)
        for group in _grouped(watchers):
            self._tell_a_group(resource, group, round_.changed_at)
        return len(watchers)

    def _tell_a_group(
        self, resource: Resource, group: _Group, changed_at: float
    ) -> None:
        if not resource.subscriptions:
            return
        try:
            body = resource.body(group.view, group.content_type)
        except PluginFailed:
            # They keep what they were told last.
            return
        untold = group.untold(body)
        if untold:
            self._notify(group.notifier, untold, body, changed_at)

    def _notify(
        self,
        name: str,
        subscriptions: Sequence[Subscription],
        body: Body | NumberedBody,
        changed_at: float,
    ) -> None:
        try:
            self.notifiers[name].notify(Notice(subscriptions, body, changed_at))
        except Exception:
            self.failures.value += 1
            if has_doubled(self.failures.value):
                # One line each time the number has doubled: bounded, and never silent.
                _log.failure("The notifier {name} failed", name=name)
            return
        for each in subscriptions:
            each.shown = body


def _grouped(watchers: Iterable[Subscription]) -> Iterable[_Group]:
    """
    Group the watchers who are told of a change, by what they are told.

    The neutral view is the same always: a NOTIFY would tell who is politely blocked that
    something has changed.
    """
    groups: dict[tuple[str, View, str], _Group] = {}
    current: _Group | None = None
    for each in watchers:
        if each.state is not _ACTIVE or each.view == NEUTRAL:
            continue
        if current is None or not current.fits(each):
            key = (each.notifier, each.view, each.content_type)
            current = groups.get(key)
            if current is None:
                current = groups[key] = _Group(*key, [])
        current.subscriptions.append(each)
    return groups.values()
