"""Lets colleagues see each other, and leaves everybody else to the next contact ACL."""

import attrs
from zope.interface import implementer

from presproxy.extend.maker import PluginMaker, option
from presproxy.interfaces import IContactACL
from presproxy.model.decision import Decision, Handling

maker = PluginMaker(
    "acl", "colleagues", "colleagues:Colleagues", "Teams see each other."
)


@implementer(IContactACL)
@attrs.define(eq=False)
class Colleagues:
    """A team whose members see each other."""

    team: list[str] = option("Addresses of record, separated by commas.")

    async def start(self, house): ...

    async def stop(self): ...

    async def decide(self, watcher, presentity, package):
        if package.endswith(".winfo"):
            return None  # Who watches is nobody else's business.
        if watcher.aor in self.team and presentity in self.team:
            return Decision(Handling.ALLOW, "both are in the team")
        return None
