"""
Meta-information of resource lists (RFC 4662 §5), with what Lync adds to it.

It says of each resource which instances there are, how their subscriptions stand, and
which part of the body is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

import attrs

from presproxy.documents.fragments import BLANK, escaped, escaped_attribute
from presproxy.documents.xml import Limits, parse
from presproxy.errors import MalformedDocument

CONTENT_TYPE = "application/rlmi+xml"
NAMESPACE = "urn:ietf:params:xml:ns:rlmi"

#: A list of some thousand resources, with a name and an instance each.
LIMITS = Limits(octets=1024 * 1024, elements=10000, namespaces=1024)

_LIST, _RESOURCE, _INSTANCE, _NAME = (
    f"{{{NAMESPACE}}}{name}" for name in ("list", "resource", "instance", "name")
)


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
        f'<list xmlns="{NAMESPACE}" uri="{escaped_attribute(uri)}" version="{version}" '
        f'fullState="{"true" if is_full else "false"}">{content}</list>'
    ).encode()


def _resource_element(resource: RlmiResource) -> str:
    name = f"<name>{escaped(resource.name)}</name>" if resource.name else ""
    instances = "".join([_instance_element(each) for each in resource.instances])
    uri = escaped_attribute(resource.uri)
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
        [
            f' {name}="{escaped_attribute(value)}"'
            for name, value in pairs.items()
            if value
        ]
    )
    return f"<instance{written}/>"


# --- reading --------------------------------------------------------------------------


def read_rlmi(data: bytes, limits: Limits = LIMITS) -> Rlmi:
    """Read a document; raises `MalformedDocument`."""
    root = parse(data, limits)
    if root.tag != _LIST:
        raise MalformedDocument(
            f"the root is {root.tag[:80]!r}, not list of {NAMESPACE}"
        )
    version = _needed(root, "list", "version")
    if not (version.isascii() and version.isdigit() and len(version) <= 10):
        raise MalformedDocument(f"version is {version[:40]!r}, which is no number")
    is_full = _needed(root, "list", "fullState").lower()
    if is_full not in ("true", "1", "false", "0"):
        raise MalformedDocument(f"fullState is {is_full[:40]!r}, not true or false")
    return Rlmi(
        _needed(root, "list", "uri"),
        int(version),
        is_full in ("true", "1"),
        tuple(
            _read_resource(each, number)
            for number, each in enumerate(root.findall(_RESOURCE), 1)
        ),
    )


def _read_resource(element: Element, number: int) -> RlmiResource:
    where = f"resource {number}"
    name = element.find(_NAME)
    return RlmiResource(
        _needed(element, where, "uri"),
        tuple(
            _read_instance(each, f"{where}, instance {count}")
            for count, each in enumerate(element.findall(_INSTANCE), 1)
        ),
        "" if name is None else "".join(name.itertext()).strip(BLANK),
    )


def _read_instance(element: Element, where: str) -> RlmiInstance:
    return RlmiInstance(
        _needed(element, where, "id"),
        _needed(element, where, "state"),
        element.get("cid", ""),
        element.get("reason", ""),
        element.get("poolFqdn", ""),
    )


def _needed(element: Element, where: str, name: str) -> str:
    value = element.get(name, "").strip(BLANK)
    if not value:
        raise MalformedDocument(f"{where}: no {name}")
    return value
