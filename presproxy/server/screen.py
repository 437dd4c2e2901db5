"""
Whom users do not want to hear from: their contact ACLs, asked about calls and texts.

Whoever is blocked is refused, and whoever is politely blocked finds nobody, as with
presence.  Nothing else that an ACL may say keeps anybody from calling: to be seen and to
be called are two things, and a stranger may call.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from presproxy.errors import AccessDenied
from presproxy.model.decision import Handling
from presproxy.model.identity import Identity
from presproxy.proxying.inspect import NotForwarded
from presproxy.server.answer import for_now
from presproxy.server.decide import Decider, Undecided
from presproxy.sip.uri import AddressOfRecord

#: What is asked about: who may not see somebody at all.
_PACKAGE = "presence"


@attrs.frozen(eq=False)
class Screen:
    """Asks the contact ACLs whether a request may go to a user."""

    decider: Decider

    async def check(self, sender: Identity, called: Iterable[AddressOfRecord]) -> None:
        """
        Let ``sender`` pass unless one of the ``called`` has blocked him.

        Raises `AccessDenied` if he is blocked, `NotForwarded` with 480 if politely so,
        as if nobody were there; and `Refusal` for now if nobody can say.
        """
        for user in called:
            if user != sender.aor:
                await self._check(sender, user)

    async def _check(self, sender: Identity, user: AddressOfRecord) -> None:
        with self.decider.question(sender, user, _PACKAGE) as question:
            try:
                decision = (await question.explained()).decision
            except Undecided as undecided:
                raise for_now("Nobody can say now who is blocked") from undecided
        if decision.handling is Handling.BLOCK:
            raise AccessDenied(decision.rule)
        if decision.handling is Handling.POLITE_BLOCK:
            raise NotForwarded(480)
