"""What a Lync user is shown of his own publications: those of the server among them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from presproxy.documents.lync.categories import Category, ExpireType
from presproxy.events.categories import PRESENCE, Categories
from presproxy.events.resource import Resources
from presproxy.extend.guard import PluginFailed
from presproxy.interfaces import IAggregating, Material
from presproxy.sip.uri import AddressOfRecord

_STATE = "state"


@attrs.frozen(eq=False)
class Shown:
    """
    Adds the states that the server makes of all others.

    It makes them while something says what a user does now.  Where nothing does they are
    left out: a client that signs in takes them for its user's choice, and nobody chose to
    be offline.
    """

    resources: Resources
    categories: Categories

    def of(self, user: AddressOfRecord) -> Sequence[Category]:
        """Give all categories of a user as he is shown them himself."""
        published = self.categories.of(user)
        if not self.resources.serves(PRESENCE):
            return published
        guard = self.resources.guard(PRESENCE)
        resource = self.resources.find(user, PRESENCE)
        publications = () if resource is None else tuple(resource.publications)
        is_there = publications or any(map(_tells_of_now, published))
        if not is_there or not IAggregating.providedBy(guard.plugin):
            return published
        material = Material(user, publications, categories=published)
        try:
            made = guard.tell(guard.plugin.aggregates, material)
        except PluginFailed:
            # Counted and logged by its guard.
            return published
        names = {each.name for each in made}
        return (*(each for each in published if each.name not in names), *made)


def _tells_of_now(category: Category) -> bool:
    return (
        category.name.category == _STATE and category.expire_type is ExpireType.ENDPOINT
    )
