"""
Plain numbers, counted in place.

Whoever counts holds a `Counter` or a `Histogram` and adds to it; a collector elsewhere
reads them when somebody asks.  Nothing here knows Prometheus or a clock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

import attrs

#: Seconds; chosen to tell a NOTIFY on the loopback (under a millisecond) from one that
#: waited for a retransmission (half a second and more).
LATENCIES = (
    0.0005,
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    32.0,
)

Labels = tuple[tuple[str, str], ...]


@attrs.define(eq=False)
class Counter:
    """A number that only rises.  Add to ``value`` in place."""

    value: int = 0


def has_doubled(count: int) -> bool:
    """
    Whether a count of what goes wrong is 1, 2, 4, 8 and so on.

    A line in the log each time says it early and cannot fill a disk.
    """
    return count & (count - 1) == 0


@attrs.define(eq=False)
class Histogram:
    """How often a value fell between two bounds."""

    bounds: tuple[float, ...] = LATENCIES
    counts: list[int] = attrs.field()
    total: float = 0.0

    @counts.default
    def _none_yet(self) -> list[int]:
        return [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@attrs.frozen
class Sample:
    """One metric as it stands: its name without prefix, help, labels, and what holds its value."""

    name: str
    help: str
    labels: Labels
    source: Counter | Histogram | Callable[[], float]


@attrs.define(eq=False)
class Metrics:
    """
    All that is counted, by name and labels.

    The same name and labels give the same counter.  The number of metrics is bounded:
    labels must never come from the wire.
    """

    _samples: dict[tuple[str, Labels], Sample] = attrs.field(factory=dict)

    def counter(self, name: str, help: str, /, **labels: str) -> Counter:
        """Give the counter of this name and these labels."""
        sample = self._sample(name, help, labels, Counter)
        if not isinstance(sample.source, Counter):
            raise TypeError(f"{name} is not a counter")
        return sample.source

    def histogram(self, name: str, help: str, /, **labels: str) -> Histogram:
        """Give the histogram of this name and these labels, in seconds."""
        sample = self._sample(name, help, labels, Histogram)
        if not isinstance(sample.source, Histogram):
            raise TypeError(f"{name} is not a histogram")
        return sample.source

    def gauge(
        self, name: str, help: str, read: Callable[[], float], /, **labels: str
    ) -> None:
        """Name a function which tells how much there is now."""
        key = (name, tuple(sorted(labels.items())))
        self._samples[key] = Sample(name, help, key[1], read)

    def __iter__(self) -> Iterator[Sample]:
        return iter(tuple(self._samples.values()))

    def _sample(
        self,
        name: str,
        help: str,
        labels: Mapping[str, str],
        make: Callable[[], Counter | Histogram],
    ) -> Sample:
        key = (name, tuple(sorted(labels.items())))
        sample = self._samples.get(key)
        if sample is None:
            sample = self._samples[key] = Sample(name, help, key[1], make())
        return sample
