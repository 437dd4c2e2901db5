"""Whether something grows: a line through what was seen, and a bound for its slope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, linear_regression

import attrs

from bench.tables import Sample

#: What the first part of a soak is for: to reach what then must not grow.
_SETTLING = 0.25

#: How much of its mean something may grow over the rest, and by how many at least: what
#: is few by nature is mostly chance.
_GROWTH, _FEW = 0.03, 40.0

#: Records are swept every five minutes, so that less than some sweeps show a saw's teeth.
_SWEEPS = 1200.0

_MEGABYTE = float(2**20)


@attrs.frozen
class Course:
    """
    One series: its mean, and by how much the line through it rises, from end to end.

    ``bound`` is what it may; None when the soak was too short to tell.
    """

    name: str
    mean: float
    growth: float
    bound: float | None

    @property
    def is_flat(self) -> bool:
        """Whether it grew by no more than it may."""
        return self.bound is None or self.growth <= self.bound


def courses_of(samples: Sequence[Sample], begin: float, end: float) -> list[Course]:
    """Give all series of a soak that was measured from ``begin`` to ``end``."""
    settled = begin + (end - begin) * _SETTLING
    seen = [sample for sample in samples if settled <= sample.at <= end]
    if len(seen) < 3:
        return []
    names = [name for name in seen[0].tables if any(one.tables[name] for one in seen)]
    are_swept = end - settled >= _SWEEPS
    return [
        course_of("memory", seen, lambda one: one.memory, _MEGABYTE),
        course_of("files", seen, lambda one: one.files, _FEW),
        course_of("threads", seen, lambda one: one.threads, 1.0),
        *(course_of(name, seen, _table(name), _few(name)) for name in names),
        course_of("records", seen, lambda one: one.records, _FEW, is_told=are_swept),
        course_of("stored", seen, lambda one: one.stored, _MEGABYTE, is_told=are_swept),
    ]


def course_of(
    name: str,
    seen: Sequence[Sample],
    value: Callable[[Sample], float],
    few: float,
    *,
    is_told: bool = True,
) -> Course:
    """Put a line through one series, and give its rise over all of it."""
    times = [sample.at for sample in seen]
    values = [float(value(sample)) for sample in seen]
    slope = linear_regression(times, values).slope
    mean = fmean(values)
    bound = max(_GROWTH * mean, few) if is_told else None
    return Course(name, mean, slope * (times[-1] - times[0]), bound)


def _few(name: str) -> float:
    return _MEGABYTE if "octets" in name else _FEW


def _table(name: str) -> Callable[[Sample], float]:
    return lambda sample: sample.tables[name]
