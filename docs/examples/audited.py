"""Keeps records in memory, and writes down what was changed and when."""

from datetime import UTC, datetime
from pathlib import Path

import attrs

from presproxy.extend.maker import PluginMaker, option
from presproxy.storage.memory import MemoryStorage

maker = PluginMaker("storage", "audited", "audited:Audited", "Memory, with a journal.")


@attrs.define(eq=False)
class Audited(MemoryStorage):
    """Memory, with a journal."""

    journal: Path = option("The file that each change is written to.")

    async def commit(self, changes):
        await super().commit(changes)
        with self.journal.open("a") as journal:
            for change in changes:
                now = datetime.now(UTC).isoformat()
                print(
                    now, type(change).__name__, change.kind, change.owner, file=journal
                )
