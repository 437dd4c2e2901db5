"""Watches one presentity, and writes each of his documents into a file."""

from pathlib import Path

import attrs
from zope.interface import implementer

from presproxy.extend.maker import PluginMaker, option
from presproxy.interfaces import INotifier
from presproxy.model.identity import Identity

maker = PluginMaker(
    "notifier", "notebook", "notebook:Notebook", "Writes down a presentity."
)


@implementer(INotifier)
@attrs.define(eq=False)
class Notebook:
    """Writes down one presentity's documents."""

    presentity: str = option("Whom to watch.")
    path: Path = option("Where to write.")

    async def start(self, house):
        owner = Identity(self.presentity, "notebook")
        await house.watch(owner, self.presentity, "presence", "notebook", None, 86400)

    async def stop(self): ...

    def notify(self, notice):
        with self.path.open("ab") as notebook:
            notebook.write(notice.body.numbered(0) + b"\n")
