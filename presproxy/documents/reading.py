"""
Elements of a document that know where they stand.

What is wrong with a document is said with the place: ``publication 3: version is 'x',
which is no number``.  Elements and attributes that are not asked for are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from presproxy.documents.fragments import BLANK
from presproxy.documents.xml import Limits, Tree, parse_tree
from presproxy.errors import MalformedDocument

#: As long as a message on a stream may be, with ten thousand entries of a list; and two
#: namespaces for each of hundreds of elements of others, as in what SIPE publishes.
LIMITS = Limits(octets=256 * 1024, elements=20000, namespaces=1024)

#: The largest number in these documents (xs:unsignedInt).
LARGEST_NUMBER = 2**32 - 1
#: Letters in an attribute or a field; chosen, as addresses of 255 letters are long.
MOST_LETTERS = 1024

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Node:
    """An element, and its place in words for whoever sent it."""

    __slots__ = ("element", "where")

    def __init__(self, element: Element, where: str) -> None:
        self.element = element
        self.where = where

    def wrong(self, why: str) -> MalformedDocument:
        """Give the error that says what is wrong with this element."""
        return MalformedDocument(f"{self.where}: {why}")

    def text(self, name: str, default: str = "") -> str:
        """Give an attribute."""
        value = self.element.get(name)
        return default if value is None else self.bounded(name, value.strip(BLANK))

    def needed(self, name: str) -> str:
        """Give an attribute that must be there and say something."""
        value = self.text(name)
        if not value:
            raise self.wrong(f"no {name}")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        """Give an attribute that is a number; without a default it must be there."""
        value = self.text(name) if default is not None else self.needed(name)
        if not value and default is not None:
            return default
        return self.as_number(name, value)

    def flag(self, name: str, default: bool) -> bool:
        """Give an attribute that is true or false."""
        value = self.text(name)
        return self.as_flag(name, value) if value else default

    def each(self, *names: str, most: int) -> Iterator[Node]:
        """
        Give the elements within that have one of these names, in their order.

        The names are local ones, in the namespace of this element.
        """
        tags = {self._sibling(name): name for name in names}
        counts = dict.fromkeys(names, 0)
        for child in self.element:
            name = tags.get(child.tag, "")
            if not name:
                continue
            counts[name] += 1
            if counts[name] > most:
                raise self.wrong(f"over {most} elements {name}")
            yield Node(child, self.place(f"{name} {counts[name]}"))

    def child(self, name: str) -> Node | None:
        """Give the one element of this local name in the namespace of this element."""
        return self.only(self._sibling(name))

    def only(self, tag: str) -> Node | None:
        """Give the one element with this tag; there must not be two."""
        # Not by a path: a namespace of the peer's may be none.
        found = [each for each in self.element if each.tag == tag]
        name = tag.rpartition("}")[2]
        if len(found) > 1:
            raise self.wrong(f"more than one {name}")
        return Node(found[0], self.place(name)) if found else None

    def child_text(self, name: str, attribute: str) -> str:
        """Give an attribute of `child`; empty if one or the other is not there."""
        child = self.child(name)
        return "" if child is None else child.text(attribute)

    @property
    def content(self) -> str:
        """The text within, that of elements included."""
        return self.bounded("text", "".join(self.element.itertext()).strip(BLANK))

    def _sibling(self, name: str) -> str:
        namespace, end, _ = self.element.tag.rpartition("}")
        return f"{namespace}{end}{name}"

    def place(self, name: str) -> str:
        """Say where an element within this one stands."""
        return f"{self.where}, {name}" if " " in self.where else name

    def as_number(self, name: str, text: str) -> int:
        """Read a number."""
        if not (text.isascii() and text.isdigit() and len(text) <= 10):
            raise self.wrong(f"{name} is {text[:40]!r}, which is no number")
        number = int(text)
        if number > LARGEST_NUMBER:
            raise self.wrong(f"{name} is over {LARGEST_NUMBER}")
        return number

    def as_flag(self, name: str, text: str) -> bool:
        """Read true or false."""
        flag = _FLAGS.get(text.lower())
        if flag is None:
            raise self.wrong(f"{name} is {text[:40]!r}, not true or false")
        return flag

    def bounded(self, name: str, text: str) -> str:
        """Give a text that is not too long."""
        if len(text) > MOST_LETTERS:
            raise self.wrong(f"{name} has over {MOST_LETTERS} letters")
        return text


def read_root(data: bytes, name: str, namespace: str, limits: Limits) -> Node:
    """Give the root of a document, which has this name in this namespace."""
    return root_of(parse_tree(data, limits), name, namespace)


def root_of(tree: Tree, name: str, namespace: str) -> Node:
    """Give the root of a parsed document as `read_root` does."""
    root = tree.root
    tag = f"{{{namespace}}}{name}" if namespace else name
    if root.tag != tag:
        where = f"{name} of {namespace}" if namespace else name
        raise MalformedDocument(f"the root is {root.tag[:100]!r}, not {where}")
    return Node(root, name)
