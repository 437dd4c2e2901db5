"""
From one state to notices: views, content types, slices.

Watchers are told in slices, and of these a bounded number in one turn of the reactor.
The body is looked up when its slice's turn comes, so that a slice always tells the latest
state.  A change that comes in between is told in one more round, in which whoever was
told it already is passed over.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence

import attrs
from twisted.logger import Logger

from presproxy.events.resource import Resource
from presproxy.extend.guard import PluginFailed
from presproxy.interfaces import INotifier
from presproxy.metrics import Counter
from presproxy.model.decision import NEUTRAL, View
from presproxy.model.notice import EMPTY, Body, Notice, NumberedBody
from presproxy.model.subscription import State, Subscription

_log = Logger()

#: Watchers told before the reactor breathes: about five milliseconds of work.
SLICE = 500


@attrs.define(eq=False)
class _Slice:
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

    def still_meant(self, body: Body | NumberedBody) -> list[Subscription]:
        """Leave out who ended, sees something else now, or was told this already."""
        view = self.view
        return [
            each
            for each in self.subscriptions
            if each.shown is not body
            and each.state is State.ACTIVE
            and (each.view is view or each.view == view)
            and each.shown != body
        ]


@attrs.define(eq=False)
class _Round:
    """One telling of a resource's watchers, which may take several turns."""

    slices: deque[_Slice]
    changed_at: float
    #: When the change was asked for that wants another round, None if there is none.
    again_for: float | None = None


@attrs.define(eq=False)
class FanOut:
    """
    Hands notices to notifiers.

    ``soon`` calls a function in the reactor's next turn; about ``size`` watchers are told
    in one.  What a notifier raises is counted and logged, and the others are told all the
    same.
    """

    notifiers: Mapping[str, INotifier]
    soon: Callable[[Callable[[], None]], object]
    failures: Counter
    size: int = SLICE
    #: The next one's turn comes first.
    _rounds: OrderedDict[Resource, _Round] = attrs.field(factory=OrderedDict)
    _is_coming: bool = False

    def __len__(self) -> int:
        return sum(len(each.slices) for each in self._rounds.values())

    def tell(self, resource: Resource, changed_at: float) -> None:
        """
        Tell the present state to all active watchers who were not told it yet.

        ``changed_at`` is when the change was asked for, on the clock of latencies.  It
        begins with `go_on`, or in its turn after what is under way.
        """
        under_way = self._rounds.get(resource)
        if under_way is None:
            slices = _cut(resource, self.size)
            if slices:
                self._rounds[resource] = _Round(slices, changed_at)
        elif under_way.again_for is None:
            # What still waits will tell the new state, but somebody may be in no slice.
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
        told = 0
        try:
            while self._rounds and told < self.size:
                told += self._tell_a_slice()
        finally:
            if self._rounds:
                self._is_coming = True
                self.soon(self._turn)

    def _tell_a_slice(self) -> int:
        """Tell one slice, and say how many that were; then it is the next resource's."""
        resource, round_ = self._rounds.popitem(last=False)
        slice_ = round_.slices.popleft()
        if round_.slices:
            self._rounds[resource] = round_
        elif round_.again_for is not None:
            self.tell(resource, round_.again_for)
        if not resource.subscriptions:
            return 0
        try:
            body = resource.body(slice_.view, slice_.content_type)
        except PluginFailed:
            # They keep what they were told last.
            return 0
        meant = slice_.still_meant(body)
        if meant:
            self._notify(slice_.notifier, meant, body, round_.changed_at)
        return len(meant)

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
            if self.failures.value & (self.failures.value - 1) == 0:
                # One line each time the number has doubled: bounded, and never silent.
                _log.failure("The notifier {name} failed", name=name)
            return
        for each in subscriptions:
            each.shown = body


def _cut(resource: Resource, size: int) -> deque[_Slice]:
    """
    Group the watchers who are told of a change, by what they are told.

    Of a group at most ``size`` are in one slice.

    The neutral view is the same always: a NOTIFY would tell who is politely blocked that
    something has changed.
    """
    groups: dict[tuple[str, View, str], _Slice] = {}
    slices: deque[_Slice] = deque()
    current: _Slice | None = None
    for each in resource.subscriptions.values():
        if each.state is not State.ACTIVE or each.view == NEUTRAL:
            continue
        if current is None or not current.fits(each):
            current = groups.get((each.notifier, each.view, each.content_type))
        if current is None or len(current.subscriptions) >= size:
            key = (each.notifier, each.view, each.content_type)
            current = groups[key] = _Slice(*key, [])
            slices.append(current)
        current.subscriptions.append(each)
    return slices
