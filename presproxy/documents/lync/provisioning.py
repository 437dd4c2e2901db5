"""What a client is told of how it is to work ([MS-SIPREGE] 2.2.2)."""

from __future__ import annotations

from collections.abc import Iterable

from presproxy.documents.reading import LIMITS, read_root
from presproxy.documents.writing import element
from presproxy.documents.xml import Limits

CONTENT_TYPE = "application/vnd-microsoft-roaming-provisioning-v2+xml"

_ASKED = "http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist"
_TOLD = "http://schemas.microsoft.com/2006/09/sip/provisiongrouplist-notification"

#: Chosen; SIPE asks for four.
_MOST_GROUPS = 100


def read_provisioning(data: bytes, limits: Limits = LIMITS) -> tuple[str, ...]:
    """Read which groups of settings are asked for; raises `MalformedDocument`."""
    root = read_root(data, "provisioningGroupList", _ASKED, limits)
    names = [
        each.needed("name")
        for each in root.each("provisioningGroup", most=_MOST_GROUPS)
    ]
    return tuple(dict.fromkeys(names))


def write_provisioning_query(names: Iterable[str]) -> bytes:
    """Write which groups of settings are asked for."""
    return _write("provisioningGroupList", "provisioningGroup", _ASKED, names)


def write_provisioning(names: Iterable[str]) -> bytes:
    """
    Write groups with nothing in them.

    That is enough; much of what could stand there sends clients to services that are not
    here.
    """
    return _write("provisionGroupList", "provisionGroup", _TOLD, names)


def _write(root: str, each: str, namespace: str, names: Iterable[str]) -> bytes:
    groups = [element(each, (), ("name", name)) for name in names]
    return element(root, groups, ("xmlns", namespace)).encode()


def read_provisioning_groups(data: bytes, limits: Limits = LIMITS) -> tuple[str, ...]:
    """Read which groups of settings were told; raises `MalformedDocument`."""
    root = read_root(data, "provisionGroupList", _TOLD, limits)
    return tuple(
        each.needed("name") for each in root.each("provisionGroup", most=_MOST_GROUPS)
    )
