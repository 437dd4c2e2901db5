"""
What a user's own endpoints are told of him: ``vnd-microsoft-roaming-self``.

His publications, his containers and his subscribers ([MS-PRES] 1.3.1.5).  The first
document has all of what was asked for, later ones the parts that changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from presproxy.documents.lync.bodies import Bodies
from presproxy.documents.lync.categories import (
    NAMESPACE as CATEGORIES,
)
from presproxy.documents.lync.categories import (
    Category,
    categories_element,
    categories_within,
)
from presproxy.documents.lync.containers import (
    NAMESPACE as CONTAINERS,
)
from presproxy.documents.lync.containers import (
    Container,
    containers_element,
    containers_within,
)
from presproxy.documents.lync.subscribers import (
    NAMESPACE as SUBSCRIBERS,
)
from presproxy.documents.lync.subscribers import (
    Subscriber,
    subscribers_element,
    subscribers_within,
)
from presproxy.documents.reading import LIMITS, read_root, root_of
from presproxy.documents.writing import element
from presproxy.documents.xml import Limits, parse_tree

CONTENT_TYPE = "application/vnd-microsoft-roaming-self+xml"
NAMESPACE = "http://schemas.microsoft.com/2006/09/sip/roaming-self"

#: What can be asked for.
PARTS = frozenset({"categories", "containers", "subscribers"})
#: Elements in what is asked for; there are three parts.
_MOST_ASKED = 20


@attrs.frozen
class Roaming:
    """What stands in one document; None is a part that is not there."""

    uri: str = ""
    categories: Sequence[Category] | None = None
    cleared: Sequence[str] = ()
    containers: Sequence[Container] | None = None
    subscribers: Sequence[Subscriber] | None = None


def read_roaming_list(data: bytes, limits: Limits = LIMITS) -> frozenset[str]:
    """
    Read which of the `PARTS` somebody asks for; raises `MalformedDocument`.

    Parts that are not known here are passed over.
    """
    root = read_root(data, "roamingList", NAMESPACE, limits)
    asked = {each.needed("type") for each in root.each("roaming", most=_MOST_ASKED)}
    return PARTS & asked


def write_roaming_list(parts: Iterable[str]) -> bytes:
    """Write which parts are asked for."""
    return element(
        "roamingList",
        [element("roaming", (), ("type", each)) for each in sorted(parts)],
        ("xmlns", NAMESPACE),
    ).encode()


def write_roaming(
    uri: str,
    *,
    categories: Iterable[Category] | None = None,
    cleared: Iterable[str] = (),
    containers: Iterable[Container] | None = None,
    subscribers: Iterable[Subscriber] | None = None,
) -> bytes:
    """Write the parts that are given; ``cleared`` belong to the categories."""
    parts: list[str] = []
    if categories is not None:
        parts.append(categories_element(uri, categories, cleared))
    if containers is not None:
        parts.append(containers_element(containers))
    if subscribers is not None:
        parts.append(subscribers_element(subscribers))
    return element("roamingData", parts, ("xmlns", NAMESPACE)).encode()


def read_roaming(data: bytes, limits: Limits = LIMITS) -> Roaming:
    """Read such a document; raises `MalformedDocument`."""
    tree = parse_tree(data, limits)
    root = root_of(tree, "roamingData", NAMESPACE)
    roaming = Roaming()
    part = root.only(f"{{{CATEGORIES}}}categories")
    if part is not None:
        found = categories_within(part, Bodies(tree, limits.octets))
        roaming = Roaming(found.uri, found.categories, found.cleared)
    part = root.only(f"{{{CONTAINERS}}}containers")
    if part is not None:
        roaming = attrs.evolve(roaming, containers=containers_within(part))
    part = root.only(f"{{{SUBSCRIBERS}}}subscribers")
    if part is not None:
        roaming = attrs.evolve(roaming, subscribers=subscribers_within(part))
    return roaming
