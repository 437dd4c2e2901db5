"""The event packages of what users say of each other."""

from __future__ import annotations

from typing import ClassVar

import pytest
from zope.interface.verify import verifyObject

from presproxy.documents.lync.contacts import (
    DEFAULT_GROUP,
    Contact,
    ContactDelta,
    ContactList,
    Group,
    read_contact_delta,
    read_contact_list,
)
from presproxy.documents.lync.containers import MemberType
from presproxy.documents.lync.older import AccessEntry, read_acl, read_pending
from presproxy.documents.lync.provisioning import (
    CONTENT_TYPE,
    read_provisioning_groups,
    write_provisioning_query,
)
from presproxy.documents.lync.subscribers import Subscriber
from presproxy.errors import MalformedDocument
from presproxy.interfaces import Account, IDeltaPackage, IPartialPackage, Material
from presproxy.model.decision import FULL, NEUTRAL, Handling, container_view
from presproxy.packages.provisioning import (
    GROUPS,
    ProvisioningPackage,
    ProvisioningV2Package,
)
from presproxy.packages.roaming_acl import RoamingAclPackage
from presproxy.packages.roaming_contacts import RoamingContactsPackage
from presproxy.packages.wpending import WpendingPackage
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.package import EventPackageContract

ALICE = AddressOfRecord("sip:alice@example.test")
BOB = AddressOfRecord("sip:bob@example.test")
EVE = AddressOfRecord("sip:eve@elsewhere.test")

SHORT = ContactList(7, (DEFAULT_GROUP, Group(2, "Work")), (Contact(BOB, "Bob", (2,)),))
LONG = ContactList(8, SHORT.groups, (*SHORT.contacts, Contact(EVE)))
FULL_ACCOUNT = Account(
    contacts=LONG,
    handlings={
        EVE: Handling.BLOCK,
        AddressOfRecord("sip:*@example.org"): Handling.POLITE_BLOCK,
        BOB: Handling.ALLOW,
    },
    subscribers=(
        Subscriber(EVE, MemberType.FEDERATED, False, "Eve"),
        Subscriber(BOB, MemberType.SAME_ENTERPRISE, True, "Bob"),
    ),
)
SEVERAL = (Account(), Account(contacts=SHORT), FULL_ACCOUNT)

PACKAGES = [
    RoamingContactsPackage,
    RoamingAclPackage,
    WpendingPackage,
    ProvisioningPackage,
    ProvisioningV2Package,
]


class TestRoamingContactsPackage(EventPackageContract):
    accounts: ClassVar = SEVERAL

    def make(self):
        return RoamingContactsPackage()


class TestRoamingAclPackage(EventPackageContract):
    accounts: ClassVar = SEVERAL

    def make(self):
        return RoamingAclPackage()


class TestWpendingPackage(EventPackageContract):
    accounts: ClassVar = SEVERAL

    def make(self):
        return WpendingPackage()


class TestProvisioningPackage(EventPackageContract):
    accounts: ClassVar = SEVERAL

    def make(self):
        return ProvisioningPackage()


class TestProvisioningV2Package(EventPackageContract):
    accounts: ClassVar = SEVERAL

    def make(self):
        return ProvisioningV2Package()


def shown(package, account=FULL_ACCOUNT, content_type=""):
    state = package.compose(Material(ALICE, account=account))
    return package.render(state, content_type or package.produces[0]).data


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("view", [NEUTRAL, container_view(200)], ids=["no", "another"])
def test_nobody_else_sees_anything(package, view):
    package = package()
    state = package.compose(Material(ALICE, account=FULL_ACCOUNT))

    assert package.narrow(state, FULL) == state
    assert package.narrow(state, view) == package.neutral(ALICE)


@pytest.mark.parametrize("package", PACKAGES)
def test_without_an_account_it_is_as_if_nothing_was_kept(package):
    package = package()

    assert package.compose(Material(ALICE)) == package.neutral(ALICE)


def test_contacts_are_told_whole_and_then_what_changed():
    package = RoamingContactsPackage()
    former = package.compose(Material(ALICE, account=Account(contacts=SHORT)))
    state = package.compose(Material(ALICE, account=FULL_ACCOUNT))

    change = package.render_change(state, former, package.produces[0])

    assert verifyObject(IDeltaPackage, package)
    assert read_contact_list(shown(package)) == LONG
    assert read_contact_delta(change) == ContactDelta(8, 7, added=(Contact(EVE),))


def test_rights_are_what_the_list_says_of_watchers():
    assert read_acl(shown(RoamingAclPackage())) == (
        8,
        (
            AccessEntry("DOMAIN", "example.org", "BA"),
            AccessEntry("USER", BOB, "AA"),
            AccessEntry("USER", EVE, "DA"),
        ),
    )


def test_only_those_wait_who_are_not_acknowledged():
    assert read_pending(shown(WpendingPackage())) == ((EVE, "Eve"),)


# --- Settings


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["ServerConfiguration"], ("ServerConfiguration",)),
        (["ucPolicy", "meetingPolicy"], ("meetingPolicy", "ucPolicy")),
        (["unheardOf", "ucPolicy"], ("ucPolicy",)),
        (["unheardOf"], ()),
    ],
    ids=["one", "two", "one of them known", "none known"],
)
def test_the_groups_that_were_asked_for_are_told(asked, told):
    package = ProvisioningV2Package()

    part = package.part(package.produces[0], write_provisioning_query(asked))

    assert verifyObject(IPartialPackage, package)
    assert read_provisioning_groups(shown(package, content_type=part)) == told


def test_who_does_not_say_is_told_all_groups():
    package = ProvisioningV2Package()
    body = package.render("", package.produces[0])

    assert body.content_type == CONTENT_TYPE
    assert read_provisioning_groups(body.data) == GROUPS


@pytest.mark.parametrize("body", [b"", b"<a", b"<provisioningGroupList/>"])
def test_a_question_that_is_none_is_malformed(body):
    package = ProvisioningV2Package()

    with pytest.raises(MalformedDocument):
        package.part(package.produces[0], body)


def test_settings_of_2005_are_none():
    assert shown(ProvisioningPackage()) == b"<provisioning/>"
