"""An aggregator that tells how available somebody is, and never what for."""

import attrs
from zope.interface import implementer

from presproxy.documents.lync.aggregation import aggregate
from presproxy.documents.lync.state import StateInput
from presproxy.extend.maker import PluginMaker
from presproxy.interfaces import IAggregator

maker = PluginMaker(
    "aggregator", "discreet", "discreet:Discreet", "Tells numbers, and no activities."
)


@implementer(IAggregator)
@attrs.frozen
class Discreet:
    """The rules that come with presproxy, without what they say of activities."""

    def aggregate(self, inputs):
        state = aggregate(inputs)
        return StateInput(
            state.kind, state.availability, published_at=state.published_at
        )
