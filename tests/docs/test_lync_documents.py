"""The page on Lync's documents names all that are read and written, and their bounds."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from pathlib import Path

from presproxy.documents import lync, reading, rlmi
from presproxy.documents.lync import categories, containers, soap

PAGE = (
    Path(__file__).parents[2] / "docs" / "reference" / "lync-documents.rst"
).read_text()


def test_every_content_type_is_there_and_no_other():
    modules = [
        import_module(f"{lync.__name__}.{module.name}")
        for module in pkgutil.iter_modules(lync.__path__)
    ]
    known = {
        value
        for module in (*modules, rlmi)
        for name, value in vars(module).items()
        if name.endswith("_TYPE") and not name.startswith("_")
    }

    rows = set(re.findall(r"^   \* - ``(.*)``$", PAGE, re.MULTILINE))

    assert rows == known | {"multipart/related"}


def test_every_call_is_there():
    named = set(re.findall(r"``(\w+)``", PAGE))

    assert set(soap.METHOD_NAMES) <= named


def test_the_bounds_are_those_there_are():
    limits = reading.LIMITS
    said = " ".join(PAGE.split())

    assert f"At most {categories.MOST_PUBLICATIONS}; one element" in said
    assert (
        f"At most {containers.MOST_CONTAINERS} containers with"
        f" {containers.MOST_MEMBERS} members each"
    ) in said
    assert (
        f"{limits.octets // 1024} KiB and {limits.elements:,} elements,"
        f" {limits.depth} deep, and {limits.namespaces} declarations"
    ) in said
    assert (
        f"Numbers go to {reading.LARGEST_NUMBER:,}, texts to"
        f" {reading.MOST_LETTERS} letters"
    ) in said
