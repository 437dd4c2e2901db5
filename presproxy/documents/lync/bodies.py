"""
Elements of others within Lync's documents, taken out of one and put into another.

Each is written so that it says the same wherever it stands.  Elements have no prefixes:
whoever writes ``xsi:type="userState"`` means a type of the namespace that is the default
there, and clients do.  Only what attributes need has a prefix, the one it had.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from presproxy.documents.fragments import (
    escaped,
    escaped_attribute,
    is_namespace,
    split_name,
)
from presproxy.documents.xml import XML, Tree
from presproxy.errors import MalformedDocument

SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
#: The one attribute whose value is known to have a prefix in it.
_TYPE = f"{{{SCHEMA_INSTANCE}}}type"

#: Left out, as no document may have one twice.
_XML_ID = f"{{{XML}}}id"

#: Prefixes that one element may need, with those it is in.  Chosen: the most that was
#: seen is two, and every new one costs as much as there are.
_MOST_PREFIXES = 32

#: From a namespace to its prefix.
Prefixes = Mapping[str, str]
_OUTSIDE: Prefixes = {XML: "xml"}


class Bodies:
    """
    Writes elements of one parsed document.

    Raises `MalformedDocument` when all that was written grows over ``most`` octets, or
    when a namespace has a name that watchers could not read.
    """

    __slots__ = ("_declared", "_left", "_most", "_namespaces", "_prefixes")

    def __init__(self, tree: Tree, most: int) -> None:
        self._declared = frozenset(tree.declared)
        self._namespaces = dict(reversed(tree.declared))
        self._prefixes = {
            name: prefix
            for prefix, name in reversed(tree.declared)
            if prefix and not prefix.lower().startswith("xml")
        }
        self._most = self._left = most

    def write(self, element: Element) -> bytes:
        """Write an element and all within."""
        out: list[str] = []
        self._write(element, None, _OUTSIDE, out)
        return "".join(out).encode()

    def _write(
        self, element: Element, default: str | None, prefixes: Prefixes, out: list[str]
    ) -> None:
        namespace, local = split_name(element.tag)
        begin = f"<{local}"
        if namespace != default:
            begin += self._declaration("", namespace)
        attributes, prefixes = self._attributes(element, namespace, prefixes)
        content = escaped(element.text or "")
        if not len(element):
            end = f">{content}</{local}>" if content else "/>"
            self._append(f"{begin}{attributes}{end}", out)
            return
        self._append(f"{begin}{attributes}>{content}", out)
        for child in element:
            self._write(child, namespace, prefixes, out)
            if child.tail:
                self._append(escaped(child.tail), out)
        self._append(f"</{local}>", out)

    def _append(self, written: str, out: list[str]) -> None:
        self._left -= len(written)
        if self._left < 0:
            raise MalformedDocument(f"over {self._most} letters once written anew")
        out.append(written)

    def _attributes(
        self, element: Element, namespace: str, prefixes: Prefixes
    ) -> tuple[str, Prefixes]:
        """Write what is to be declared, then attributes; give the prefixes within."""
        declared = written = ""
        for name, value in element.items():
            if name == _XML_ID:
                continue
            if name[0] == "{":
                other, local = split_name(name)
                prefix, declaration, prefixes = self._prefix(other, prefixes)
                declared += declaration
                if name == _TYPE and ":" in value:
                    value, declaration, prefixes = self._type(
                        value, namespace, prefixes
                    )
                    declared += declaration
                name = f"{prefix}:{local}"
            written += f' {name}="{escaped_attribute(value)}"'
        return declared + written, prefixes

    def _type(
        self, value: str, namespace: str, prefixes: Prefixes
    ) -> tuple[str, str, Prefixes]:
        """Give a type's name with the prefix that its namespace has now, if any."""
        prefix, _, local = value.strip().partition(":")
        if (prefix, namespace) in self._declared:
            return local, "", prefixes
        other = self._namespaces.get(prefix)
        if not other:
            return value, "", prefixes
        prefix, declaration, prefixes = self._prefix(other, prefixes)
        return f"{prefix}:{local}", declaration, prefixes

    def _prefix(self, namespace: str, prefixes: Prefixes) -> tuple[str, str, Prefixes]:
        """Give a prefix, the declaration it needs, and the prefixes with it."""
        known = prefixes.get(namespace)
        if known is not None:
            return known, "", prefixes
        if len(prefixes) > _MOST_PREFIXES:
            raise MalformedDocument(f"over {_MOST_PREFIXES} prefixes needed at once")
        taken = set(prefixes.values())
        prefix = self._prefixes.get(namespace, "")
        number = 1
        while not prefix or prefix in taken:
            prefix = f"ns{number}"
            number += 1
        declaration = self._declaration(prefix, namespace)
        return prefix, declaration, {**prefixes, namespace: prefix}

    def _declaration(self, prefix: str, namespace: str) -> str:
        if namespace and not is_namespace(namespace):
            raise MalformedDocument(f"{namespace[:40]!r} is no URI to name a namespace")
        name = f"xmlns:{prefix}" if prefix else "xmlns"
        return f' {name}="{escaped_attribute(namespace)}"'
