"""What ends when: expiries of minutes and hours, in buckets of a second."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import attrs


class Expiring(Protocol):
    """
    What ends at a moment on the wall clock.

    ``bucket`` is ours: the second under which the thing is kept, 0 while it is not.
    """

    expires_at: float
    bucket: int


T = TypeVar("T", bound=Expiring)


@attrs.define(eq=False)
class Expiries(Generic[T]):
    """
    Things by the second in which they end.

    A thing whose end moves on stays where it is, and is moved when its old second comes:
    a refresh costs a comparison.
    """

    #: By their seconds; each holds its own, so that all in it share one number, and a
    #: dictionary without values, which is half the size of a set.
    _buckets: dict[int, tuple[int, dict[T, None]]] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return sum(len(things) for _, things in self._buckets.values())

    def keep(self, thing: T) -> None:
        """Keep a thing, new or with another end."""
        second = int(thing.expires_at) + 1
        if thing.bucket:
            if second >= thing.bucket:
                return
            self.drop(thing)
        self._put(thing, second)

    def drop(self, thing: T) -> None:
        """Forget a thing; one that is not kept is no mistake."""
        if thing.bucket in self._buckets:
            second, things = self._buckets[thing.bucket]
            things.pop(thing, None)
            if not things:
                del self._buckets[second]
        thing.bucket = 0

    def due(self, now: float) -> list[T]:
        """Take out all that has ended by ``now``, the earliest first."""
        ended: list[T] = []
        for second in sorted(second for second in self._buckets if second <= now):
            _, things = self._buckets.pop(second)
            for thing in things:
                thing.bucket = 0
                if thing.expires_at <= now:
                    ended.append(thing)
                else:
                    self._put(thing, int(thing.expires_at) + 1)
        ended.sort(key=lambda thing: thing.expires_at)
        return ended

    def _put(self, thing: T, second: int) -> None:
        thing.bucket, things = self._buckets.setdefault(second, (second, {}))
        things[thing] = None
