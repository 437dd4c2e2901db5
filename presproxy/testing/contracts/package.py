"""
What an `IEventPackage` promises, as tests to subclass.

    class TestAcmePackage(EventPackageContract):
        bodies = (("application/acme+xml", b"<acme/>"),)

        def make(self) -> IEventPackage:
            return AcmePackage()
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from presproxy.errors import MalformedDocument
from presproxy.interfaces import (
    Account,
    Bound,
    Feed,
    IEventPackage,
    Material,
    Watcher,
)
from presproxy.model.decision import FULL, NEUTRAL, View
from presproxy.model.notice import Body, NumberedBody
from presproxy.model.publication import EntityTag, Publication
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.examples import examples

ALICE = AddressOfRecord("sip:alice@example.test")
CAROL = AddressOfRecord("sip:c&'rol@[2001:db8::1]:5070")
BOB = AddressOfRecord("sip:bob@example.test")
EVE = AddressOfRecord("sip:e<&>ve@elsewhere.test")

_TOKEN = re.compile(r"[a-z0-9\-.!%*_+`'~]+")
_MEDIA_TYPE = re.compile(r"[a-z0-9.+\-]+/[a-z0-9.+\-]+")

_WATCHERS = st.lists(
    st.builds(
        Watcher,
        id=st.text("abcdef0123456789", min_size=1, max_size=4),
        uri=st.sampled_from([BOB, EVE]),
        status=st.sampled_from(["pending", "active", "waiting", "terminated"]),
        event=st.sampled_from(["subscribe", "approved", "rejected", "timeout"]),
        since=st.integers(0, 3).map(float),
        expires_at=st.integers(1000, 2000).map(float),
    ),
    max_size=3,
    unique_by=lambda watcher: watcher.id,
)

_BINDINGS = st.lists(
    st.builds(
        Bound,
        uri=st.sampled_from(["sip:a@192.0.2.1", "sip:a<&>'@h;gr=\"1", "tel:+49"]),
        q=st.sampled_from([1.0, 0.5, 0.0]),
        call_id=st.sampled_from(["", "c1", "c<&>2"]),
    ),
    max_size=3,
    unique_by=lambda bound: bound.uri,
)


class EventPackageContract(ABC):
    """
    Tests of everything an event package promises.

    ``bodies`` are well-formed, as (content type, body); each type it accepts is there.
    ``accounts`` are some that a package is tried with which feeds on them.
    """

    bodies: ClassVar[Sequence[tuple[str, bytes]]] = ()
    accounts: ClassVar[Sequence[Account]] = (Account(),)

    @abstractmethod
    def make(self) -> IEventPackage:
        """Make one; two of them are alike."""

    @pytest.fixture
    def package(self) -> IEventPackage:
        """One to be asked."""
        return self.make()

    # --- What it says of itself

    def test_it_provides_the_interface(self, package: IEventPackage) -> None:
        assert verifyObject(IEventPackage, package)

    def test_its_name_is_as_the_event_field_has_it(
        self, package: IEventPackage
    ) -> None:
        assert _TOKEN.fullmatch(package.name)

    def test_it_produces_media_types_without_parameters(
        self, package: IEventPackage
    ) -> None:
        assert package.produces
        assert [t for t in package.produces if not _MEDIA_TYPE.fullmatch(t)] == []

    def test_it_accepts_what_its_bodies_are(self, package: IEventPackage) -> None:
        assert {content_type for content_type, _ in self.bodies} == set(package.accepts)

    def test_its_intervals_are_in_order(self, package: IEventPackage) -> None:
        bounds = package.bounds

        assert 0 <= bounds.shortest <= bounds.default <= bounds.longest
        assert package.pause >= 0

    def test_nobody_publishes_what_is_not_composed_of_publications(
        self, package: IEventPackage
    ) -> None:
        assert bool(package.accepts) == (package.feeds is Feed.PUBLICATIONS)

    # --- Reading

    def test_a_body_is_read_the_same_again(self, package: IEventPackage) -> None:
        once = [package.parse(*each) for each in self.bodies]

        assert [self.make().parse(*each) for each in self.bodies] == once

    def test_no_body_fails_in_another_way_than_malformed(
        self, package: IEventPackage
    ) -> None:
        bodies = examples(_damaged([body for _, body in self.bodies]), 300)
        types = sorted(package.accepts) or ["application/octet-stream"]

        assert [
            (content_type, body, problem)
            for content_type in types
            for body in bodies
            if (problem := _problem(package, content_type, body))
        ] == []

    def test_what_was_published_supersedes_itself(self, package: IEventPackage) -> None:
        documents = [package.parse(*each) for each in self.bodies]

        assert all(package.supersedes(each, each) for each in documents)

    # --- Composing

    def test_the_same_material_makes_equal_states(self, package: IEventPackage) -> None:
        materials = self._materials(package)
        again = self._materials(self.make())

        states = [package.compose(each) for each in materials]
        assert [self.make().compose(each) for each in again] == states
        assert [hash(package.compose(each)) for each in materials] == [
            hash(state) for state in states
        ]

    def test_composing_leaves_the_material_as_it_was(
        self, package: IEventPackage
    ) -> None:
        for material in self._materials(package):
            before = (tuple(material.publications), tuple(material.watchers))

            package.compose(material)

            assert (tuple(material.publications), tuple(material.watchers)) == before

    def test_the_order_of_composing_does_not_matter(
        self, package: IEventPackage
    ) -> None:
        materials = self._materials(package)

        states = [package.compose(each) for each in materials]
        backwards = [package.compose(each) for each in reversed(materials)]
        assert backwards[::-1] == states

    def test_who_is_blocked_politely_sees_nobody_at_home(
        self, package: IEventPackage
    ) -> None:
        for presentity in (ALICE, CAROL):
            neutral = package.neutral(presentity)

            assert neutral == package.compose(Material(presentity))
            assert _bytes(package, neutral) == _bytes(
                package, package.compose(Material(presentity))
            )

    def test_the_full_view_leaves_all(self, package: IEventPackage) -> None:
        for state in self._states(package):
            assert package.narrow(state, FULL) == state

    def test_the_neutral_view_leaves_nobody_at_home(
        self, package: IEventPackage
    ) -> None:
        for material in self._materials(package):
            state = package.compose(material)

            assert package.narrow(state, NEUTRAL) == package.neutral(
                material.presentity
            )

    def test_a_view_it_does_not_know_can_be_written(
        self, package: IEventPackage
    ) -> None:
        for state in self._states(package):
            assert _bytes(package, package.narrow(state, View("x-unheard-of")))

    # --- Writing

    def test_equal_states_are_written_alike(self, package: IEventPackage) -> None:
        again = self.make()

        for material, other in zip(
            self._materials(package), self._materials(again), strict=True
        ):
            assert _bytes(package, package.compose(material)) == _bytes(
                again, again.compose(other)
            )

    def test_every_type_it_produces_is_written(self, package: IEventPackage) -> None:
        for state in self._states(package):
            for content_type in package.produces:
                body = package.render(state, content_type)

                assert isinstance(body, Body | NumberedBody)
                assert body.content_type == content_type
                assert body.numbered(0)

    # --- What it is tried with

    def _states(self, package: IEventPackage) -> Iterator[Any]:
        return (package.compose(each) for each in self._materials(package))

    def _materials(self, package: IEventPackage) -> list[Material]:
        """Give material of the kind it feeds on, the same each time."""
        presentities = st.sampled_from([ALICE, CAROL])
        if package.feeds is Feed.WATCHERS:
            watchers = st.builds(Material, presentities, watchers=_WATCHERS)
            return examples(watchers, 50)
        if package.feeds is Feed.ACCOUNT:
            accounts = st.sampled_from(list(self.accounts))
            return examples(st.builds(Material, presentities, account=accounts), 10)
        if package.feeds is Feed.REGISTRATIONS:
            bindings = st.builds(Material, presentities, bindings=_BINDINGS)
            return examples(bindings, 20)
        bodies = st.lists(st.integers(0, len(self.bodies) - 1), max_size=4)
        return [
            Material(
                presentity,
                [
                    self._publication(package, presentity, which, place)
                    for place, which in enumerate(chosen)
                ],
            )
            for presentity, chosen in examples(st.tuples(presentities, bodies), 50)
        ]

    def _publication(
        self,
        package: IEventPackage,
        presentity: AddressOfRecord,
        which: int,
        place: int,
    ) -> Publication:
        content_type, body = self.bodies[which]
        return Publication(
            key=f"key-{place}",
            presentity=presentity,
            package=package.name,
            entity_tag=EntityTag(f"tag-{place}"),
            content_type=content_type,
            body=body,
            document=package.parse(content_type, body),
            expires_at=3600.0,
            modified_at=100.0 - place,
        )


def _bytes(package: IEventPackage, state: Any) -> list[bytes]:
    return [package.render(state, each).numbered(7) for each in package.produces]


def _problem(package: IEventPackage, content_type: str, body: bytes) -> str:
    """Say what is wrong with how a body is read, if anything is."""
    try:
        document = package.parse(content_type, body)
    except MalformedDocument as refusal:
        text = str(refusal)
        return "" if text and "\n" not in text else f"not one line: {text!r}"
    # Whatever is read can be shown.
    publication = Publication(
        "key",
        ALICE,
        package.name,
        EntityTag("tag"),
        content_type,
        body,
        document,
        3600.0,
        0.0,
    )
    state = package.compose(Material(ALICE, [publication]))
    return "" if all(_bytes(package, state)) else "written as nothing"


def _damaged(bodies: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Give bodies cut, spliced and with octets changed, and mere octets."""
    anything = st.binary(max_size=200)
    if not bodies:
        return anything
    whole = st.sampled_from(list(bodies))

    def cut(body: bytes, begin: int, end: int, between: bytes) -> bytes:
        begin, end = sorted((begin % (len(body) + 1), end % (len(body) + 1)))
        return body[:begin] + between + body[end:]

    cutting: Callable[..., bytes] = cut
    places = st.integers(0, 5000)
    return st.one_of(
        anything,
        st.text(max_size=100).map(str.encode),
        st.builds(cutting, whole, places, places, st.binary(max_size=8)),
        st.builds(cutting, whole, places, places, whole),
    )
