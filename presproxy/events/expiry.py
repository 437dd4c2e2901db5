"""What ends when: expiries of minutes and hours, in buckets of a second."""

from __future__ import annotations

from itertools import islice
from typing import Generic, Protocol, TypeVar

import attrs

#: Things looked at before the reactor breathes.  Chosen: an end costs up to 60 µs where
#: somebody is to be told of it, so these are some ten milliseconds.
SLICE = 200


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

    def due(self, now: float, most: int = SLICE) -> list[T]:
        """
        Take out what has ended by ``now``, the earliest first.

        At most ``most`` things are looked at; `is_due` says whether there are more.
        """
        ended: list[T] = []
        for second in sorted(second for second in self._buckets if second <= now):
            for thing in self._taken(second, most):
                most -= 1
                if thing.expires_at <= now:
                    ended.append(thing)
                else:
                    self._put(thing, int(thing.expires_at) + 1)
            if not most:
                break
        ended.sort(key=lambda thing: thing.expires_at)
        return ended

    def is_due(self, now: float) -> bool:
        """Whether there is something to be looked at."""
        return any(second <= now for second in self._buckets)

    def _taken(self, second: int, most: int) -> list[T]:
        """Take things out of a bucket, those kept first, and the bucket if it is empty."""
        _, things = self._buckets[second]
        taken = list(islice(things, most))
        for thing in taken:
            del things[thing]
            thing.bucket = 0
        if not things:
            del self._buckets[second]
        return taken

    def _put(self, thing: T, second: int) -> None:
        thing.bucket, things = self._buckets.setdefault(second, (second, {}))
        things[thing] = None
