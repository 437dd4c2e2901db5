"""Figures and tables as the report writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence


def figure(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def counts(counted: Mapping[str, int]) -> str:
    """Write what was counted, by name."""
    return ", ".join(f"{name} {count}" for name, count in counted.items())


def head(titles: Sequence[str]) -> Iterator[str]:
    """Give the two lines a table begins with; all columns but the first are figures."""
    yield row(titles)
    yield row(["---"] + ["---:"] * (len(titles) - 1))


def row(cells: Iterable[str]) -> str:
    """Give one line of a table."""
    return f"| {' | '.join(cells)} |"
