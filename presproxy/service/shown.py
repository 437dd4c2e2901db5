"""What a Lync user is shown of his own publications: those of the server among them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from presproxy.documents.lync.categories import Category
from presproxy.events.categories import PRESENCE, Categories
from presproxy.events.resource import Resources
from presproxy.extend.guard import PluginFailed
from presproxy.interfaces import IAggregating, Material
from presproxy.sip.uri import AddressOfRecord


@attrs.frozen(eq=False)
class Shown:
    """Adds the states that the package of presence makes of all others."""

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
        if not IAggregating.providedBy(guard.plugin):
            return published
        material = Material(user, publications, categories=published)
        try:
            made = guard.tell(guard.plugin.aggregates, material)
        except PluginFailed:
            # Counted and logged by its guard.
            return published
        names = {each.name for each in made}
        return (*(each for each in published if each.name not in names), *made)
