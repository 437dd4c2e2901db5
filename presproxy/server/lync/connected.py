"""
What lives as long as a connection.

The server never opens a connection to a Lync client: what such a client has subscribed to
ends with the connection that it came by, or with the endpoint that it was for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from presproxy.sip.flow import Flow
from presproxy.sip.uri import AddressOfRecord


@attrs.define(eq=False)
class _Held:
    watcher: AddressOfRecord
    end: Callable[[], None]


@attrs.define(eq=False)
class _Connection:
    """All that is held by one flow, by key."""

    take_back: Callable[[], None]
    held: dict[str, _Held] = attrs.field(factory=dict)


@attrs.define(eq=False)
class Connected:
    """Dialogs by the flows that they end with; those by datagrams end with none."""

    _flows: dict[Flow, _Connection] = attrs.field(factory=dict)
    _by_key: dict[str, Flow] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._by_key)

    def hold(
        self, key: str, flow: Flow, watcher: AddressOfRecord, end: Callable[[], None]
    ) -> None:
        """Call ``end`` once a flow is gone; a later one takes the place of a former."""
        if self._by_key.get(key) is flow:
            return
        self.release(key)
        if not flow.reliable:
            return
        connection = self._flows.get(flow)
        if connection is None:
            connection = _Connection(flow.when_closed(partial(self._closed, flow)))
            self._flows[flow] = connection
        connection.held[key] = _Held(watcher, end)
        self._by_key[key] = flow

    def release(self, key: str) -> None:
        """Hold something no more, which has ended by itself; what is not held is no mistake."""
        flow = self._by_key.pop(key, None)
        if flow is None:
            return
        connection = self._flows[flow]
        del connection.held[key]
        if not connection.held:
            del self._flows[flow]
            connection.take_back()

    def end_of(self, flow: Flow, watcher: AddressOfRecord) -> None:
        """An endpoint is over: end what its user has by this flow."""
        connection = self._flows.get(flow)
        if connection is not None:
            held = connection.held.items()
            self._end([key for key, each in held if each.watcher == watcher], flow)

    def _closed(self, flow: Flow) -> None:
        connection = self._flows.get(flow)
        if connection is not None:
            self._end(list(connection.held), flow)

    def _end(self, keys: list[str], flow: Flow) -> None:
        for key in keys:
            connection = self._flows.get(flow)
            held = None if connection is None else connection.held.get(key)
            if held is not None:
                self.release(key)
                held.end()
