"""The aggregator that is there when nobody wants another."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from zope.interface import implementer

from presproxy.documents.lync.aggregation import aggregate
from presproxy.documents.lync.state import StateInput
from presproxy.interfaces import IAggregator


@implementer(IAggregator)
@attrs.frozen
class StandardAggregator:
    """Aggregates as Lync's documentation shows it."""

    def aggregate(self, inputs: Sequence[StateInput]) -> StateInput:
        """Make one state of all; `presproxy.documents.lync.aggregation` has the rules."""
        return aggregate(inputs)
