"""Aggregators: one availability of many states."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zope.interface import Interface

from presproxy.documents.lync.categories import Category
from presproxy.documents.lync.state import StateInput
from presproxy.interfaces.material import Material
from presproxy.interfaces.packages import IEventPackage


class IAggregator(Interface):
    """
    Makes one state of all that a user's endpoints, calendar and phone say of him.

    Pure: no waiting, no clock, no memory of earlier calls.
    """

    def aggregate(inputs: Sequence[StateInput]) -> StateInput:
        """
        Make the state that watchers see, of the kind ``aggregateState``.

        The order of ``inputs`` says nothing; there may be none.  Equal inputs make equal
        states.  When it raises, watchers keep the last state.
        """


class IAggregating(Interface):
    """
    An event package that shows one state made of many.

    Provided by an `IEventPackage` beside it; asked for once at the start.
    """

    def aggregated_by(
        aggregate: Callable[[Sequence[StateInput]], StateInput],
    ) -> IEventPackage:
        """Give a package like this one, which has its states made by ``aggregate``."""

    def aggregates(material: Material) -> Sequence[Category]:
        """
        Give the states made of all there is, as their owner is shown them.

        They are the server's publications of the category ``state``, one for each
        container that has one ([MS-PRES] 1.3.1.5).
        """
