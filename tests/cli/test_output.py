from __future__ import annotations

import pytest
import pytest_twisted
from rich.text import Text

from presproxy.cli.output import print_json, print_line, print_table, state_text


def test_a_table_has_no_trailing_blanks(capsys):
    print_table(("name", "state"), [("alice", state_text("busy")), ("bob", "away")])

    assert capsys.readouterr().out == "name   state\nalice  busy\nbob    away\n"


def test_a_table_in_a_pipe_is_never_cut(capsys):
    long = "x" * 500

    print_table(("name", "rule"), [("alice", long)])

    assert long in capsys.readouterr().out


def test_what_stands_in_a_cell_is_no_markup(capsys):
    print_table(("name",), [("[bold]alice[/bold]",)])

    assert "[bold]alice[/bold]" in capsys.readouterr().out


def test_a_long_line_stays_one(capsys):
    print_line("x" * 500, Text("y" * 500))

    assert capsys.readouterr().out == f"{'x' * 500} {'y' * 500}\n"


def test_json_is_written_as_people_read_it(capsys):
    print_json({"note": "im Gespräch"}, on_one_line=True)

    assert capsys.readouterr().out == '{"note": "im Gespräch"}\n'


def test_states_are_said_as_people_say_them():
    assert state_text("dnd").plain == "do not disturb"
    assert state_text("busy").plain == "busy"


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
    ids=["wanted", "not wanted"],
)
@pytest_twisted.ensureDeferred
async def test_colours_are_for_who_wants_them(start, environment, is_coloured):
    demo = start("demo", TERM="xterm-256color", **environment)
    await demo.status()

    assert ("\x1b[36m" in demo.out) is is_coloured
