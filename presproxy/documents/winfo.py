"""
Watcher information documents (RFC 3858).

What stands in them is given and taken as values.  The version is counted per
subscription, so a document is written in two halves around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

import attrs

from presproxy.documents.fragments import escaped, escaped_attribute
from presproxy.documents.xml import STANDARD_LIMITS, Limits, parse
from presproxy.errors import MalformedDocument

CONTENT_TYPE = "application/watcherinfo+xml"
NAMESPACE = "urn:ietf:params:xml:ns:watcherinfo"

_WATCHERINFO = f"{{{NAMESPACE}}}watcherinfo"
_WATCHER_LIST = f"{{{NAMESPACE}}}watcher-list"
_WATCHER = f"{{{NAMESPACE}}}watcher"

_STATUSES = ("pending", "active", "waiting", "terminated")


@attrs.frozen
class Watcher:
    """
    One watcher (RFC 3858 §3).

    ``status`` is pending, active, waiting or terminated; ``event`` what brought it
    there.  ``expiration`` and ``duration_subscribed`` are seconds, None if not told.
    """

    id: str
    uri: str
    status: str
    event: str
    display_name: str = ""
    expiration: int | None = None
    duration_subscribed: int | None = None

    def write(self) -> bytes:
        """Write the element."""
        attributes = {
            "id": self.id,
            "status": self.status,
            "event": self.event,
            "display-name": self.display_name,
            "expiration": _number(self.expiration),
            "duration-subscribed": _number(self.duration_subscribed),
        }
        written = "".join(
            f' {name}="{escaped_attribute(value)}"'
            for name, value in attributes.items()
            if value
        )
        return f"<watcher{written}>{escaped(self.uri)}</watcher>".encode()


@attrs.frozen
class WatcherList:
    """The watchers of one resource for one package (RFC 3858 §3)."""

    resource: str
    package: str
    watchers: Sequence[Watcher] = ()

    def write(self) -> bytes:
        """Write the element."""
        return write_list(
            self.resource, self.package, [watcher.write() for watcher in self.watchers]
        )


@attrs.frozen
class WatcherInformation:
    """A document; without ``is_full`` it holds only what changed (RFC 3858 §3)."""

    version: int
    is_full: bool
    lists: Sequence[WatcherList] = ()

    def write(self) -> bytes:
        """Write the document."""
        before, after = halves(
            b"".join([each.write() for each in self.lists]), self.is_full
        )
        return b"%b%d%b" % (before, self.version, after)


def write_list(resource: str, package: str, watchers: Iterable[bytes]) -> bytes:
    """Write a list of watchers that are written already."""
    return b'<watcher-list resource="%b" package="%b">%b</watcher-list>' % (
        escaped_attribute(resource).encode(),
        escaped_attribute(package).encode(),
        b"".join(watchers),
    )


def halves(lists: bytes, is_full: bool = True) -> tuple[bytes, bytes]:
    """Write what stands before and what after the version of a document."""
    before = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<watcherinfo xmlns="{NAMESPACE}" version="'
    ).encode()
    state = b"full" if is_full else b"partial"
    return before, b'" state="%b">%b</watcherinfo>\n' % (state, lists)


def read(data: bytes, limits: Limits = STANDARD_LIMITS) -> WatcherInformation:
    """
    Read a watcher information document; raises `MalformedDocument`.

    White space around numbers is let pass, as some servers pad them.
    """
    root = parse(data, limits)
    if root.tag != _WATCHERINFO:
        raise MalformedDocument(
            f"the root is {root.tag[:80]}, not watcherinfo of {NAMESPACE}"
        )
    version = _read_number(root, "version")
    state = root.get("state", "").strip()
    if version is None or state not in ("full", "partial"):
        raise MalformedDocument("watcherinfo has no version, or no state")
    lists = tuple(_read_list(each) for each in root if each.tag == _WATCHER_LIST)
    return WatcherInformation(version, state == "full", lists)


def _read_list(element: Element) -> WatcherList:
    return WatcherList(
        _needed(element, "resource"),
        _needed(element, "package"),
        tuple(_read_watcher(each) for each in element if each.tag == _WATCHER),
    )


def _read_watcher(element: Element) -> Watcher:
    status = _needed(element, "status")
    if status not in _STATUSES:
        raise MalformedDocument(f"a watcher's status is {status[:40]!r}")
    return Watcher(
        _needed(element, "id"),
        "".join(element.itertext()).strip(),
        status,
        _needed(element, "event"),
        element.get("display-name", ""),
        _read_number(element, "expiration"),
        _read_number(element, "duration-subscribed"),
    )


def _needed(element: Element, name: str) -> str:
    value = element.get(name, "").strip()
    if not value:
        raise MalformedDocument(f"{element.tag.rpartition('}')[2]} has no {name}")
    return value


def _read_number(element: Element, name: str) -> int | None:
    text = element.get(name)
    if text is None:
        return None
    text = text.strip()
    # The schema's numbers are of 64 bits.
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise MalformedDocument(f"{name} is {text[:40]!r}, which is no number")
    return int(text)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
