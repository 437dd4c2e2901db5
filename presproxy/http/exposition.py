"""Our plain numbers as Prometheus reads them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from presproxy.metrics import Counter, Histogram, Metrics, Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "presproxy_"


@attrs.frozen(eq=False)
class _Collector:
    """Hands out what is counted, when somebody asks."""

    metrics: Metrics

    def collect(self) -> Iterator[Metric]:
        """See ``prometheus_client.registry.Collector``."""
        families: dict[str, list[Sample]] = {}
        for sample in self.metrics:
            families.setdefault(sample.name, []).append(sample)
        for name, samples in families.items():
            yield _family(_PREFIX + name, samples)


def exposition(metrics: Metrics) -> bytes:
    """Write all metrics in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(metrics))
    return generate_latest(registry)


def _family(name: str, samples: Sequence[Sample]) -> Metric:
    first = samples[0]
    labels = [label for label, _ in first.labels]
    make = _makers.get(type(first.source), _gauges)
    return make(name, first.help, labels, samples)


def _counters(
    name: str, help: str, labels: Sequence[str], samples: Iterable[Sample]
) -> Metric:
    family = CounterMetricFamily(name, help, labels=labels)
    for sample in samples:
        if isinstance(sample.source, Counter):
            family.add_metric(_values(sample), sample.source.value)
    return family


def _histograms(
    name: str, help: str, labels: Sequence[str], samples: Iterable[Sample]
) -> Metric:
    family = HistogramMetricFamily(name, help, labels=labels)
    for sample in samples:
        if isinstance(sample.source, Histogram):
            family.add_metric(
                _values(sample), _cumulative(sample.source), sample.source.total
            )
    return family


def _gauges(
    name: str, help: str, labels: Sequence[str], samples: Iterable[Sample]
) -> Metric:
    family = GaugeMetricFamily(name, help, labels=labels)
    for sample in samples:
        if callable(sample.source):
            family.add_metric(_values(sample), _read(sample.source))
    return family


def _read(gauge: Callable[[], float]) -> float:
    """Read a gauge; one that cannot be read, such as a plugin's, hides no other."""
    try:
        return float(gauge())
    except Exception:
        return math.nan


_makers: dict[type, Callable[[str, str, Sequence[str], Iterable[Sample]], Metric]] = {
    Counter: _counters,
    Histogram: _histograms,
}


def _values(sample: Sample) -> list[str]:
    return [value for _, value in sample.labels]


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    """Give how many values lay at or below each bound, as Prometheus counts."""
    buckets: list[tuple[str, float]] = []
    seen = 0
    for bound, count in zip((*histogram.bounds, None), histogram.counts, strict=True):
        seen += count
        buckets.append(("+Inf" if bound is None else repr(bound), seen))
    return buckets
