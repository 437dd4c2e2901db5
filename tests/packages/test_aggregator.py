from __future__ import annotations

from presproxy.interfaces import IAggregator
from presproxy.packages.aggregator import StandardAggregator
from presproxy.testing.contracts.aggregator import AggregatorContract


class TestStandardAggregator(AggregatorContract):
    def make(self) -> IAggregator:
        return StandardAggregator()
