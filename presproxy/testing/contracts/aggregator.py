"""
What an `IAggregator` promises, as tests to subclass.

    class TestAcmeAggregator(AggregatorContract):
        def make(self) -> IAggregator:
            return AcmeAggregator()
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from presproxy.documents.lync.state import (
    Activity,
    Availability,
    StateInput,
    StateKind,
    range_of,
    read_state,
    write_state,
)
from presproxy.interfaces import IAggregator
from presproxy.testing.examples import examples

_NUMBERS = st.sampled_from([0, 1, 3500, 5000, 6500, 7500, 9500, 12500, 15500, 18500])
_ACTIVITIES = st.builds(
    Activity,
    st.sampled_from(["on-the-phone", "in-a-meeting", "x-unheard-of"]),
    minimum=st.none() | _NUMBERS,
    maximum=st.none() | _NUMBERS,
)
_INPUTS = st.lists(
    st.builds(
        StateInput,
        st.sampled_from(list(StateKind)),
        _NUMBERS,
        st.none() | _ACTIVITIES,
        last_active=st.none() | st.integers(0, 100).map(float),
        published_at=st.integers(0, 100).map(float),
    ),
    max_size=5,
    # Which of two said at the same moment counts is anybody's choice.
    unique_by=lambda each: each.published_at,
)


class AggregatorContract(ABC):
    """Tests of everything an aggregator promises."""

    @abstractmethod
    def make(self) -> IAggregator:
        """Make one; two of them are alike."""

    @pytest.fixture
    def aggregator(self) -> IAggregator:
        """One to be asked."""
        return self.make()

    def test_it_provides_the_interface(self, aggregator: IAggregator) -> None:
        assert verifyObject(IAggregator, aggregator)

    def test_it_makes_an_aggregate_that_can_be_written(
        self, aggregator: IAggregator
    ) -> None:
        for inputs in examples(_INPUTS, 200):
            state = aggregator.aggregate(inputs)

            assert state.kind is StateKind.AGGREGATE
            assert read_state(write_state(state)) == state

    def test_it_writes_no_number_that_clients_take_for_another(
        self, aggregator: IAggregator
    ) -> None:
        numbers = {
            aggregator.aggregate(inputs).availability
            for inputs in examples(_INPUTS, 200)
        }

        assert min(numbers) >= Availability.AVAILABLE

    def test_where_nothing_is_said_nobody_is_there(
        self, aggregator: IAggregator
    ) -> None:
        state = aggregator.aggregate(())

        assert range_of(state.availability) is Availability.OFFLINE

    def test_the_order_says_nothing(self, aggregator: IAggregator) -> None:
        for inputs in examples(_INPUTS, 200):
            assert aggregator.aggregate(inputs) == aggregator.aggregate(inputs[::-1])

    def test_the_same_is_made_of_the_same(self, aggregator: IAggregator) -> None:
        for inputs in examples(_INPUTS, 100):
            assert aggregator.aggregate(inputs) == self.make().aggregate(tuple(inputs))
