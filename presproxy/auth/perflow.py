"""What is known of a connection, for as long as it lasts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from presproxy.sip.flow import Flow

_T = TypeVar("_T")


@attrs.define(eq=False)
class PerFlow(Generic[_T]):
    """
    One thing for each flow, at most; it goes with the flow.

    So there are never more than connections.  Not for datagrams, which have no end.
    """

    _kept: dict[Flow, tuple[_T, Callable[[], None]]] = attrs.field(
        init=False, factory=dict
    )

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, flow: Flow) -> _T | None:
        """Give what is kept for a flow."""
        kept = self._kept.get(flow)
        return None if kept is None else kept[0]

    def put(self, flow: Flow, thing: _T) -> None:
        """Keep this in place of what there was."""
        kept = self._kept.get(flow)
        if kept is None:
            take_back = flow.when_closed(lambda: self._forget(flow))
        else:
            take_back = kept[1]
        self._kept[flow] = (thing, take_back)

    def pop(self, flow: Flow) -> _T | None:
        """Give what is kept, and keep it no more."""
        kept = self._kept.pop(flow, None)
        if kept is None:
            return None
        kept[1]()
        return kept[0]

    def clear(self) -> None:
        """Keep nothing more of anybody."""
        for flow in tuple(self._kept):
            self.pop(flow)

    def _forget(self, flow: Flow) -> None:
        self._kept.pop(flow, None)
