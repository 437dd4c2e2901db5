"""``vnd-microsoft-roaming-self``: all of it, and what changed."""

from __future__ import annotations

import attrs
import pytest

from presproxy.documents.lync.categories import Category, CategoryName, ExpireType
from presproxy.documents.lync.containers import Container, Member, MemberType
from presproxy.documents.lync.roaming import CONTENT_TYPE, read_roaming
from presproxy.documents.lync.subscribers import Subscriber
from presproxy.interfaces import Account, Material
from presproxy.model.decision import FULL, NEUTRAL
from presproxy.packages.roaming_self import RoamingSelfPackage
from presproxy.testing.contracts.package import EventPackageContract

ALICE, BOB = "sip:alice@example.test", "sip:bob@example.test"
AT = 1_700_000_000.0


def category(name="state", container=2, version=1, body=b""):
    return Category(
        CategoryName(name, 0, container),
        version,
        ExpireType.STATIC,
        body or b'<a xmlns="urn:a"/>',
        AT,
    )


COLLEAGUES = Container(200, 1, frozenset({Member(MemberType.SAME_ENTERPRISE)}))
SUBSCRIBER = Subscriber(BOB, MemberType.SAME_ENTERPRISE)
ACCOUNT = Account(
    [category(), category(container=3), category("note", 200)],
    [COLLEAGUES, Container(100, 2)],
    [SUBSCRIBER],
)


class TestContract(EventPackageContract):
    accounts = (ACCOUNT, Account())

    def make(self):
        return RoamingSelfPackage()


@pytest.fixture
def package():
    return RoamingSelfPackage()


@pytest.fixture
def composed(package):
    return lambda account: package.compose(Material(ALICE, account=account))


def test_all_there_is_is_shown(package, composed):
    body = package.render(composed(ACCOUNT), CONTENT_TYPE)

    shown = read_roaming(body.data)
    assert (body.content_type, shown.uri) == (CONTENT_TYPE, ALICE)
    assert {*shown.categories} == {*ACCOUNT.categories}
    assert {*shown.containers} == {*ACCOUNT.containers}
    assert {*shown.subscribers} == {*ACCOUNT.subscribers}


@pytest.mark.parametrize(
    ("chosen", "there"),
    [
        ("", (True, True, True)),
        (";roaming=categories", (True, False, False)),
        (";roaming=containers,subscribers", (False, True, True)),
    ],
)
def test_what_was_asked_for_is_shown(package, composed, chosen, there):
    content_type = CONTENT_TYPE + chosen
    state, former = composed(ACCOUNT), composed(Account())

    whole = package.render(state, content_type)
    change = package.render_change(state, former, content_type)

    assert whole.content_type == CONTENT_TYPE
    for data in (whole.data, change):
        shown = read_roaming(data)
        parts = (shown.categories, shown.containers, shown.subscribers)
        assert tuple(part is not None for part in parts) == there


def test_where_there_is_nothing_all_parts_are_there_and_empty(package, composed):
    shown = read_roaming(package.render(composed(Account()), CONTENT_TYPE).data)

    assert [*shown.categories, *shown.containers, *shown.subscribers] == []


def changed(package, composed, **parts):
    state = composed(attrs.evolve(ACCOUNT, **parts))
    return read_roaming(package.render_change(state, composed(ACCOUNT), CONTENT_TYPE))


def test_of_a_category_that_changed_all_is_told(package, composed):
    categories = [category(version=2), *ACCOUNT.categories[1:]]

    shown = changed(package, composed, categories=categories)

    assert {*shown.categories} == {*categories[:2]}
    assert (shown.cleared, shown.containers, shown.subscribers) == ((), None, None)


def test_what_is_gone_is_told_as_cleared(package, composed):
    shown = changed(package, composed, categories=ACCOUNT.categories[:2])

    assert ([*shown.categories], [*shown.cleared]) == ([], ["note"])


def test_what_is_gone_of_a_category_is_told_by_what_is_left(package, composed):
    shown = changed(package, composed, categories=ACCOUNT.categories[1:])

    assert {*shown.categories} == {category(container=3)}
    assert [*shown.cleared] == []


def test_containers_and_subscribers_that_changed_are_told(package, composed):
    container = attrs.evolve(COLLEAGUES, version=2, members=frozenset())
    known = attrs.evolve(SUBSCRIBER, is_acknowledged=True)

    shown = changed(
        package,
        composed,
        containers=[container, *ACCOUNT.containers[1:]],
        subscribers=[known],
    )

    assert shown.categories is None
    assert ([*shown.containers], [*shown.subscribers]) == ([container], [known])


def test_a_container_that_is_gone_is_told_by_all_there_is(package, composed):
    state = composed(attrs.evolve(ACCOUNT, containers=[]))

    assert package.render_change(state, composed(ACCOUNT), CONTENT_TYPE) is None


def test_the_order_in_which_things_are_kept_does_not_matter(package, composed):
    turned = Account(
        ACCOUNT.categories[::-1], ACCOUNT.containers[::-1], ACCOUNT.subscribers[::-1]
    )

    one, other = (
        package.render(composed(each), CONTENT_TYPE) for each in (ACCOUNT, turned)
    )

    assert one == other


def test_others_see_nothing(package, composed):
    state = composed(ACCOUNT)

    assert package.narrow(state, FULL) is state
    assert package.narrow(state, NEUTRAL) == package.neutral(ALICE)
