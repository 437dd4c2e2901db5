"""What is answered at once: OPTIONS (RFC 3261 §11)."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

import attrs

from presproxy.server.answer import Answer
from presproxy.server.events import EventPackages
from presproxy.server.exchange import Exchange


@attrs.frozen(eq=False)
class OptionsStep:
    """Tells what is understood here."""

    identifies: ClassVar[bool] = False

    packages: EventPackages
    methods: Collection[str]
    extensions: Collection[str]

    async def serve(self, exchange: Exchange) -> Answer:
        """
        Answer OPTIONS (RFC 3261 §11.2).

        Within a dialog it asks whether that is still there.  Its CSeq is not counted:
        nobody was asked who sent it.
        """
        accepted = sorted(
            {
                each
                for package in self.packages.packages.values()
                for each in package.accepts
            }
        )
        return Answer(
            200,
            (
                ("Allow", ", ".join(self.methods)),
                ("Accept", ", ".join(accepted)),
                ("Accept-Encoding", "identity"),
                ("Allow-Events", self.packages.allowed),
                ("Supported", ", ".join(self.extensions)),
            ),
        )
