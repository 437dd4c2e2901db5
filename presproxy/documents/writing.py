"""Writing elements with their attributes in order, and whatever text in them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from presproxy.documents.fragments import escaped, escaped_attribute

#: What no XML document can hold (XML 1.0 §2.2).  Names that people gave each other come
#: from everywhere.
_impossible = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REPLACEMENT = "\ufffd"


def flag(value: bool) -> str:
    """Write true or false."""
    return "true" if value else "false"


def attributes(*pairs: tuple[str, object]) -> str:
    """Write attributes, each after a space."""
    return "".join([f' {name}="{attribute(str(value))}"' for name, value in pairs])


def attribute(value: str) -> str:
    """Write an attribute's value; what cannot be in XML is replaced."""
    return escaped_attribute(_impossible.sub(_REPLACEMENT, value))


def text(value: str) -> str:
    """Write character data; what cannot be in XML is replaced."""
    return escaped(_impossible.sub(_REPLACEMENT, value))


def element(name: str, content: Iterable[str], *pairs: tuple[str, object]) -> str:
    """Write an element with its attributes; an empty one closes itself."""
    inner = "".join(content)
    if not inner:
        return f"<{name}{attributes(*pairs)}/>"
    return f"<{name}{attributes(*pairs)}>{inner}</{name}>"
