"""The aggregator, put into the event packages that make one state of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from presproxy.documents.lync.state import StateInput
from presproxy.extend.guard import Guard
from presproxy.interfaces import IAggregating, IAggregator, IEventPackage


def aggregating(
    packages: Mapping[str, IEventPackage], aggregator: Guard[IAggregator]
) -> Mapping[str, IEventPackage]:
    """Give the packages by name, each with the aggregator if it has a use for one."""

    def aggregate(inputs: Sequence[StateInput]) -> StateInput:
        return aggregator.tell(aggregator.plugin.aggregate, inputs)

    return {
        name: package.aggregated_by(aggregate)
        if IAggregating.providedBy(package)
        else package
        for name, package in packages.items()
    }
