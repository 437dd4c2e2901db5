"""Believes the P-Asserted-Identity of a neighbour who has asked for the password."""

import attrs
from zope.interface import implementer

from presproxy.extend.maker import PluginMaker, option
from presproxy.interfaces import IAuthenticator
from presproxy.model.identity import Identity
from presproxy.sip.fields import parse_name_address

maker = PluginMaker("auth", "asserted", "asserted:Asserted", "Believes a neighbour.")


@implementer(IAuthenticator)
@attrs.define(eq=False)
class Asserted:
    """Believes one neighbour."""

    neighbour: str = option("The address whose word is taken.")

    async def start(self, house): ...

    async def stop(self): ...

    async def authenticate(self, request, flow):
        asserted = request.get("p-asserted-identity")
        if asserted is None or flow.peer[0] != self.neighbour:
            return None
        return Identity(
            parse_name_address("P-Asserted-Identity", asserted).aor, "asserted"
        )

    def challenge(self, request, realm, stale):
        return ()
