"""Who sent a request: the authenticators in their order, and their challenges."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from presproxy.errors import (
    AccessDenied,
    AuthenticationContinues,
    CredentialsRejected,
    MalformedField,
)
from presproxy.extend.guard import Guard
from presproxy.interfaces import IAuthenticator
from presproxy.model.identity import Identity
from presproxy.server.answer import Refusal
from presproxy.server.domains import Domains
from presproxy.server.exchange import Exchange
from presproxy.server.pbx import PBX, Pbxs
from presproxy.sip.authfields import ProxyChallenge
from presproxy.sip.uri import address_of_record, domain_of


@attrs.define(eq=False)
class Identifier:
    """
    Asks the authenticators who the sender is.

    With none configured everybody is who he says he is; the configuration sees to it that
    this is so on the loopback only.  PBXs are believed for what they publish.
    """

    authenticators: Sequence[Guard[IAuthenticator]]
    domains: Domains
    pbxs: Pbxs = attrs.field(factory=Pbxs)

    async def identify(self, exchange: Exchange) -> Identity:
        """
        Name the sender, or raise the `Refusal` that challenges him.

        Whoever proved to be somebody else than From says is refused: what follows would
        be told in another's name.  Only who is asserted to be the sender may hide there.
        """
        claimed = self.domains.home(exchange.request.from_.aor)
        if not self.authenticators:
            return Identity(claimed, "open")
        if exchange.request.method == "PUBLISH" and self.pbxs.sent(exchange):
            return Identity(claimed, PBX)
        try:
            identity = await self._ask(exchange)
        except CredentialsRejected as rejected:
            raise self._challenge(exchange, rejected.stale) from rejected
        except AuthenticationContinues as more:
            raise _asked([more.challenge]) from more
        if identity is None:
            raise self._challenge(exchange, stale=False)
        if identity.is_asserted:
            return identity
        if identity.aor != claimed:
            raise AccessDenied(f"{identity.aor} speaks as {claimed}")
        return identity

    async def _ask(self, exchange: Exchange) -> Identity | None:
        for guard in self.authenticators:
            identity = await guard.ask(
                guard.plugin.authenticate, exchange.request, exchange.flow
            )
            if identity is not None:
                return identity
        return None

    def _challenge(self, exchange: Exchange, stale: bool) -> Refusal:
        realm = self._realm(exchange)
        challenges = [
            challenge
            for guard in self.authenticators
            for challenge in guard.tell(
                guard.plugin.challenge, exchange.request, realm, stale
            )
        ]
        return _asked(challenges) if challenges else Refusal(403)

    def _realm(self, exchange: Exchange) -> str:
        """The sender's domain if it is ours, else the domain he asks about."""
        request = exchange.request
        for uri in (request.from_.uri, request.uri, request.to.uri):
            try:
                domain = domain_of(address_of_record(uri))
            except MalformedField:
                continue
            if domain in self.domains.names:
                return domain
        return min(self.domains.names, default="presproxy")


def _asked(challenges: Sequence[str]) -> Refusal:
    """
    Say as what we ask: a user agent server by 401, or a proxy (RFC 3261 §22.2, §22.3).

    It is as the first says; an answer may have challenges of both (§22.3).
    """
    fields = tuple((_field(challenge), str(challenge)) for challenge in challenges)
    is_proxy = isinstance(challenges[0], ProxyChallenge)
    return Refusal(407 if is_proxy else 401, fields)


def _field(challenge: str) -> str:
    if isinstance(challenge, ProxyChallenge):
        return "Proxy-Authenticate"
    return "WWW-Authenticate"
