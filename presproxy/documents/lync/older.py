"""
The documents of clients of 2005, which know no categories ([MS-SIP] 2.2.1, 2.2.3).

They are told of presence by two numbers, and keep one list of who may see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from presproxy.documents.lync.reading import (
    LIMITS,
    Node,
    read_root,
    with_scheme,
    without_scheme,
)
from presproxy.documents.lync.writing import element, text
from presproxy.documents.xml import Limits, parse
from presproxy.errors import MalformedDocument

ACL_TYPE = "application/vnd-microsoft-roaming-acls+xml"
PENDING_TYPE = "text/xml+msrtc.wpending"
PROVISIONING_TYPE = "application/vnd-microsoft-roaming-provisioning+xml"
PRESENCE_TYPE = "text/xml+msrtc.pidf"

#: In one list of rights or of watchers; chosen, as a list of contacts is that long.
_MOST = 5000
#: Of one user.
_MOST_DEVICES = 100


# --- presence -------------------------------------------------------------------------


@attrs.frozen
class DevicePresence:
    """The presence of one device, which last said so ``age`` seconds ago."""

    epid: str
    availability: int
    activity: int
    age: int = 0
    name: str = ""


@attrs.frozen
class OlderPresence:
    """
    The presence of a user; ``uri`` is an address of record.

    ``availability`` goes from 0 to 399, ``activity`` to 999; ``epid`` is the device they
    come from.
    """

    uri: str
    availability: int
    activity: int
    note: str = ""
    display_name: str = ""
    email: str = ""
    epid: str = ""
    devices: Sequence[DevicePresence] = ()


def write_older_presence(presence: OlderPresence) -> bytes:
    """Write somebody's presence; his address has no ``sip:`` there."""
    within = [
        _number_element("availability", presence.availability, presence.epid),
        _number_element("activity", presence.activity, presence.epid),
    ]
    if presence.display_name:
        within.append(
            element("displayName", (), ("displayName", presence.display_name))
        )
    if presence.email:
        within.append(element("email", (), ("email", presence.email)))
    if presence.note:
        within.append(element("userInfo", [element("note", [text(presence.note)])]))
    if presence.devices:
        within.append(element("devices", map(_device_element, presence.devices)))
    return element("presentity", within, ("uri", without_scheme(presence.uri))).encode()


def _number_element(name: str, aggregate: int, epid: str) -> str:
    if epid:
        return element(name, (), ("aggregate", aggregate), ("epid", epid))
    return element(name, (), ("aggregate", aggregate))


def _device_element(device: DevicePresence) -> str:
    within = [
        _number_element("availability", device.availability, ""),
        _number_element("activity", device.activity, ""),
    ]
    if device.name:
        within.append(element("deviceName", (), ("name", device.name)))
    return element(
        "devicePresence", within, ("epid", device.epid), ("ageOfPresence", device.age)
    )


def read_older_presence(data: bytes, limits: Limits = LIMITS) -> OlderPresence:
    """Read somebody's presence, in whatever namespace; raises `MalformedDocument`."""
    root = parse(data, limits)
    namespace, _, name = root.tag.rpartition("}")
    if name != "presentity":
        raise MalformedDocument(f"the root is {root.tag[:80]!r}, not presentity")
    prefix = f"{namespace}}}" if namespace else ""
    node = Node(root, "presentity")
    availability = node.only(f"{prefix}availability")
    activity = node.only(f"{prefix}activity")
    if availability is None or activity is None:
        raise node.wrong("no availability, or no activity")
    display_name = node.only(f"{prefix}displayName")
    email = node.only(f"{prefix}email")
    devices = node.only(f"{prefix}devices")
    return OlderPresence(
        with_scheme(node.needed("uri")),
        availability.number("aggregate"),
        activity.number("aggregate"),
        node.bounded(
            "note", root.findtext(f"{prefix}userInfo/{prefix}note", "").strip()
        ),
        "" if display_name is None else display_name.text("displayName"),
        "" if email is None else email.text("email"),
        availability.text("epid"),
        () if devices is None else _read_devices(devices, prefix),
    )


def _read_devices(node: Node, prefix: str) -> tuple[DevicePresence, ...]:
    return tuple(
        DevicePresence(
            each.needed("epid"),
            _aggregate(each, f"{prefix}availability"),
            _aggregate(each, f"{prefix}activity"),
            each.number("ageOfPresence", 0),
            ""
            if (name := each.only(f"{prefix}deviceName")) is None
            else name.text("name"),
        )
        for each in node.each("devicePresence", most=_MOST_DEVICES)
    )


def _aggregate(node: Node, tag: str) -> int:
    found = node.only(tag)
    return 0 if found is None else found.number("aggregate")


# --- who may see ----------------------------------------------------------------------


@attrs.frozen
class AccessEntry:
    """
    What somebody may do ([MS-SIP] 2.2.3).

    ``type`` is ALL, DOMAIN or USER, and ``mask`` which.  ``rights`` are two letters, the
    first for seeing the user's presence: A allows, D denies, P asks, B blocks politely.
    """

    type: str
    mask: str
    rights: str


def write_acl(delta: int, entries: Iterable[AccessEntry]) -> bytes:
    """Write who may see and reach a user; ``delta`` counts the changes, from 1."""
    aces = [
        element(
            "ace", (), ("type", each.type), ("mask", each.mask), ("rights", each.rights)
        )
        for each in entries
    ]
    return element("ACLlist", [element("userACL", aces)], ("deltaNum", delta)).encode()


def read_acl(
    data: bytes, limits: Limits = LIMITS
) -> tuple[int, tuple[AccessEntry, ...]]:
    """Give the number of changes and who may do what; raises `MalformedDocument`."""
    root = read_root(data, "ACLlist", "", limits)
    entries = root.only("userACL")
    if entries is None:
        return root.number("deltaNum"), ()
    return root.number("deltaNum"), tuple(
        AccessEntry(each.needed("type"), each.text("mask"), each.needed("rights"))
        for each in entries.each("ace", most=_MOST)
    )


# --- who waits ------------------------------------------------------------------------


def write_pending(watchers: Iterable[tuple[str, str]]) -> bytes:
    """Write who waits to be allowed, as addresses and names."""
    return element(
        "watchers",
        [
            element("watcher", (), ("uri", uri), ("displayName", name))
            for uri, name in watchers
        ],
    ).encode()


def read_pending(data: bytes, limits: Limits = LIMITS) -> tuple[tuple[str, str], ...]:
    """Read who waits to be allowed, as addresses and names."""
    root = read_root(data, "watchers", "", limits)
    return tuple(
        (each.needed("uri"), each.text("displayName"))
        for each in root.each("watcher", most=_MOST)
    )


# --- settings -------------------------------------------------------------------------


def write_older_provisioning() -> bytes:
    """Write settings that say nothing, which is all a client needs."""
    return element("provisioning", ()).encode()
