"""
Writing an element as a fragment which any presence document can hold.

A fragment relies on three declarations of the document around it: PIDF is the default
namespace, ``dm`` and ``rpid`` are the data model's and RPID's prefixes.  Readers which
match text rely on just these spellings.  It declares every other namespace itself, at
the element that first needs it, so fragments are joined by joining their bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from xml.etree.ElementTree import Element

from presproxy.documents.xml import XML, Tree
from presproxy.errors import MalformedDocument

PIDF = "urn:ietf:params:xml:ns:pidf"
DATA_MODEL = "urn:ietf:params:xml:ns:pidf:data-model"
RPID = "urn:ietf:params:xml:ns:pidf:rpid"

#: From a namespace to its prefix.
Scope = Mapping[str, str]
#: As the root of a presence document declares them.
STANDARD: Scope = {PIDF: "", DATA_MODEL: "dm", RPID: "rpid", XML: "xml"}

#: Left out: two documents may use the same, and libxml2 reads no document that has one
#: twice.  The ids of presence documents have no namespace.
_XML_ID = f"{{{XML}}}id"

#: The namespace of elements and attributes that have none.
_NONE = ""
#: In a scope: PIDF's prefix for attributes, which cannot have a default namespace.
_PIDF_ATTRIBUTES = "@"
#: White space (XML 1.0 §2.3); Unicode has more.
BLANK = " \t\r\n"

#: The names met all the time, as they are written in the standard scope.
_NAMES = {
    f"{{{namespace}}}{name}": f"{STANDARD[namespace]}:{name}".removeprefix(":")
    for namespace, names in {
        PIDF: "basic contact note status timestamp",
        DATA_MODEL: "deviceID note timestamp",
        RPID: "activities appointment away busy class meeting mood on-the-phone other "
        "place-is place-type relationship sphere status-icon time-offset user-input",
    }.items()
    for name in names.split()
}

_SCHEME = "[A-Za-z][A-Za-z0-9+.-]*+:"
_SAFE = "[A-Za-z0-9._~!$&'()*+,;=@%-]"
#: What may name a namespace (RFC 3986 §4.1).  Expat does not look; libxml2 does, and a
#: watcher with it could not read the whole document.
_URI = re.compile(
    rf"(?={_SCHEME}|[^:/?#]*+(?:[/?#]|\Z))(?!.*%(?![0-9A-Fa-f]{{2}}))"
    rf"(?:{_SCHEME})?+(?://{_SAFE}*+(?::[0-9]{{0,5}}+)?+(?=[/?#]|\Z)|(?!//))"
    rf"(?:{_SAFE}|[:/])*+(?:\?(?:{_SAFE}|[:/?])*+)?+(?:#(?:{_SAFE}|[:/?])*+)?+"
)


class Fragment(NamedTuple):
    """One element, written; ``tag`` is its name as ``{namespace}name``."""

    tag: str
    data: bytes


class Fragments:
    """
    Writes fragments of one parsed document.

    The prefixes that the document itself used are kept where they are free.  Raises
    `MalformedDocument` when the declarations to be repeated grow over ``most`` octets.
    """

    __slots__ = ("_left", "_tree")

    def __init__(self, tree: Tree, most: int) -> None:
        self._tree = tree
        self._left = most

    def write(self, element: Element) -> bytes:
        """Write an element and all within, without white space between elements."""
        name = _NAMES.get(element.tag)
        if name is not None and not len(element) and not element.items():
            # Nearly all are like this, and the way below takes twice as long.
            text = element.text
            written = f"<{name}>{escaped(text)}</{name}>" if text else f"<{name}/>"
            return written.encode()
        out: list[str] = []
        self._write(element, STANDARD, out)
        return "".join(out).encode()

    def attributes(self, element: Element, without: str = "") -> bytes:
        """Write the attributes of an element but one, with what they need declared."""
        attributes = element.items()
        if not attributes or (
            len(attributes) == 1 and element.get(without) is not None
        ):
            return b""
        others = [(name, value) for name, value in attributes if name != without]
        text, _ = self._attributes(others, STANDARD)
        return text.encode()

    def _write(self, element: Element, scope: Scope, out: list[str]) -> None:
        name = _NAMES.get(element.tag) if scope is STANDARD else None
        declared = ""
        if name is None:
            name, declared, scope = self._name(element.tag, scope)
        attributes = element.items()
        if attributes:
            text, scope = self._attributes(attributes, scope)
            declared += text
        if len(element):
            out.append(f"<{name}{declared}>")
            self._write_content(element, scope, out)
            out.append(f"</{name}>")
        elif element.text:
            out.append(f"<{name}{declared}>{escaped(element.text)}</{name}>")
        else:
            out.append(f"<{name}{declared}/>")

    def _write_content(self, element: Element, scope: Scope, out: list[str]) -> None:
        mixed = _is_mixed(element)
        if mixed and element.text:
            out.append(escaped(element.text))
        for child in element:
            self._write(child, scope, out)
            if mixed and child.tail:
                out.append(escaped(child.tail))

    def _name(self, tag: str, scope: Scope) -> tuple[str, str, Scope]:
        """Give an element's name, the declaration it needs, and the scope within."""
        namespace, local = split_name(tag)
        declaration = ""
        prefix = scope.get(namespace)
        if prefix is None:
            prefix, declaration, scope = self._declare(namespace, scope, namespace)
        return (f"{prefix}:{local}" if prefix else local), declaration, scope

    def _attributes(
        self, attributes: Iterable[tuple[str, str]], scope: Scope
    ) -> tuple[str, Scope]:
        """Write attributes and what they need declared, and give the scope within."""
        text = ""
        for name, value in attributes:
            if name == _XML_ID:
                continue
            if name[0] == "{":
                namespace, local = split_name(name)
                key = _PIDF_ATTRIBUTES if namespace == PIDF else namespace
                prefix = scope.get(key)
                if prefix is None:
                    prefix, declaration, scope = self._declare(namespace, scope, key)
                    text += declaration
                name = f"{prefix}:{local}"
            text += f' {name}="{escaped_attribute(value)}"'
        return text, scope

    def _declare(
        self, namespace: str, scope: Scope, key: str
    ) -> tuple[str, str, Scope]:
        """Give a prefix, its declaration, and the scope that knows it as ``key``."""
        if namespace == _NONE:
            # Within it PIDF is no longer the default, and gets a prefix as others do.
            inner = {name: prefix for name, prefix in scope.items() if prefix}
            return "", ' xmlns=""', {**inner, _NONE: ""}
        if not is_namespace(namespace):
            raise MalformedDocument(f"{namespace[:40]!r} is no URI to name a namespace")
        prefix = self._free_prefix(namespace, set(scope.values()))
        declaration = f' xmlns:{prefix}="{escaped_attribute(namespace)}"'
        self._left -= len(declaration)
        if self._left < 0:
            raise MalformedDocument("too many elements that need a namespace declared")
        return prefix, declaration, {**scope, key: prefix}

    def _free_prefix(self, namespace: str, taken: set[str]) -> str:
        prefix = self._tree.prefix(namespace)
        if prefix and prefix not in taken and not prefix.lower().startswith("xml"):
            return prefix
        number = 1
        while f"ns{number}" in taken:
            number += 1
        return f"ns{number}"


def written(name: bytes, attributes: bytes, content: bytes) -> bytes:
    """Write an element of parts that are written; an empty one closes itself."""
    if not content:
        return b"<%b%b/>" % (name, attributes)
    return b"<%b%b>%b</%b>" % (name, attributes, content, name)


def with_id(fragment: bytes, old: bytes, new: bytes) -> bytes:
    """Give a fragment, whose first attribute is the id, another one; all are escaped."""
    begin = fragment.index(b'"') + 1
    return fragment[:begin] + new + fragment[begin + len(old) :]


def split_name(name: str) -> tuple[str, str]:
    """Cut ``{namespace}name`` in two; the namespace is empty if there is none."""
    if name[0] != "{":
        return _NONE, name
    namespace, _, local = name[1:].rpartition("}")
    return namespace, local


def is_namespace(name: str) -> bool:
    """Whether every reader takes this for the name of a namespace."""
    return _URI.fullmatch(name) is not None


def _is_mixed(element: Element) -> bool:
    """Say whether there is more than white space between the elements within."""
    if element.text and element.text.strip(BLANK):
        return True
    for child in element:  # noqa: SIM110  (a generator costs twice as much)
        if child.tail and child.tail.strip(BLANK):
            return True
    return False


_SPECIAL = re.compile(r'[&<>"\r\n\t]')
_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_ATTRIBUTE = _TEXT | {'"': "&quot;", "\n": "&#10;", "\t": "&#9;"}


def escaped(text: str) -> str:
    """Write character data."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: _TEXT.get(found[0], found[0]), text)


def escaped_attribute(value: str) -> str:
    """Write an attribute's value, to stand between double quotes."""
    if _SPECIAL.search(value) is None:
        return value
    return _SPECIAL.sub(lambda found: _ATTRIBUTE[found[0]], value)
