"""Plugins that answer what a test tells them to."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from presproxy.errors import CredentialsRejected
from presproxy.interfaces import IAuthenticator, IContactACL, IHouse
from presproxy.model.decision import FULL, NEUTRAL, Decision, Handling
from presproxy.model.identity import Identity
from presproxy.sip.authfields import ProxyChallenge
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.uri import AddressOfRecord

ALLOW = Decision(Handling.ALLOW, "allowed", FULL)
BLOCK = Decision(Handling.BLOCK, "blocked", NEUTRAL)
CONFIRM = Decision(Handling.CONFIRM, "asked", NEUTRAL)
POLITE = Decision(Handling.POLITE_BLOCK, "politely blocked", NEUTRAL)


@implementer(IContactACL)
@attrs.define(eq=False)
class ScriptedACL:
    """
    Answers ``decision``, or raises it if it is an error.

    After `hold` whoever asks waits until `answer`.
    """

    decision: Decision | Exception | None = ALLOW
    asked: list[tuple[str, str, str]] = attrs.field(factory=list)
    waiting: list[Deferred[Decision | None]] = attrs.field(factory=list)
    is_holding: bool = False

    async def start(self, house: IHouse) -> None:
        """See `IPluggable`."""

    async def stop(self) -> None:
        """See `IPluggable`."""

    def hold(self) -> None:
        """Let everybody wait who asks."""
        self.is_holding = True

    def answer(self, decision: Decision | None) -> None:
        """Answer who waits longest."""
        self.waiting.pop(0).callback(decision)

    def decide(
        self, watcher: Identity, presentity: AddressOfRecord, package: str
    ) -> Awaitable[Decision | None]:
        self.asked.append((watcher.aor, presentity, package))
        if self.is_holding:
            answer: Deferred[Decision | None] = Deferred()
            self.waiting.append(answer)
            return answer
        if isinstance(self.decision, Exception):
            raise self.decision
        return succeed(self.decision)


@implementer(IAuthenticator)
@attrs.define(eq=False)
class ScriptedAuthenticator:
    """Believes who says ``Authorization: I am <address>``; fails with ``failure``."""

    failure: Exception | None = None
    challenges: Sequence[str] = ("Scripted",)
    as_proxy: bool = False

    async def start(self, house: IHouse) -> None:
        """See `IPluggable`."""

    async def stop(self) -> None:
        """See `IPluggable`."""

    async def authenticate(self, request: Request, flow: Flow) -> Identity | None:
        if self.failure is not None:
            raise self.failure
        said = request.get("authorization")
        if said is None:
            return None
        if not said.startswith("I am "):
            raise CredentialsRejected("who?", stale="stale" in said)
        return Identity(AddressOfRecord(said.removeprefix("I am ")), "scripted")

    def challenge(self, request: Request, realm: str, stale: bool) -> Sequence[str]:
        as_asked = ProxyChallenge if self.as_proxy else str
        return [
            as_asked(f'{each} realm="{realm}"{", stale=true" if stale else ""}')
            for each in self.challenges
        ]
