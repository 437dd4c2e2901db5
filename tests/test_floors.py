"""The floors of the house: a module imports from lower floors and its own room."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import presproxy

HOUSE = Path(presproxy.__file__).parent

FLOORS = (
    {"errors", "metrics", "trace"},
    {"sip", "documents"},
    {"model", "transaction", "tracing"},
    {"interfaces", "proxying", "transport"},
    {"extend", "useragent"},
    {"events", "packages", "lync", "xcap"},
    {"auth", "acl", "storage", "notify"},
    {"server", "http"},
    {"config"},
    {"service"},
    {"tap", "cli", "testing", "plugins"},
)
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}

#: Rooms that run without a reactor: nothing of Twisted but the logger.
PURE = {
    "sip",
    "documents",
    "tracing",
    "model",
    "transaction",
    "proxying",
    "events",
    "packages",
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


def room_of(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def test_rooms_import_only_from_the_floors_below():
    upward = []
    for path in sorted(HOUSE.rglob("*.py")):
        room = room_of(path)
        for module in imports(path):
            package, _, rest = module.partition(".")
            other = rest.partition(".")[0]
            if package != "presproxy" or other in ("", room):
                continue
            if FLOOR[other] >= FLOOR[room]:
                upward.append(f"{path.relative_to(HOUSE)} imports {module}")

    assert upward == []


def test_pure_rooms_know_no_reactor():
    impure = [
        f"{path.relative_to(HOUSE)} imports {module}"
        for path in sorted(HOUSE.rglob("*.py"))
        if room_of(path) in PURE
        for module in imports(path)
        if module.startswith("twisted.") and module != "twisted.logger"
    ]

    assert impure == []


def test_every_room_has_a_floor():
    rooms = {room_of(path) for path in HOUSE.rglob("*.py")} - {"__init__"}

    assert rooms <= set(FLOOR)
