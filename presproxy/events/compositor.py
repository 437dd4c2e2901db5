"""
The event state compositor: publications, their entity-tags and their expiry (RFC 3903).

Changes are staged, committed by somebody else, and then made live.  What is staged holds
its entity-tag, so that nobody else can spend it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs

from presproxy.errors import EntityTagMismatch, LimitReached
from presproxy.events.expiry import Expiries
from presproxy.events.resource import Resource, Resources
from presproxy.model.payload import PUBLICATION, write_publication
from presproxy.model.publication import EntityTag, Publication
from presproxy.model.record import Change, Delete, Put
from presproxy.sip.uri import AddressOfRecord


# Not frozen, as one is made for every PUBLISH: that takes three times as long.
@attrs.define(eq=False)
class Published:
    """
    What a PUBLISH carries, read and checked.

    ``body`` is empty and ``document`` None for a refresh (RFC 3903 §4.1).
    """

    presentity: AddressOfRecord
    package: str
    content_type: str
    body: bytes
    document: object
    expires_at: float
    at: float
    source: str = ""
    changed_at: float = 0.0


@attrs.define(eq=False)
class StagedPublication:
    """
    A publication on its way: the one that is to be, and the ones whose place it takes.

    ``growth`` is by how many more there will be than before.
    """

    compositor: Compositor
    publication: Publication
    replaced: Sequence[Publication]
    is_removal: bool
    is_change: bool
    changed_at: float
    growth: int = 0

    @property
    def changes(self) -> Sequence[Change]:
        """See `Staged`."""
        new = self.publication
        deletes: list[Change] = [
            Delete(PUBLICATION, old.key, old.presentity, old.version)
            for old in self.replaced
            if old.key != new.key or self.is_removal
        ]
        if self.is_removal:
            return deletes
        put = Put(
            PUBLICATION,
            new.key,
            new.presentity,
            new.version - 1,
            new.expires_at,
            write_publication(new),
        )
        return [put, *deletes]

    def live(self) -> None:
        """See `Staged`."""
        self.compositor.live(self)

    def take_back(self) -> None:
        """See `Staged`."""
        self.compositor.take_back(self)


@attrs.define(eq=False)
class Compositor:
    """
    The publications of all presentities.

    ``changed`` is told of each resource whose publications are others now, and when that
    was asked for.  At most ``most`` publications of one resource are kept, those on their
    way included; one more makes the oldest go.  At most ``most_in_all`` are kept of all.
    """

    resources: Resources
    changed: Callable[[AddressOfRecord, str, float], None]
    make_tag: Callable[[], EntityTag]
    make_key: Callable[[], str]
    most: int = 20
    most_in_all: int = 1_000_000
    #: By the entity-tags that can be spent.
    _tagged: dict[EntityTag, Publication] = attrs.field(factory=dict)
    _expiries: Expiries[Publication] = attrs.field(factory=Expiries)
    _alive: int = 0
    #: By how many there will be more when all first ones on their way are live.
    _growth: int = 0

    def __len__(self) -> int:
        return self._alive

    @property
    def expiring(self) -> int:
        """How many are kept by the second in which they end: all, unless some leak."""
        return len(self._expiries)

    def __iter__(self) -> Iterator[Publication]:
        for resource in self.resources:
            yield from tuple(resource.publications)

    def find(
        self, presentity: AddressOfRecord, package: str, entity_tag: str, now: float
    ) -> Publication:
        """Give the publication with this entity-tag, or raise `EntityTagMismatch`."""
        publication = self._tagged.get(EntityTag(entity_tag))
        if (
            publication is None
            or publication.presentity != presentity
            or publication.package != package
            or publication.expires_at <= now
        ):
            raise EntityTagMismatch(entity_tag)
        return publication

    def stage_initial(self, published: Published) -> StagedPublication:
        """
        Stage a first publication (RFC 3903 §4.2).

        It takes the place of those which it supersedes, and of the oldest where there are
        too many.  Raises `LimitReached` where there is nothing to take the place of.
        """
        superseded = self._superseded(published)
        replaced = (*superseded, *self._surplus(published, superseded))
        growth = 1 - len(replaced)
        self._hold(replaced)
        resource = self.resources.take(published.presentity, published.package)
        self._grow(resource, growth)
        return StagedPublication(
            self,
            self._first(published),
            replaced,
            is_removal=False,
            is_change=True,
            changed_at=published.changed_at,
            growth=growth,
        )

    def stage_again(self, old: Publication, published: Published) -> StagedPublication:
        """
        Stage a refresh, or a modification if there is a body (RFC 3903 §4.3, §4.4).

        A body equal to the last one changes nothing but the expiry.
        """
        is_change = (
            published.document is not None and published.document != old.document
        )
        content = published if is_change else old
        publication = Publication(
            key=old.key,
            presentity=old.presentity,
            package=old.package,
            entity_tag=self.make_tag(),
            content_type=content.content_type,
            body=content.body,
            document=content.document,
            expires_at=published.expires_at,
            modified_at=published.at if is_change else old.modified_at,
            source=published.source,
            version=old.version + 1,
        )
        self._hold((old,))
        return StagedPublication(
            self, publication, (old,), False, is_change, published.changed_at
        )

    def stage_removal(self, old: Publication, changed_at: float) -> StagedPublication:
        """Stage the end of a publication (RFC 3903 §4.5)."""
        self._hold((old,))
        return StagedPublication(self, old, (old,), True, True, changed_at)

    def stage_brief(self, published: Published) -> StagedPublication | None:
        """
        Stage a first publication that ends at once: it only ends what it supersedes.

        None if there is nothing of that kind.
        """
        superseded = self._superseded(published)
        if not superseded:
            return None
        self._hold(superseded)
        return StagedPublication(
            self, superseded[0], superseded, True, True, published.changed_at
        )

    def live(self, staged: StagedPublication) -> None:
        """Make what was committed seen."""
        new = staged.publication
        resource = self.resources.take(new.presentity, new.package)
        has_blinked = False
        for old in staged.replaced:
            # What expired on the way was told as gone: even a refresh is a change then.
            has_blinked |= not self._forget(resource, old)
        if not staged.is_removal:
            self._keep(resource, new)
        self._grow(resource, -staged.growth)
        if staged.is_change or has_blinked:
            self.changed(new.presentity, new.package, staged.changed_at)

    def take_back(self, staged: StagedPublication) -> None:
        """Give back the entity-tags that were held; what has expired meanwhile stays gone."""
        new = staged.publication
        resource = self.resources.take(new.presentity, new.package)
        self._grow(resource, -staged.growth)
        for old in staged.replaced:
            if old.bucket:
                self._tagged[old.entity_tag] = old

    def restore(self, publication: Publication) -> None:
        """Take a publication back into memory, telling nobody."""
        resource = self.resources.take(publication.presentity, publication.package)
        self._keep(resource, publication)

    def expire(self, now: float, changed_at: float) -> bool:
        """End some of those whose time is over, and say whether there are more."""
        ended = self._expiries.due(now)
        for publication in ended:
            presentity, package = publication.presentity, publication.package
            resource = self.resources.take(presentity, package)
            self._forget(resource, publication)
            self.resources.drop_if_empty(resource)
            self.changed(presentity, package, changed_at)
        return self._expiries.is_due(now)

    def _first(self, published: Published) -> Publication:
        return Publication(
            key=self.make_key(),
            presentity=published.presentity,
            package=published.package,
            entity_tag=self.make_tag(),
            content_type=published.content_type,
            body=published.body,
            document=published.document,
            expires_at=published.expires_at,
            modified_at=published.at,
            source=published.source,
            version=1,
        )

    def _superseded(self, published: Published) -> list[Publication]:
        """Name the publications whose place a first one takes, as its package says."""
        resource = self.resources.find(published.presentity, published.package)
        if resource is None or not published.source:
            return []
        tell, supersedes = resource.guard.tell, resource.package.supersedes
        return [
            old
            for old in self._free(resource)
            if old.source == published.source
            and tell(supersedes, published.document, old.document)
        ]

    def _surplus(
        self, published: Published, superseded: Sequence[Publication]
    ) -> list[Publication]:
        """Name the oldest publications, as many as must go beside those superseded."""
        resource = self.resources.find(published.presentity, published.package)
        oldest: list[Publication] = []
        if resource is not None:
            there = len(resource.publications) + resource.growth - len(superseded)
            surplus = there + 1 - self.most
            # The oldest come last.
            left = [old for old in self._free(resource) if old not in superseded]
            if surplus > len(left):
                raise LimitReached("publications of one presentity", self.most)
            oldest = left[len(left) - max(surplus, 0) :]
        replaced = len(superseded) + len(oldest)
        if self._alive + self._growth + 1 - replaced > self.most_in_all:
            raise LimitReached("publications", self.most_in_all)
        return oldest

    def _free(self, resource: Resource) -> list[Publication]:
        """Give the publications which nobody has staged a change of."""
        return [old for old in resource.publications if old.entity_tag in self._tagged]

    def _hold(self, publications: Sequence[Publication]) -> None:
        for publication in publications:
            self._tagged.pop(publication.entity_tag, None)

    def _grow(self, resource: Resource, growth: int) -> None:
        resource.growth += growth
        self._growth += growth
        self.resources.drop_if_empty(resource)

    def _keep(self, resource: Resource, publication: Publication) -> None:
        self._alive += 1
        # One string for all who publish.
        publication.presentity = resource.presentity
        self._tagged[publication.entity_tag] = publication
        self._expiries.keep(publication)
        resource.publications.append(publication)
        if len(resource.publications) > 1:
            resource.publications.sort(key=_last_modified_first)

    def _forget(self, resource: Resource, publication: Publication) -> bool:
        """Forget a publication; False if it has expired already."""
        if publication not in resource.publications:
            return False
        self._alive -= 1
        self._tagged.pop(publication.entity_tag, None)
        self._expiries.drop(publication)
        resource.publications.remove(publication)
        return True


def _last_modified_first(publication: Publication) -> tuple[float, str]:
    # The key decides between two of one moment, so that a refresh moves nothing.
    return (-publication.modified_at, publication.key)
