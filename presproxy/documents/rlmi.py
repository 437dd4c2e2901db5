"""
Meta-information of resource lists (RFC 4662 §5), with what Lync adds to it.

It says of each resource which instances there are, how their subscriptions stand, and
which part of the body is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from presproxy.documents.reading import Node, read_root
from presproxy.documents.writing import attribute, flag, text
from presproxy.documents.xml import Limits

CONTENT_TYPE = "application/rlmi+xml"
NAMESPACE = "urn:ietf:params:xml:ns:rlmi"

#: A list of some thousand resources, with a name and an instance each.
LIMITS = Limits(octets=1024 * 1024, elements=10000, namespaces=1024)

#: In one list, and of one resource; chosen.
_MOST_RESOURCES = 5000
_MOST_INSTANCES = 50


@attrs.frozen
class RlmiInstance:
    """
    One instance of a resource (RFC 4662 §5.3).

    ``state`` is active, pending or terminated, or ``resubscribe`` ([MS-PRES] 3.4.5.1.3),
    with the server to go to as ``pool``.  ``cid`` names the part with its state.
    """

    id: str
    state: str
    cid: str = ""
    reason: str = ""
    pool: str = ""


@attrs.frozen
class RlmiResource:
    """One resource of a list."""

    uri: str
    instances: Sequence[RlmiInstance] = ()
    name: str = ""


@attrs.frozen
class Rlmi:
    """A document; without ``is_full`` it has only the resources that changed."""

    uri: str
    version: int
    is_full: bool
    resources: Sequence[RlmiResource] = ()


# --- writing --------------------------------------------------------------------------


def write_rlmi(
    uri: str, version: int, is_full: bool, resources: Iterable[RlmiResource]
) -> bytes:
    """Write a document."""
    content = "".join([_resource_element(each) for each in resources])
    return (
        f'<list xmlns="{NAMESPACE}" uri="{attribute(uri)}" version="{version}" '
        f'fullState="{flag(is_full)}">{content}</list>'
    ).encode()


def _resource_element(resource: RlmiResource) -> str:
    name = f"<name>{text(resource.name)}</name>" if resource.name else ""
    instances = "".join([_instance_element(each) for each in resource.instances])
    uri = attribute(resource.uri)
    return f'<resource uri="{uri}">{name}{instances}</resource>'


def _instance_element(instance: RlmiInstance) -> str:
    pairs = {
        "id": instance.id,
        "state": instance.state,
        "reason": instance.reason,
        "cid": instance.cid,
        "poolFqdn": instance.pool,
    }
    written = "".join(
        [f' {name}="{attribute(value)}"' for name, value in pairs.items() if value]
    )
    return f"<instance{written}/>"


# --- reading --------------------------------------------------------------------------


def read_rlmi(data: bytes, limits: Limits = LIMITS) -> Rlmi:
    """Read a document; raises `MalformedDocument`."""
    root = read_root(data, "list", NAMESPACE, limits)
    root.needed("fullState")
    return Rlmi(
        root.needed("uri"),
        root.number("version"),
        root.flag("fullState", False),
        tuple(map(_read_resource, root.each("resource", most=_MOST_RESOURCES))),
    )


def _read_resource(node: Node) -> RlmiResource:
    name = node.child("name")
    return RlmiResource(
        node.needed("uri"),
        tuple(map(_read_instance, node.each("instance", most=_MOST_INSTANCES))),
        "" if name is None else name.content,
    )


def _read_instance(node: Node) -> RlmiInstance:
    return RlmiInstance(
        node.needed("id"),
        node.needed("state"),
        node.text("cid"),
        node.text("reason"),
        node.text("poolFqdn"),
    )
