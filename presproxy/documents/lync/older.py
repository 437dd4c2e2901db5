"""
The documents of clients of 2005, which know no categories ([MS-SIP] 2.2.1, 2.2.3).

They are told of presence by two numbers, and keep one list of who may see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from presproxy.documents.lync.addresses import with_scheme, without_scheme
from presproxy.documents.reading import LIMITS, Node, read_root
from presproxy.documents.writing import element, text
from presproxy.documents.xml import Limits, parse
from presproxy.errors import MalformedDocument

ACL_TYPE = "application/vnd-microsoft-roaming-acls+xml"
PENDING_TYPE = "text/xml+msrtc.wpending"
PROVISIONING_TYPE = "application/vnd-microsoft-roaming-provisioning+xml"
PRESENCE_TYPE = "text/xml+msrtc.pidf"

#: As [MS-SIP] 6 has it; clients write others, and this server reads any.
PRESENCE = "http://schemas.microsoft.com/09/2002/sip/presence"

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
    phone: str = ""
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
    if presence.phone:
        pairs = (("label", ""), ("number", presence.phone))
        within.append(element("phoneNumber", (), *pairs))
    if presence.note:
        within.append(element("userInfo", [element("note", [text(presence.note)])]))
    if presence.devices:
        within.append(element("devices", map(_device_element, presence.devices)))
    return element(
        "presentity",
        within,
        ("xmlns", PRESENCE),
        ("uri", without_scheme(presence.uri)),
    ).encode()


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
    if root.tag.rpartition("}")[2] != "presentity":
        raise MalformedDocument(f"the root is {root.tag[:80]!r}, not presentity")
    node = Node(root, "presentity")
    about = node.child("userInfo")
    note = None if about is None else about.child("note")
    devices = node.child("devices")
    return OlderPresence(
        with_scheme(node.needed("uri")),
        _aggregate(node, "availability"),
        _aggregate(node, "activity"),
        "" if note is None else note.content,
        node.child_text("displayName", "displayName"),
        node.child_text("email", "email"),
        node.child_text("phoneNumber", "number"),
        node.child_text("availability", "epid"),
        () if devices is None else _read_devices(devices),
    )


def _read_devices(node: Node) -> tuple[DevicePresence, ...]:
    return tuple(
        DevicePresence(
            each.needed("epid"),
            _aggregate(each, "availability"),
            _aggregate(each, "activity"),
            each.number("ageOfPresence", 0),
            each.child_text("deviceName", "name"),
        )
        for each in node.each("devicePresence", most=_MOST_DEVICES)
    )


def _aggregate(node: Node, name: str) -> int:
    child = node.child(name)
    if child is None:
        raise node.wrong(f"no {name}")
    return child.number("aggregate")


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
    entries = root.child("userACL")
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
