"""
What a user's own endpoints know of his publications ([MS-PRES] 1.3.1.5).

A publication is made on the version that is current, so an endpoint keeps all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from presproxy.documents.lync.categories import (
    Asked,
    CategoryName,
    Publish,
    Stale,
    write_publish,
)
from presproxy.documents.lync.roaming import read_roaming
from presproxy.useragent.lync.said import Piece


@attrs.define(eq=False)
class Roamed:
    """The versions of all publications, and of the containers' members."""

    uri: str
    versions: dict[CategoryName, int] = attrs.field(factory=dict)
    containers: dict[int, int] = attrs.field(factory=dict)

    def take(self, body: bytes) -> None:
        """
        Learn from a document.

        It has all of each category that it names.  Raises `MalformedDocument`.
        """
        roaming = read_roaming(body)
        found = roaming.categories or ()
        named = {each.name.category for each in found} | set(roaming.cleared)
        for name in [each for each in self.versions if each.category in named]:
            del self.versions[name]
        for category in found:
            self.versions[category.name] = category.version
        for container in roaming.containers or ():
            self.containers[container.id] = container.version

    def correct(self, asked: Sequence[Asked], stale: Iterable[Stale]) -> None:
        """Learn from a refusal which versions are current."""
        for each in stale:
            if 0 < each.index <= len(asked):
                self.versions[asked[each.index - 1].name] = each.current

    def asked(self, pieces: Iterable[Piece]) -> Sequence[Asked]:
        """Give what is to be asked for; what is not there is not taken back."""
        asked = []
        for piece in pieces:
            version = self.versions.get(piece.name, 0)
            if piece.body or version:
                expires = None if piece.body else 0
                asked.append(
                    Asked(piece.name, version, piece.expire_type, expires, piece.body)
                )
        return asked

    def body(self, asked: Sequence[Asked]) -> bytes:
        """Write the body that asks for it."""
        return write_publish(Publish(self.uri, asked))
