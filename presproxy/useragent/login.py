"""
Answering challenges (RFC 3261 §22, RFC 7616, RFC 8760).

A `Login` keeps the last challenge of each realm and counts its nonce, so that later
requests carry credentials before they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from presproxy.errors import MalformedField
from presproxy.sip.authfields import (
    Algorithm,
    Challenge,
    Credentials,
    digest_response,
    ha1,
    parse_challenge,
)
from presproxy.sip.message import Response
from presproxy.sip.tokens import Tokens


@attrs.frozen
class Account:
    """Whom to log in as: the name before the realm, and the password."""

    username: str
    password: str = attrs.field(repr=False)


#: Where a challenge stands, and where its credentials go.  Either status may come with
#: challenges of both kinds (RFC 3261 §22.3).
_FIELDS = {
    "www-authenticate": "Authorization",
    "proxy-authenticate": "Proxy-Authorization",
}

#: Who was asked by: the field of the credentials, and the realm.
Place = tuple[str, str]


@attrs.define(eq=False)
class _Protection:
    """A challenge as it was met, and how often its nonce was used."""

    challenge: Challenge
    uses: int = 0


@attrs.define(eq=False)
class Login:
    """
    One account's credentials for whoever asks.

    Without an account nothing is ever answered.
    """

    account: Account | None
    tokens: Tokens
    _protections: dict[Place, _Protection] = attrs.field(factory=dict)

    def learn(self, response: Response, answered: set[Place]) -> bool:
        """
        Take the challenges of a 401 or 407, and say whether it is worth asking again.

        ``answered`` holds whose challenges this request has answered already: they are
        answered again only if their nonce was stale.
        """
        if self.account is None or response.status not in (401, 407):
            return False
        learnt = False
        for asked, answer in _FIELDS.items():
            for challenge in _usable(response.get_all(asked)):
                place = (answer, challenge.realm)
                if place in answered and not challenge.stale:
                    continue
                answered.add(place)
                self._protections[place] = _Protection(challenge)
                learnt = True
        return learnt

    def fields(self, method: str, uri: str) -> list[tuple[str, str]]:
        """Give the header fields which prove who asks, for every realm met so far."""
        if self.account is None:
            return []
        return [
            (field, str(self._answer(self.account, protection, method, uri)))
            for (field, _), protection in self._protections.items()
        ]

    def _answer(
        self, account: Account, protection: _Protection, method: str, uri: str
    ) -> Credentials:
        challenge = protection.challenge
        algorithm = challenge.algorithm or Algorithm.MD5
        secret = ha1(algorithm, account.username, challenge.realm, account.password)
        if "auth" not in challenge.qop:
            return Credentials(
                username=account.username,
                realm=challenge.realm,
                nonce=challenge.nonce,
                uri=uri,
                response=digest_response(
                    algorithm, secret, challenge.nonce, method, uri
                ),
                algorithm=challenge.algorithm,
                opaque=challenge.opaque,
            )
        protection.uses += 1
        cnonce = self.tokens.tag()
        nc = f"{protection.uses:08x}"
        return Credentials(
            username=account.username,
            realm=challenge.realm,
            nonce=challenge.nonce,
            uri=uri,
            response=digest_response(
                algorithm,
                secret,
                challenge.nonce,
                method,
                uri,
                qop="auth",
                nc=nc,
                cnonce=cnonce,
            ),
            algorithm=challenge.algorithm,
            opaque=challenge.opaque,
            qop="auth",
            nc=protection.uses,
            nc_text=nc,
            cnonce=cnonce,
        )


def _usable(values: list[str]) -> Iterator[Challenge]:
    """
    Give the first challenge of each realm which we can answer (RFC 8760 §2.4).

    The server has put the one it likes best first.
    """
    realms = set()
    for value in values:
        try:
            challenge = parse_challenge(value)
        except MalformedField:
            # An algorithm nobody knows, or a broken line, says nothing of the next one.
            continue
        if challenge is None or challenge.realm in realms:
            continue
        if challenge.qop and "auth" not in challenge.qop:
            continue
        realms.add(challenge.realm)
        yield challenge
