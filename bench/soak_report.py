"""A soak for people: a line that says whether all was well, the courses, and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from bench.soak import Soak
from bench.tables import Sample

_MEGABYTE = 2**20

#: The panels of the picture: what they show, and the tables in each.
_PANELS = (
    ("users", ("publications", "subscriptions", "registrations", "resources")),
    ("messages", ("answers_remembered", "client_transactions")),
    ("now and then", ("server_transactions", "notices_waiting", "connections_open")),
)


def soak_as_json(soaked: Soak, about: Mapping[str, Any]) -> dict[str, Any]:
    """Give all of it as plain values, beside ``about`` where it was."""
    return {**about, "is_good": soaked.is_good, **attrs.asdict(soaked)}


def write_soak(soaked: Soak, about: Mapping[str, str]) -> str:
    """Give the report; its first line says whether all was well."""
    return "\n".join(_lines(soaked, about)) + "\n"


def _lines(soaked: Soak, about: Mapping[str, str]) -> Iterator[str]:
    grown = [course.name for course in soaked.courses if not course.is_flat]
    flat = f"grew: {', '.join(grown)}" if grown else "flat"
    wrong = _counts(soaked.faults) or "nothing wrong"
    left = _counts(soaked.left) or "nothing left behind"
    yield f"soak of {soaked.server}: {flat}; {wrong}; {left}"
    yield ""
    saturation = f"{soaked.saturation:,.0f}" if soaked.saturation else "not measured"
    counted = soaked.counted
    yield (
        f"- {soaked.seconds:,.0f} s at {soaked.rate:,.0f} operations a second "
        f"(saturation: {saturation}): {counted['operations']:,} operations, "
        f"{counted['notifies']:,} NOTIFYs, {sum(soaked.visits.values()):,} visitors by TCP"
    )
    latency = counted["latency"]["operation"]
    if latency["count"]:
        yield f"- an operation took {latency['p50']:.2f} ms, 99 of 100 {latency['p99']:.2f}"
    for what, seconds in soaked.after.items():
        yield f"- nothing left in {what} after {seconds:.0f} s more"
    yield ""
    yield "| | mean | rise | may rise |"
    yield "| --- | ---: | ---: | ---: |"
    for course in soaked.courses:
        bound = "too short to tell" if course.bound is None else _figure(course.bound)
        yield f"| {course.name} | {_figure(course.mean)} | {_figure(course.growth)} | {bound} |"
    yield ""
    yield from (f"- {name}: {what}" for name, what in about.items())


def _counts(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {count:g}" for name, count in counts.items())


def _figure(value: float) -> str:
    if abs(value) >= _MEGABYTE:
        return f"{value / _MEGABYTE:,.1f} M"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def plot_soak(soaked: Soak, path: Path) -> None:
    """Draw memory, files and tables over time; what was measured is on white."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 9), layout="constrained")
    panels = list(figure.subplots(1 + len(_PANELS), 1, sharex=True))
    _draw_octets(panels[0], soaked.samples)
    for panel, (title, names) in zip(panels[1:], _PANELS, strict=True):
        _draw_tables(panel, soaked.samples, title, names)
    for panel in panels:
        panel.set_ylim(bottom=0)
        panel.spines[["top", "right"]].set_visible(False)
        begin, end = (at / 60 for at in soaked.span)
        panel.axvspan(0, begin, color="#eeeeee")
        panel.axvspan(end, soaked.samples[-1].at / 60, color="#eeeeee")
        panel.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    panels[-1].set_xlabel("minutes")
    figure.suptitle(
        f"{soaked.server}: {soaked.seconds / 60:.0f} minutes at {soaked.rate:,.0f} "
        "operations a second, then all leave"
    )
    figure.savefig(path)


def _draw_octets(panel: Any, samples: Sequence[Sample]) -> None:
    minutes = [sample.at / 60 for sample in samples]
    panel.plot(minutes, [one.memory / _MEGABYTE for one in samples], label="memory, MB")
    panel.plot(minutes, [one.stored / _MEGABYTE for one in samples], label="files, MB")


def _draw_tables(
    panel: Any, samples: Sequence[Sample], title: str, names: Sequence[str]
) -> None:
    minutes = [sample.at / 60 for sample in samples]
    for name in names:
        shown = name.replace("_", " ")
        panel.plot(minutes, [sample.tables[name] for sample in samples], label=shown)
    panel.set_title(title, loc="left", fontsize="medium")
