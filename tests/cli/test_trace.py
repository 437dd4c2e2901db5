from __future__ import annotations

import json

from presproxy.cli.trace import Printer


def figure(id="f1", title="alice asks once for bob", **more):
    return {
        "id": id,
        "kind": "polling",
        "title": title,
        "outcome": "one look",
        "state": None,
        "repeats": 1,
        **more,
    }


def row(id="1", figure="f1", **more):
    return {
        "id": id,
        "figure": figure,
        "at": "2026-11-24T10:00:00.123456Z",
        "from": "l1",
        "to": "server",
        "method": "SUBSCRIBE",
        "status": None,
        "reason": None,
        "target": "bob",
        "mark": None,
        "retransmissions": [],
        "detail": "Expires 0",
        **more,
    }


def shown(*rows, figures=None):
    lanes = [{"id": "l1", "label": "alice"}, {"id": "server", "label": "presproxy"}]
    return {
        "lanes": lanes,
        "figures": figures or [figure()],
        "messages": list(rows),
        "capture": {"held": 1},
    }


def test_a_figure_is_printed_above_its_messages(capsys):
    Printer(as_json=False).show(
        shown(
            row(),
            row("2", status=412, reason="Conditional Request Failed", mark="busy"),
            figures=[figure(repeats=3, state=[None, "busy"])],
        )
    )

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "polling      alice asks once for bob [unknown → busy] one look × 3"
    )
    assert lines[1].split() == [
        *("10:00:00.123", "alice", "→", "presproxy", "SUBSCRIBE", "bob", "Expires", "0")
    ]
    assert "412 Conditional Request Failed busy" in lines[2]


def test_what_was_printed_is_not_printed_again(capsys):
    printer = Printer(as_json=False)
    printer.show(shown(row()))
    capsys.readouterr()

    printer.show(shown(row(), row("2")))

    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_figure_that_says_something_else_now_is_named_again(capsys):
    printer = Printer(as_json=False)
    printer.show(shown(row()))
    capsys.readouterr()

    printer.show(shown(row("2"), figures=[figure(title="bob is busy: 2 are told")]))

    assert "bob is busy: 2 are told" in capsys.readouterr().out


def test_programs_get_it_as_it_came(capsys):
    printer = Printer(as_json=True)
    printer.show(shown(row()))
    printer.show(shown())

    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["figures"][0]["id"] == "f1"
