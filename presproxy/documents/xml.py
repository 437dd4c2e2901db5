"""
The guarded XML parser: bytes from anybody to a tree, or `MalformedDocument`.

Nothing is fetched and nothing is expanded.  An external document type declaration is
passed over, as XPIDF writers send one; an internal subset is refused, and with it every
entity of a document's own.

The parser is expat's and not libxml2's.  lxml keeps each name it ever met in one
dictionary per thread for as long as the process lives, so that every body with new names
in it makes the process grow by as much (measured with lxml 6.1: 37 MB of names left
50 MB behind).  With the walk over the tree that follows, expat is the faster one, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

import attrs

from presproxy.errors import MalformedDocument

#: The prefix ``xml`` always means this (Namespaces in XML 1.0 §3).
XML = "http://www.w3.org/XML/1998/namespace"


@attrs.frozen
class Limits:
    """
    How large a document may be.

    All are chosen, far above what user agents send: a body that cannot come in one
    datagram is of no use, and a composed document is as large as its parts.
    """

    octets: int = 65536
    depth: int = 32
    elements: int = 2000
    #: Of one element.
    attributes: int = 64
    #: Declarations of namespaces in the whole document.
    namespaces: int = 64
    #: The letters in one namespace's name.  Each element may have to repeat it when the
    #: document is written anew.
    namespace: int = 512


STANDARD_LIMITS = Limits()


def parse(data: bytes, limits: Limits = STANDARD_LIMITS) -> Element:
    """Give the root element of a document; raises `MalformedDocument`."""
    return parse_tree(data, limits).root


class Tree:
    """
    A parsed document, and the prefixes it used.

    ``declared`` are all declarations of namespaces, as (prefix, name), in their order.
    """

    __slots__ = ("declared", "root")

    def __init__(self, root: Element, declared: Sequence[tuple[str, str]]) -> None:
        self.root = root
        self.declared = declared

    def prefix(self, namespace: str) -> str:
        """Give the first prefix a namespace had, nothing if it had none."""
        for prefix, name in self.declared:
            if prefix and name == namespace:
                return prefix
        return ""


def parse_tree(data: bytes, limits: Limits = STANDARD_LIMITS) -> Tree:
    """Parse as `parse` does, and keep the prefixes."""
    return parse_plain(plain(data, limits), limits)


def plain(data: bytes, limits: Limits = STANDARD_LIMITS) -> bytes:
    """
    Give a document in UTF-8 and without a document type declaration.

    What encoding it declares no longer counts after this.  Nothing else was looked at:
    it may be no document at all.  Raises `MalformedDocument`.
    """
    if len(data) > limits.octets:
        raise MalformedDocument(f"over {limits.octets} octets")
    data = _in_utf8(data)
    return _without_doctype(data) if b"<!DOCTYPE" in data else data


def parse_plain(data: bytes, limits: Limits = STANDARD_LIMITS) -> Tree:
    """Parse what `plain` gave; raises `MalformedDocument`."""
    declared: list[tuple[str, str]] = []
    parser = XMLParser(target=_Builder(declared), encoding="utf-8")
    try:
        parser.feed(data)
        root: Element = parser.close()
    except ParseError as error:
        raise MalformedDocument(f"not well-formed: {error}") from None
    _check_namespaces(declared, limits)
    if (
        data.count(b"<") > limits.elements
        or data.count(b"</") >= limits.depth
        or data.count(b"=") > limits.attributes
    ):
        _measure(root, limits)
    return Tree(root, declared)


class _Builder(TreeBuilder):
    """Builds the tree and notes the namespaces declared, as (prefix, name)."""

    def __init__(self, declared: list[tuple[str, str]]) -> None:
        self._declared = declared

    def start_ns(self, prefix: str, name: str) -> None:
        """Note a declaration; they come in the order of the document."""
        self._declared.append((prefix, name))

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        """Refuse a declaration that was not taken out before the parser saw it."""
        raise MalformedDocument("a document type declaration is not accepted")


# --- encodings ------------------------------------------------------------------------

_DECLARATION = re.compile(
    rb"""<\?xml\s+version\s*=\s*(?:"[^"<]*"|'[^'<]*')\s+encoding\s*=\s*["']([\w.:-]+)["']"""
)

#: Encodings of one octet a letter that hold ASCII as it is.  UTF-7, EBCDIC and others
#: would hide markup from whoever looks at octets.
_SINGLE_OCTET = re.compile(
    r"(?:iso[-_]?8859[-_]?\d{1,2}|latin[-_]?\d|(?:windows|cp)[-_]?125\d|koi8[-_][ru])",
    re.IGNORECASE,
)

_USUAL = b'<?xml version="1.0" encoding="UTF-8"?>'

#: UTF-16 is here as well: a declaration that can be read octet by octet is not in it,
#: and some writers put the name of their strings' form there.
_AS_UTF8 = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii", b"utf-16"})


def _in_utf8(data: bytes) -> bytes:
    """Give the document in UTF-8, whatever it declares."""
    if data.startswith(_USUAL):
        return data
    if data.startswith(b"\xef\xbb\xbf"):
        return data[3:]
    if data.startswith((b"\xfe\xff", b"\xff\xfe")):
        return _recoded(data, "utf-16")
    if data.startswith(b"<\0"):
        return _recoded(data, "utf-16-le")
    if data.startswith(b"\0<"):
        return _recoded(data, "utf-16-be")
    declared = _DECLARATION.match(data)
    if declared is None or declared[1].lower() in _AS_UTF8:
        return data
    name = declared[1].decode("ascii", "replace")
    if _SINGLE_OCTET.fullmatch(name) is None:
        raise MalformedDocument(f"the encoding {name[:40]} is not known here")
    return _recoded(data, name)


def _recoded(data: bytes, encoding: str) -> bytes:
    try:
        return data.decode(encoding).encode()
    except (UnicodeError, LookupError):
        raise MalformedDocument(f"not in the encoding {encoding[:40]}") from None


# --- the document type declaration ----------------------------------------------------

#: What may stand before the document type declaration (XML 1.0 §2.8).
_PROLOG = re.compile(rb"(?>\s|<!--.*?-->|<\?.*?\?>)*+", re.DOTALL)

#: One without internal subset.  A public identifier alone is HTML's, and harmless.
_EXTERNAL_DOCTYPE = re.compile(
    rb"""<!DOCTYPE\s+[^\s<>\["']+
    (?:\s+(?:SYSTEM|PUBLIC\s+(?:"[^"]*"|'[^']*'))(?:\s*(?:"[^"]*"|'[^']*'))?)?\s*>""",
    re.VERBOSE,
)


def _without_doctype(data: bytes) -> bytes:
    """
    Take an external document type declaration out of the prolog.

    One further down is no declaration but a mistake, or text; the parser knows.
    """
    prolog = _PROLOG.match(data)
    begin = prolog.end() if prolog is not None else 0
    if not data.startswith(b"<!DOCTYPE", begin):
        return data
    doctype = _EXTERNAL_DOCTYPE.match(data, begin)
    if doctype is None:
        raise MalformedDocument(
            "a document type may not be declared within the document"
        )
    return data[:begin] + data[doctype.end() :]


# --- limits ---------------------------------------------------------------------------


def _check_namespaces(declared: list[tuple[str, str]], limits: Limits) -> None:
    if len(declared) > limits.namespaces:
        raise MalformedDocument(f"over {limits.namespaces} declarations of namespaces")
    for _, name in declared:
        if len(name) > limits.namespace:
            raise MalformedDocument(f"a namespace of over {limits.namespace} letters")


def _measure(root: Element, limits: Limits) -> None:
    """Count exactly, once the rough counts of octets say that it may be too much."""
    elements = 0
    level = [root]
    for _ in range(limits.depth):
        if not level:
            return
        elements += len(level)
        if elements > limits.elements:
            raise MalformedDocument(f"over {limits.elements} elements")
        if any(len(element.attrib) > limits.attributes for element in level):
            raise MalformedDocument(
                f"over {limits.attributes} attributes of an element"
            )
        level = [child for element in level for child in element]
    if level:
        raise MalformedDocument(f"over {limits.depth} elements deep")
