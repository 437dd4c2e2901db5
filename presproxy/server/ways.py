"""
The ways to registered contacts, and the names that flows have in a Record-Route.

A stream leads to whoever opened it, and to nobody else after it is closed, though another
may come from the same address and port.  So it is known by itself, and by a number that
is used once, together with a word for this run of the process: names outlive it, and lead
nowhere then.  A datagram leads to an address at any time, also after a start.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from itertools import count

import attrs

from presproxy.errors import PresproxyError
from presproxy.events.locations import Binding
from presproxy.proxying.branches import Target
from presproxy.sip.flow import Address, Flow
from presproxy.sip.uri import AddressOfRecord, as_request_uri

_DATAGRAM = "udp:"

#: Streams that are remembered after their end.  Chosen: calls that are up when a network
#: fails, and their phones come again.
_REMEMBERED = 10_000


@attrs.define(eq=False)
class _Stream:
    """
    A stream that is open, its number, and the users who have registered by it.

    Each has the URN of his user agent, empty if it told none.
    """

    flow: Flow
    number: int
    users: dict[AddressOfRecord, str] = attrs.field(factory=dict)


#: Told of a user, an instance of his, the names of the flows it had, and the new one.
Registered = Callable[[AddressOfRecord, str, Collection[str], Flow], None]


def _nobody(
    aor: AddressOfRecord, instance: str, former: Collection[str], flow: Flow
) -> None:
    """Tell nobody."""


@attrs.define(eq=False)
class Ways:
    """
    Knows the flows to user agents; ``datagrams_to`` gives the one to an address.

    ``run`` is a word that no other process has, before or beside this one.
    """

    datagrams_to: Callable[[Address], Awaitable[Flow]]
    run: str
    #: Told of each instance that registers.
    tell: Registered = _nobody
    _streams: dict[Flow, _Stream] = attrs.field(factory=dict, init=False)
    _by_number: dict[int, _Stream] = attrs.field(factory=dict, init=False)
    _by_text: dict[str, _Stream] = attrs.field(factory=dict, init=False)
    _by_instance: dict[tuple[AddressOfRecord, str], _Stream] = attrs.field(
        factory=dict, init=False
    )
    #: Of streams that are closed: which instances had registered by them.
    _left: OrderedDict[int, Mapping[AddressOfRecord, str]] = attrs.field(
        factory=OrderedDict, init=False
    )
    _numbers: count[int] = attrs.field(factory=lambda: count(1), init=False)

    def __len__(self) -> int:
        return len(self._streams)

    def registered(
        self,
        aor: AddressOfRecord,
        flow: Flow,
        instance: str = "",
        former: Collection[str] = (),
    ) -> None:
        """
        A user of ours registered by this flow.

        ``instance`` is his user agent, if it says so; the flow takes the place of the
        ``former`` ones.
        """
        if flow.reliable and flow.is_open:
            stream = self._stream(flow)
            stream.users[aor] = instance
            self._by_text[str(flow)] = stream
            if instance:
                self._by_instance[aor, instance] = stream
        if instance:
            self.tell(aor, instance, former, flow)

    def instance(self, aor: AddressOfRecord, flow: Flow) -> str:
        """Give the instance of a user that registered by a stream; empty for none."""
        stream = self._streams.get(flow)
        return "" if stream is None else stream.users.get(aor, "")

    def of_instance(self, aor: AddressOfRecord, instance: str) -> Flow | None:
        """Give the latest stream that an instance of a user's registered by."""
        return _open(self._by_instance.get((aor, instance)))

    def name(self, flow: Flow) -> str:
        """Name a flow, for `named` to find it again."""
        return f"{self.run}.{self._stream(flow).number}" if flow.reliable else str(flow)

    async def named(self, name: str) -> Flow | None:
        """Give the flow of a name; None if it is closed, or leads nowhere now."""
        if name.startswith(_DATAGRAM):
            return await self._datagrams(name)
        number = self._number(name)
        return None if number is None else _open(self._by_number.get(number))

    def successor(self, name: str, aor: AddressOfRecord) -> Flow | None:
        """
        Give the stream that a user's instance has now, if the one of that name is closed.

        None if he had not registered by it, or has not come again.
        """
        number = self._number(name)
        instance = None if number is None else self._left.get(number, {}).get(aor)
        return self.of_instance(aor, instance) if instance else None

    def _number(self, name: str) -> int | None:
        """Read the number of a stream of this run; None for any other name."""
        run, _, number = name.partition(".")
        return int(number) if run == self.run and number.isdecimal() else None

    async def target(self, aor: AddressOfRecord, binding: Binding) -> Target:
        """Give a contact of a user as a target, with the flow it registered by."""
        if binding.flow.startswith(_DATAGRAM):
            flow = await self._datagrams(binding.flow)
        else:
            stream = self._by_text.get(binding.flow)
            flow = _open(stream) if stream and aor in stream.users else None
        name = "" if flow is None else self.name(flow)
        uri = as_request_uri(binding.uri)
        return Target(uri, flow, name, binding.path, binding.q)

    def _stream(self, flow: Flow) -> _Stream:
        stream = self._streams.get(flow)
        if stream is None:
            stream = _Stream(flow, next(self._numbers))
            self._streams[flow] = self._by_number[stream.number] = stream
            flow.when_closed(lambda: self._closed(stream))
        return stream

    def _closed(self, stream: _Stream) -> None:
        self._streams.pop(stream.flow, None)
        self._by_number.pop(stream.number, None)
        for key in stream.users.items():
            if self._by_instance.get(key) is stream:
                del self._by_instance[key]
        if any(stream.users.values()):
            self._left[stream.number] = stream.users
            if len(self._left) > _REMEMBERED:
                self._left.popitem(last=False)
        text = str(stream.flow)
        if self._by_text.get(text) is stream:
            del self._by_text[text]

    async def _datagrams(self, text: str) -> Flow | None:
        host, _, port = text.removeprefix(_DATAGRAM).rpartition(":")
        try:
            return await self.datagrams_to((host, int(port)))
        except (PresproxyError, ValueError):
            # Nothing of ours leads to such an address any more.
            return None


def _open(stream: _Stream | None) -> Flow | None:
    return stream.flow if stream is not None and stream.flow.is_open else None
