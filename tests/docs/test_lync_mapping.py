"""The page about the mapping says what the tables in the code do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from presproxy.documents.lync.mapping import (
    IDLE,
    OLDER,
    ROWS,
    older_numbers,
    row_of,
    row_of_activities,
)
from presproxy.documents.lync.state import (
    VALUES,
    Activity,
    Availability,
    StateInput,
    StateKind,
    range_of,
)

PAGE = (
    Path(__file__).parents[2] / "docs" / "reference" / "lync-mapping.rst"
).read_text()


def table(heading: str) -> list[list[str]]:
    """Give the rows of the first table after a heading, continued lines joined."""
    text = PAGE.partition(f"\n{heading}\n")[2]
    rule, _, rest = text[re.search(r"^===", text, re.MULTILINE).start() :].partition(
        "\n"
    )
    columns = [found.span() for found in re.finditer("=+", rule)]
    rows: list[list[str]] = []
    for line in rest.split(f"{rule}\n")[1].splitlines():
        cells = [
            line[begin : end if n < len(columns) - 1 else None].strip()
            for n, (begin, end) in enumerate(columns)
        ]
        if any(cells[1:]) or not rows:
            rows.append(cells)
        else:
            rows[-1][0] += f" {cells[0]}"
    return rows


def words(cell: str) -> list[str]:
    return re.findall("``(.*?)``", cell)


def numbers(cell: str) -> tuple[int, int]:
    least, _, most = cell.partition(" – ")
    return int(least.rstrip(" –")), int(most or 20000)


def state(availability: int, token: str = "") -> StateInput:
    activity = Activity(token) if token else None
    return StateInput(StateKind.AGGREGATE, availability, activity)


@pytest.mark.parametrize("cells", table("From a state to a document"), ids=" ".join)
def test_a_state_is_written_as_the_page_says(cells):
    least, most = numbers(cells[0])
    for token in words(cells[1]) or ["", "x-unheard-of"]:
        for number in (least, most):
            row = row_of(state(number, token))

            assert row.is_open is (cells[2] == "open")
            assert list(row.activities) == words(cells[3])
            assert (range_of(number) in IDLE.values()) is (cells[4] == "yes")


def test_every_row_of_the_code_is_on_the_page():
    shown = [numbers(cells[0])[0] for cells in table("From a state to a document")]

    assert sorted(set(shown)) == sorted(Availability)
    told = {
        (numbers(cells[0])[0], token, *words(cells[3]))
        for cells in table("From a state to a document")
        for token in words(cells[1])
    }
    left_out = [
        row
        for row in ROWS
        if row.token
        and (row.availability, row.token, *row.activities) not in told
        and row.activities != row_of(state(row.availability)).activities
    ]
    assert left_out == []


READ = table("From a document to a state")


@pytest.mark.parametrize("cells", READ, ids=lambda cells: cells[0][:40])
def test_a_document_is_read_as_the_page_says(cells):
    kinds = [{kind} for kind in words(cells[0])] or [set()]
    for each in kinds:
        row = row_of_activities(each, is_open=cells[0] != "not open")

        assert VALUES[row.availability] == int(cells[1])
        assert [row.token] == (words(cells[2]) or [""])


def test_documents_are_looked_through_in_the_order_of_the_page():
    told = [kind for cells in READ for kind in words(cells[0])]

    assert told == [kind for row in ROWS for kind in row.read]


@pytest.mark.parametrize("cells", table("For clients of 2005"), ids=" ".join)
def test_clients_of_2005_are_told_what_the_page_says(cells):
    for number in numbers(cells[0]):
        assert older_numbers(state(number)) == (int(cells[1]), int(cells[2]))


def test_clients_of_2005_are_told_of_calls_as_the_page_says():
    assert "it is 300 and 500" in PAGE
    assert older_numbers(state(6500, "on-the-phone")) == (300, 500)
    assert set(OLDER) == set(Availability)
