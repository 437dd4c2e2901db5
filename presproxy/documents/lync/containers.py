"""Containers: who sees which of a user's publications ([MS-PRES] 2.2.2.5)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

import attrs

from presproxy.documents.lync.addresses import without_scheme
from presproxy.documents.reading import LIMITS, Node, read_root
from presproxy.documents.writing import element
from presproxy.documents.xml import Limits

CONTENT_TYPE = "application/msrtc-setcontainermembers+xml"

NAMESPACE = "http://schemas.microsoft.com/2006/09/sip/containers"
MANAGEMENT = "http://schemas.microsoft.com/2006/09/sip/container-management"

#: In one document; chosen, as clients know of six.
MOST_CONTAINERS = 100
#: In one container; chosen.
MOST_MEMBERS = 5000

#: What everybody sees who is in no other container; the owner's own, and what goes into
#: the aggregates of 100, 200 and 400, and of 300.
DEFAULT, SELF, AGGREGATION, WORKGROUP_AGGREGATION = 0, 1, 2, 3
#: External contacts, colleagues, workgroup, friends and family, and who is blocked.
EXTERNAL, COLLEAGUES, WORKGROUP, PERSONAL, BLOCKED = 100, 200, 300, 400, 32000


class MemberType(enum.StrEnum):
    """Whom a member stands for; the most specific one comes first."""

    USER = "user"
    DOMAIN = "domain"
    SAME_ENTERPRISE = "sameEnterprise"
    FEDERATED = "federated"
    PUBLIC_CLOUD = "publicCloud"
    EVERYONE = "everyone"


@attrs.frozen
class Member:
    """
    A member of a container.

    ``value`` is an address without its scheme for a user, a name for a domain, both in
    lower case, and empty for all others.
    """

    type: MemberType
    value: str = ""


@attrs.frozen
class Container:
    """Who is in a container; ``version`` is 0 for one that nobody ever changed."""

    id: int
    version: int = 0
    members: frozenset[Member] = frozenset()


@attrs.frozen
class ContainerChange:
    """What is asked to be changed in one container, made on ``version`` of it."""

    id: int
    version: int
    added: Sequence[Member] = ()
    removed: Sequence[Member] = ()


def read_container_members(
    data: bytes, limits: Limits = LIMITS
) -> tuple[ContainerChange, ...]:
    """Read how containers are to be changed; raises `MalformedDocument`."""
    root = read_root(data, "setContainerMembers", MANAGEMENT, limits)
    return tuple(
        _read_change(each) for each in root.each("container", most=MOST_CONTAINERS)
    )


def _read_change(node: Node) -> ContainerChange:
    added: list[Member] = []
    removed: list[Member] = []
    for each in node.each("member", most=MOST_MEMBERS):
        action = each.needed("action")
        if action not in ("add", "remove"):
            raise each.wrong(f"action is {action[:40]!r}, not add or remove")
        (added if action == "add" else removed).append(read_member(each))
    return ContainerChange(
        node.number("id"), node.number("version", 0), tuple(added), tuple(removed)
    )


def read_member(node: Node) -> Member:
    """Read an element ``member``."""
    type = read_member_type(node)
    if type is MemberType.USER:
        return Member(type, without_scheme(node.needed("value")).lower())
    if type is MemberType.DOMAIN:
        return Member(type, node.needed("value").lower())
    return Member(type)


def read_member_type(node: Node) -> MemberType:
    """Read for whom an element with a ``type`` stands."""
    text = node.needed("type")
    try:
        return MemberType(text)
    except ValueError:
        raise node.wrong(f"type is {text[:40]!r}, which is none") from None


def write_container_members(changes: Iterable[ContainerChange]) -> bytes:
    """Write how containers are to be changed."""
    return element(
        "setContainerMembers",
        [_change_element(each) for each in changes],
        ("xmlns", MANAGEMENT),
    ).encode()


def _change_element(change: ContainerChange) -> str:
    members = [_member_element(each, ("action", "add")) for each in change.added]
    members += [_member_element(each, ("action", "remove")) for each in change.removed]
    return element("container", members, ("id", change.id), ("version", change.version))


def containers_element(containers: Iterable[Container]) -> str:
    """Write the element ``containers``, each with all of its members."""
    return element(
        "containers",
        [
            element(
                "container",
                [
                    _member_element(member)
                    for member in sorted(each.members, key=_order)
                ],
                ("id", each.id),
                ("version", each.version),
            )
            for each in containers
        ],
        ("xmlns", NAMESPACE),
    )


def _order(member: Member) -> tuple[str, str]:
    return (member.type, member.value)


def _member_element(member: Member, *pairs: tuple[str, object]) -> str:
    if member.value:
        return element(
            "member", (), *pairs, ("type", member.type), ("value", member.value)
        )
    return element("member", (), *pairs, ("type", member.type))


def containers_within(root: Node) -> tuple[Container, ...]:
    """Read the element ``containers``."""
    return tuple(
        Container(
            each.number("id"),
            each.number("version", 0),
            frozenset(read_member(m) for m in each.each("member", most=MOST_MEMBERS)),
        )
        for each in root.each("container", most=MOST_CONTAINERS)
    )
