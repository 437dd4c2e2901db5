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
from presproxy.events.resource import Resources
from presproxy.model.payload import PUBLICATION, write_publication
from presproxy.model.publication import EntityTag, Publication
from presproxy.model.record import Change, Delete, Put
from presproxy.sip.uri import AddressOfRecord


@attrs.frozen(eq=False)
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
    """A publication on its way: the one that is to be, and the ones whose place it takes."""

    compositor: Compositor
    publication: Publication
    replaced: Sequence[Publication]
    is_removal: bool
    is_change: bool
    changed_at: float

    @property
    def changes(self) -> Sequence[Change]:
        """See `Staged`."""
        new = self.publication
        deletes = [
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
    was asked for.  At most ``most`` publications of one resource are kept; one more makes
    the oldest go.
    """

    resources: Resources
    changed: Callable[[AddressOfRecord, str, float], None]
    make_tag: Callable[[], EntityTag]
    make_key: Callable[[], str]
    most: int = 20
    most_in_all: int = 1_000_000
    _tagged: dict[EntityTag, Publication] = attrs.field(factory=dict)
    _expiries: Expiries[Publication] = attrs.field(factory=Expiries)

    def __len__(self) -> int:
        return len(self._tagged)

    def __iter__(self) -> Iterator[Publication]:
        return iter(tuple(self._tagged.values()))

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
        """Stage a first publication (RFC 3903 §4.2)."""
        if len(self._tagged) >= self.most_in_all:
            raise LimitReached("publications", self.most_in_all)
        publication = Publication(
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
        return self._staged(
            publication, self._displaced_by(publication), published, True
        )

    def stage_again(self, old: Publication, published: Published) -> StagedPublication:
        """
        Stage a refresh, or a modification if there is a body (RFC 3903 §4.3, §4.4).

        A body equal to the last one changes nothing but the expiry.
        """
        is_change = (
            published.document is not None and published.document != old.document
        )
        publication = attrs.evolve(
            old,
            entity_tag=self.make_tag(),
            expires_at=published.expires_at,
            source=published.source,
            version=old.version + 1,
            bucket=0,
        )
        if is_change:
            publication.content_type = published.content_type
            publication.body = published.body
            publication.document = published.document
            publication.modified_at = published.at
        return self._staged(publication, (old,), published, is_change)

    def stage_removal(self, old: Publication, changed_at: float) -> StagedPublication:
        """Stage the end of a publication (RFC 3903 §4.5)."""
        self._tagged.pop(old.entity_tag, None)
        return StagedPublication(self, old, (old,), True, True, changed_at)

    def stage_brief(self, published: Published) -> StagedPublication | None:
        """
        Stage a first publication that ends at once: it only ends what it supersedes.

        None if there is nothing of that kind.
        """
        staged = self.stage_initial(published)
        if not staged.replaced:
            return None
        return attrs.evolve(staged, is_removal=True)

    def live(self, staged: StagedPublication) -> None:
        """Make what was committed seen."""
        new = staged.publication
        resource = self.resources.take(new.presentity, new.package)
        for old in staged.replaced:
            self._expiries.drop(old)
            if old in resource.publications:
                resource.publications.remove(old)
        if not staged.is_removal:
            self._keep(new)
        self.resources.drop_if_empty(resource)
        if staged.is_change:
            self.changed(new.presentity, new.package, staged.changed_at)

    def take_back(self, staged: StagedPublication) -> None:
        """Give back the entity-tags that were held; what has expired meanwhile stays gone."""
        for old in staged.replaced:
            if old.bucket:
                self._tagged[old.entity_tag] = old

    def restore(self, publication: Publication) -> None:
        """Take a publication back into memory, telling nobody."""
        self._keep(publication)

    def expire(self, now: float, changed_at: float) -> int:
        """End all whose time is over, and say how many did."""
        ended = self._expiries.due(now)
        for publication in ended:
            self._tagged.pop(publication.entity_tag, None)
            resource = self.resources.find(publication.presentity, publication.package)
            if resource is not None and publication in resource.publications:
                resource.publications.remove(publication)
                self.resources.drop_if_empty(resource)
            self.changed(publication.presentity, publication.package, changed_at)
        return len(ended)

    def _staged(
        self,
        publication: Publication,
        replaced: Sequence[Publication],
        published: Published,
        is_change: bool,
    ) -> StagedPublication:
        for old in replaced:
            self._tagged.pop(old.entity_tag, None)
        return StagedPublication(
            self, publication, replaced, False, is_change, published.changed_at
        )

    def _displaced_by(self, new: Publication) -> list[Publication]:
        """
        Name the publications that end because a first one begins.

        They are those which it supersedes, and the oldest where there are too many.  One
        that is staged already is left alone.
        """
        resource = self.resources.find(new.presentity, new.package)
        if resource is None:
            return []
        others = [
            old for old in resource.publications if old.entity_tag in self._tagged
        ]
        displaced = [
            old
            for old in others
            if new.source
            and old.source == new.source
            and resource.package.supersedes(new.document, old.document)
        ]
        surplus = len(others) - len(displaced) + 1 - self.most
        if surplus > 0:
            left = [old for old in others if old not in displaced]
            displaced += sorted(left, key=lambda old: old.modified_at)[:surplus]
        return displaced

    def _keep(self, publication: Publication) -> None:
        self._tagged[publication.entity_tag] = publication
        self._expiries.keep(publication)
        resource = self.resources.take(publication.presentity, publication.package)
        publications = resource.publications
        publications.append(publication)
        if len(publications) > 1:
            publications.sort(key=lambda each: -each.modified_at)
