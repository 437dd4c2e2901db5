"""Containers: who sees which of a user's publications ([MS-PRES] 2.2.2.5)."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import attrs

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
