"""
A server behind us: the hops that lead to it, and which of them are there.

What RFC 3263 finds for its URI is tried in its order; a hop that failed rests for a
while, or as long as nothing answers there while it is probed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

import attrs
from twisted.logger import Logger

from presproxy.errors import LimitReached, MalformedField, PresproxyError
from presproxy.proxying.branches import Target
from presproxy.proxying.inspect import NotForwarded
from presproxy.server.answer import RETRY_AFTER
from presproxy.sip.fields import parse_name_address
from presproxy.sip.flow import Flow
from presproxy.sip.uri import SipURI, parse_uri
from presproxy.transport.ends import is_literal
from presproxy.transport.hop import Hop, Unreachable, for_large

_log = Logger()

#: Seconds that a hop may be asked to be left alone by Retry-After, at the most: it may be
#: somebody's behind it who says so.
_LONGEST_REST = 60.0

#: When the rest ends of one that is probed: not by itself.
_PROBED = float("inf")

#: Where others live, too.
_SHARED = ("127.0.0.1", "::1")


@attrs.frozen(eq=False)
class Away(PresproxyError):
    """A server that no hop leads to now."""

    uri: str
    why: str

    def __str__(self) -> str:
        return f"{self.uri} is away: {self.why}"


@attrs.frozen
class Reached:
    """A hop, and a flow that leads to it."""

    hop: Hop
    flow: Flow


@attrs.define(eq=False)
class Upstream:
    """
    One server behind us, or one farm.

    ``name`` is what it is called in our Record-Route.  ``locate`` and ``flow_by`` are
    those of the transports.  With ``is_probed`` a hop that failed rests until it answers,
    else for ``rest`` seconds.
    """

    uri: str
    name: str
    locate: Callable[[str], Awaitable[Sequence[Hop]]]
    flow_by: Callable[[Hop], Awaitable[Flow]]
    ticks: Callable[[], float]
    rest: float
    is_probed: bool
    #: Those that were found last.
    hops: Sequence[Hop] = attrs.field(default=(), init=False)
    #: Until when they rest.
    _resting: dict[Hop, float] = attrs.field(factory=dict, init=False)
    _wants_datagrams: bool = attrs.field(init=False)
    _was_away: bool = attrs.field(default=False, init=False)
    _why: str = attrs.field(default="", init=False)
    _doubted: set[Hop] = attrs.field(factory=set, init=False)

    @_wants_datagrams.default
    def _says_udp(self) -> bool:
        uri = parse_uri(self.uri)
        return isinstance(uri, SipURI) and uri.transport == "udp"

    # -- Looking ---------------------------------------------------------------------

    @property
    def is_away(self) -> bool:
        """Whether all hops that are known rest."""
        return bool(self.hops) and all(self.is_resting(each) for each in self.hops)

    @property
    def why(self) -> str:
        """What went wrong last; empty while all is well."""
        return self._why if self._resting or self._was_away else ""

    def is_resting(self, hop: Hop) -> bool:
        """Whether a hop is left alone."""
        return self._resting.get(hop, 0.0) > self.ticks()

    def is_gone(self, hop: Hop) -> bool:
        """Whether a hop rests until it answers when it is probed."""
        return self._resting.get(hop) == _PROBED

    def is_peer_of(self, flow: Flow) -> bool:
        """
        Whether a flow comes from one of its hops.

        A stream may come from any port.  Not on the loopback, where all may live: there
        it is one that we opened.
        """
        host, port = flow.peer
        any_port = flow.reliable and host not in _SHARED
        for hop in self.hops:
            if hop.host == host and (any_port or hop.port == port):
                return True
        return False

    # -- Finding a way ---------------------------------------------------------------

    async def find(
        self,
        uri: str | None = None,
        tried: Collection[Hop] = (),
        *,
        is_large: bool = False,
    ) -> Reached:
        """
        Give the first hop that can be reached, of those that were not ``tried``.

        ``uri`` is one of its own, if another than the usual is asked for.  What is large
        goes by TCP if it can, unless the operator says UDP.  Raises `Away`.
        """
        try:
            hops = await self.look_up() if uri is None else await self.locate(uri)
        except (Unreachable, LimitReached) as error:
            self._is_away_now(str(error))
            raise Away(self.uri, str(error)) from error
        if is_large and not self._wants_datagrams:
            hops = for_large(hops)
        for hop in hops:
            if hop in tried or self.is_resting(hop):
                continue
            try:
                return Reached(hop, await self.flow_by(hop))
            except Unreachable as error:
                self.failed(hop, error.why)
            except LimitReached as error:
                # It is not the hop that is to blame.
                raise Away(self.uri, str(error)) from error
        raise Away(self.uri, self._why or "it does not answer")

    async def look_up(self) -> Sequence[Hop]:
        """Find the hops; raises `Unreachable` and `LimitReached`."""
        self.hops = await self.locate(self.uri)
        if self._resting:
            for hop in set(self._resting).difference(for_large(self.hops)):
                del self._resting[hop]
        return self.hops

    def has_other(self, tried: Collection[Hop]) -> bool:
        """Whether there is a hop that was not tried and does not rest."""
        return any(hop not in tried and not self.is_resting(hop) for hop in self.hops)

    def uri_of(self, routes: Sequence[str]) -> str | None:
        """
        Give the URI of a route set's first element if it is one of its hops' own.

        A farm says so which of its servers a dialog is at.  Raises `MalformedField`.
        """
        if not routes:
            return None
        uri = parse_uri(parse_name_address("Route", routes[0]).uri)
        if not isinstance(uri, SipURI):
            return None
        host = uri.host.strip("[]")
        if not is_literal(host) or all(hop.host != host for hop in self.hops):
            return None
        return str(attrs.evolve(uri, user=None))

    # -- What is heard of it ---------------------------------------------------------

    def doubt(self, hop: Hop) -> None:
        """A hop is silent: it is to be probed now, if it is at all."""
        if self.is_probed and hop in self.hops and not self.is_resting(hop):
            self._doubted.add(hop)

    def take_doubted(self) -> Collection[Hop]:
        """Give those that are to be probed now, once."""
        doubted, self._doubted = self._doubted, set()
        return doubted

    def failed(self, hop: Hop, why: str) -> None:
        """Nobody answers at a hop: it rests."""
        self._why = f"{hop}: {why}"
        if not self.is_probed:
            self._resting[hop] = self.ticks() + self.rest
        elif hop in self.hops:
            self._resting[hop] = _PROBED
        elif hop in for_large(self.hops):
            # It is not probed by TCP.
            self._resting[hop] = self.ticks() + self.rest
        if self.is_away:
            self._is_away_now(self._why)

    async def open_anew(self, hop: Hop) -> None:
        """Open a flow to a hop whose last one was closed; nobody answers if that fails."""
        try:
            await self.flow_by(hop)
        except Unreachable as error:
            self.failed(hop, error.why)
        except LimitReached as error:
            # It is not the hop that is to blame.
            _log.debug("{hop}: {error}", hop=str(hop), error=error)

    def lost(self, why: str) -> None:
        """No hop is known any more."""
        if not self.hops:
            self._is_away_now(why)

    def leave_alone(self, hop: Hop, seconds: float) -> None:
        """A hop asks to be left alone; it is, if there is another."""
        if self.has_other((hop,)):
            self._why = f"{hop}: it answers 503"
            until = self.ticks() + min(seconds, _LONGEST_REST)
            self._resting[hop] = max(until, self._resting.get(hop, 0.0))

    def heard(self, hop: Hop) -> None:
        """A hop answers."""
        self._resting.pop(hop, None)
        if self._was_away:
            self._was_away = False
            _log.info("{uri} is back", uri=self.uri)

    def _is_away_now(self, why: str) -> None:
        self._why = why
        if not self._was_away:
            self._was_away = True
            _log.warn(
                "{uri} is away, and what is for it is answered 503: {why}",
                uri=self.uri,
                why=why,
            )


@attrs.define(eq=False)
class Attempt:
    """
    One request's way to a server: the hops that were tried for it.

    ``uri`` is that of the copies, ``routes`` their Route; they may be too large for a
    datagram.
    """

    upstream: Upstream
    uri: str
    routes: tuple[str, ...]
    is_large: bool = False
    _tried: list[Hop] = attrs.field(factory=list, init=False)

    async def first(self) -> Target:
        """Give the first target; raises `NotForwarded` if there is none now."""
        target = await self._next()
        if target is None:
            raise away()
        return target

    @property
    def has_other(self) -> bool:
        """Whether it may be tried elsewhere."""
        return self.upstream.has_other(self._tried)

    @property
    def is_gone(self) -> bool:
        """Whether nobody is at the last hop, as probing it has shown."""
        return self.upstream.is_gone(self._tried[-1])

    @property
    def is_away(self) -> bool:
        """Whether no hop is there now."""
        return self.upstream.is_away

    def doubt(self) -> None:
        """The last hop is silent."""
        self.upstream.doubt(self._tried[-1])

    def heard(self) -> None:
        """The last hop answered."""
        self.upstream.heard(self._tried[-1])

    async def after_silence(self, why: str) -> Target | None:
        """Give the next target, if there is one, since the last hop says nothing."""
        self.upstream.failed(self._tried[-1], why)
        return await self._next()

    async def after_close(self) -> Target | None:
        """
        Give the next target, if there is one, since the last flow was closed.

        That alone says nothing of its hop: somebody is there if another can be opened.
        """
        await self.upstream.open_anew(self._tried[-1])
        return await self._next()

    async def after_refusal(self, retry_after: float | None) -> Target | None:
        """Give the next target, if there is one, since the last hop answers 503."""
        if retry_after is not None:
            self.upstream.leave_alone(self._tried[-1], retry_after)
        return await self._next()

    async def _next(self) -> Target | None:
        upstream = self.upstream
        try:
            uri = None if self._tried else upstream.uri_of(self.routes)
            reached = await upstream.find(uri, self._tried, is_large=self.is_large)
        except (Away, MalformedField):
            return None
        self._tried.append(reached.hop)
        return Target(self.uri, reached.flow, upstream.name, self.routes, detour=self)


def away() -> NotForwarded:
    """Refuse what is for a server that is away."""
    return NotForwarded(503, "The server behind is away", RETRY_AFTER)
