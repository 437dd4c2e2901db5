from __future__ import annotations

import pytest
from rich.text import Text

from presproxy.cli.demo.ladder import (
    BEAUTIFUL,
    PLAIN,
    WIDTH,
    Arrow,
    Ladder,
    signs_for,
)


@pytest.fixture
def ladder(screen):
    return Ladder(screen)


def lines(drawn):
    return [line.plain.rstrip() for line in drawn]


def test_names_stand_over_their_lanes(ladder):
    heads = ladder.heads(("Luser1", "presproxy", "Luser2")).plain
    (rung,) = lines(ladder.rung())

    assert heads == " Luser1               presproxy              Luser2"
    assert rung == "    │                     │                     │"


@pytest.mark.parametrize(
    ("sender", "receiver", "drawn"),
    [
        (0, 1, "    │ NOTIFY ────────────▶│                     │"),
        (1, 0, "    │◀──────────── NOTIFY │                     │"),
        (1, 2, "    │                     │ NOTIFY ────────────▶│"),
        (2, 1, "    │                     │◀──────────── NOTIFY │"),
    ],
    ids=["to the middle", "to the left", "to the right", "from the right"],
)
def test_an_arrow_goes_from_lane_to_lane(ladder, sender, receiver, drawn):
    arrow = Arrow(sender, receiver, Text("NOTIFY"), Text())

    assert lines(ladder.arrow(arrow)) == [drawn]


def test_what_it_means_stands_beside_it(ladder):
    arrow = Arrow(0, 1, Text("SUBSCRIBE"), Text("wants to watch"))

    assert lines(ladder.arrow(arrow)) == [
        "    │ SUBSCRIBE ─────────▶│                     │  wants to watch"
    ]


def test_words_which_need_more_lines_get_them(ladder):
    arrow = Arrow(0, 1, Text("OPTIONS"), Text("what takes more than thirty columns"))

    assert lines(ladder.arrow(arrow)) == [
        "    │ OPTIONS ───────────▶│                     │  what takes more than thirty",
        "    │                     │                     │  columns",
    ]


def test_a_label_too_long_for_its_arrow_is_cut(ladder):
    arrow = Arrow(1, 0, Text("484 Address Incomplete"), Text())

    (line,) = lines(ladder.arrow(arrow))
    assert line == "    │◀─ 484 Address Inco… │                     │"


def test_a_title_fills_the_width(ladder):
    assert ladder.title("1 · Subscription").cell_len == WIDTH


@pytest.mark.parametrize(
    ("encoding", "signs"),
    [
        ("utf-8", BEAUTIFUL),
        ("ascii", PLAIN),
        ("latin-1", PLAIN),
        (None, PLAIN),
        ("no such", PLAIN),
    ],
)
def test_signs_are_those_which_can_be_written(encoding, signs):
    assert signs_for(encoding) is signs
