"""
Writing an element as a fragment which any presence document can hold.

A fragment relies on three declarations of the document around it: PIDF is the default
namespace, ``dm`` and ``rpid`` are the data model's and RPID's prefixes.  Readers which
match text rely on just these spellings.  It declares every other namespace itself, at
the element that first needs it, so fragments are joined by joining their bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree.ElementTree import Element

from presproxy.documents.xml import XML

PIDF = "urn:ietf:params:xml:ns:pidf"
DATA_MODEL = "urn:ietf:params:xml:ns:pidf:data-model"
RPID = "urn:ietf:params:xml:ns:pidf:rpid"

#: From a namespace to its prefix, as a presence document's root declares them.
Scope = Mapping[str, str]
STANDARD: Scope = {PIDF: "", DATA_MODEL: "dm", RPID: "rpid", XML: "xml"}

#: The namespace of attributes that have none.
_NONE = ""
#: In a scope: PIDF's prefix for attributes, which cannot have a default namespace.
_PIDF_ATTRIBUTES = "@"
_BLANK = " \t\r\n"


class Fragments:
    """
    Writes fragments of one parsed document.

    ``prefixes`` are those the document itself used; they are kept where they are free.
    """

    __slots__ = ("_prefixes",)

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self._prefixes = prefixes

    def write(self, element: Element) -> bytes:
        """Write an element and all within, without white space between elements."""
        out: list[str] = []
        self._write(element, STANDARD, out)
        return "".join(out).encode()

    def attributes(self, element: Element, without: str = "") -> bytes:
        """Write the attributes of an element but one, with what they need declared."""
        attributes = {n: v for n, v in element.attrib.items() if n != without}
        if not attributes:
            return b""
        text, _ = self._attributes(attributes, STANDARD)
        return text.encode()

    def _write(self, element: Element, scope: Scope, out: list[str]) -> None:
        namespace, _, local = element.tag[1:].rpartition("}")
        if element.tag[0] != "{":
            namespace, local = _NONE, element.tag
        declaration = ""
        prefix = scope.get(namespace)
        if prefix is None:
            prefix, declaration, scope = self._declare(namespace, scope)
        name = f"{prefix}:{local}" if prefix else local
        attributes = ""
        if element.attrib:
            attributes, scope = self._attributes(element.attrib, scope)
        self._write_content(
            element, name, f"<{name}{declaration}{attributes}", scope, out
        )

    def _write_content(
        self, element: Element, name: str, start: str, scope: Scope, out: list[str]
    ) -> None:
        text = element.text
        if not len(element):
            out.append(f"{start}>{escaped(text)}</{name}>" if text else f"{start}/>")
            return
        out.append(start + ">")
        mixed = _is_mixed(element)
        if mixed and text:
            out.append(escaped(text))
        for child in element:
            self._write(child, scope, out)
            if mixed and child.tail:
                out.append(escaped(child.tail))
        out.append(f"</{name}>")

    def _attributes(
        self, attributes: Mapping[str, str], scope: Scope
    ) -> tuple[str, Scope]:
        text = ""
        for name, value in attributes.items():
            declaration = ""
            if name[0] == "{":
                namespace, _, local = name[1:].rpartition("}")
                key = _PIDF_ATTRIBUTES if namespace == PIDF else namespace
                prefix = scope.get(key)
                if prefix is None:
                    prefix, declaration, scope = self._declare(namespace, scope, key)
                name = f"{prefix}:{local}"
            text += f'{declaration} {name}="{escaped_attribute(value)}"'
        return text, scope

    def _declare(
        self, namespace: str, scope: Scope, key: str | None = None
    ) -> tuple[str, str, Scope]:
        """Give a prefix, its declaration, and the scope that knows it."""
        if namespace == _NONE:
            # Within it PIDF is no longer the default, and gets a prefix as others do.
            inner = {n: prefix for n, prefix in scope.items() if prefix}
            return "", ' xmlns=""', {**inner, _NONE: ""}
        prefix = self._free_prefix(namespace, set(scope.values()))
        declaration = f' xmlns:{prefix}="{escaped_attribute(namespace)}"'
        return prefix, declaration, {**scope, key or namespace: prefix}

    def _free_prefix(self, namespace: str, taken: set[str]) -> str:
        prefix = self._prefixes.get(namespace, "")
        if prefix and prefix not in taken and not prefix.lower().startswith("xml"):
            return prefix
        number = 1
        while f"ns{number}" in taken:
            number += 1
        return f"ns{number}"


def _is_mixed(element: Element) -> bool:
    """Say whether there is more than white space between the elements within."""
    if element.text and element.text.strip(_BLANK):
        return True
    return any(child.tail and child.tail.strip(_BLANK) for child in element)


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
