"""The user agent: one user, one server, and what he can ask of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from presproxy.errors import PresproxyError
from presproxy.sip.flow import Address
from presproxy.sip.message import Response
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord, domain_of
from presproxy.trace import Tap
from presproxy.transport.certificates import Trust
from presproxy.useragent.core import Core, Draft
from presproxy.useragent.login import Account, Login
from presproxy.useragent.publication import (
    Content,
    HeldPublication,
    Kept,
    publish_once,
)
from presproxy.useragent.registration import HeldRegistration
from presproxy.useragent.series import Series
from presproxy.useragent.states import Presence, content_of
from presproxy.useragent.subscription import HeldSubscription, Notification
from presproxy.useragent.wire import Server, Wire

_log = Logger()

#: Timer F of RFC 3261: after this nobody answers any more.
LIMIT = 32.0

PIDF = "application/pidf+xml"


def _log_loss(error: PresproxyError) -> None:
    _log.warn("{error}", error=error)


@attrs.define(eq=False)
class UserAgent:
    """
    A user agent for ``aor`` which speaks to ``server`` only.

    ``account`` is whom to log in as when asked.  Whoever wants to see its messages as
    they go over the wire listens to ``tap``.  Nothing waits longer than ``limit``
    seconds by ``clock``.  To be started and stopped, or used in ``async with``.
    """

    aor: AddressOfRecord
    server: Server
    reactor: Any
    account: Account | None = None
    clock: IReactorTime = attrs.field()
    limit: float = LIMIT
    #: Seconds over which its subscriptions are refreshed when the connection broke.
    spread: float = 0.0
    tap: Tap = attrs.field(factory=Tap)
    #: Whom it believes by TLS, and what it shows; the server's authorities, and nothing.
    trust: Trust = attrs.field()
    tokens: Tokens = attrs.field(factory=lambda: Tokens(os.urandom))
    core: Core = attrs.field(init=False, repr=False)

    @clock.default
    def _same_as_reactor(self) -> Any:
        return self.reactor

    @trust.default
    def _as_the_server_says(self) -> Trust:
        return Trust(self.server.authorities)

    @core.default
    def _make_core(self) -> Core:
        return Core(
            self.aor,
            Wire(self.server, self.reactor, self.tap, self.limit, self.trust),
            Login(self.account, self.tokens),
            self.tokens,
            self.clock,
            self.limit,
            spread=self.spread,
        )

    async def start(self) -> None:
        """Open the way to the server.  Raises `NoAnswer` when there is none."""
        await self.core.start()

    async def stop(self) -> None:
        """
        Close everything, and refresh nothing more.

        The server is told nothing; what it holds for us expires.
        """
        await self.core.stop()

    async def __aenter__(self) -> UserAgent:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def address(self) -> Address:
        """Give the address and port it speaks from, as the server sees it."""
        return (await self.core.wire.flow()).local

    async def options(self) -> Response:
        """Ask the server what it can (RFC 3261 §11); any answer will do."""
        uri = f"sip:{domain_of(self.aor)}"
        series = Series.begin(self.aor, AddressOfRecord(uri), self.tokens)
        return await self.core.request(
            lambda: Draft("OPTIONS", uri, series.fields("OPTIONS"))
        )

    async def request(self, draft: Callable[[], Draft]) -> Response:
        """Ask anything; ``draft`` is called for each try, for a CSeq of its own."""
        return await self.core.request(draft)

    async def register(
        self,
        expires: int = 3600,
        contact: str | None = None,
        lost: Callable[[PresproxyError], None] = _log_loss,
    ) -> HeldRegistration:
        """Register ``contact``, or this user agent's own address, and hold it so."""
        registration = HeldRegistration(self.core, contact, expires, lost)
        await registration.refresh()
        return registration

    async def publish(
        self,
        what: Presence | Content,
        expires: int = 3600,
        package: str = "presence",
        lost: Callable[[PresproxyError], None] = _log_loss,
    ) -> HeldPublication:
        """
        Publish the user's state, and hold it.

        Raises `Refused`, `NoAnswer` or `BadAnswer`.
        """
        content = self.content(what)
        publication = HeldPublication(self.core, package, content, expires, lost)
        await publication.modify(content)
        return publication

    async def publish_once(
        self,
        presentity: AddressOfRecord,
        package: str,
        content: Content | None,
        expires: int,
        entity_tag: str | None = None,
        sender: AddressOfRecord | None = None,
    ) -> Kept:
        """
        Publish the state of anybody, as ``sender`` or the presentity, and hold nothing.

        Without ``content`` what has the ``entity_tag`` is refreshed, or ended by 0 for
        ``expires``.  Raises `Refused`, `NoAnswer` or `BadAnswer`.
        """
        return await publish_once(
            self.core,
            presentity,
            sender or presentity,
            package,
            content,
            expires,
            entity_tag,
        )

    def content(self, what: Presence | Content) -> Content:
        """Give the body which says ``what``."""
        if isinstance(what, Content):
            return what
        return Content(PIDF, content_of(self.aor, what))

    async def subscribe(
        self,
        presentity: AddressOfRecord,
        expires: int = 3600,
        package: str = "presence",
        accepts: Sequence[str] = (PIDF,),
        told: Callable[[Notification], None] | None = None,
        lost: Callable[[PresproxyError], None] = _log_loss,
    ) -> HeldSubscription:
        """
        Subscribe to ``presentity``, and hold the subscription.

        Raises `Refused`, `NoAnswer` or `BadAnswer`.
        """
        subscription = HeldSubscription(
            self.core, presentity, package, expires, accepts, told, lost
        )
        await subscription.subscribe()
        return subscription

    async def fetch(
        self,
        presentity: AddressOfRecord,
        package: str = "presence",
        accepts: Sequence[str] = (PIDF,),
    ) -> Notification:
        """
        Look once (RFC 6665 §4.4.3).

        Raises what `subscribe` raises, and `NoAnswer` when no NOTIFY follows.
        """
        subscription = await self.subscribe(presentity, 0, package, accepts)
        return await subscription.next()
