"""OPTIONS, and NOTIFY outside our dialogs."""

from __future__ import annotations

import pytest

from presproxy.service.build import METHODS


def test_options_tell_what_is_understood(desk):
    answer = desk.ask("OPTIONS", uri="sip:example.test")

    assert answer.status == 200
    assert {
        name: answer.get(name)
        for name in ("allow", "accept", "accept-encoding", "allow-events", "supported")
    } == {
        "allow": ", ".join(METHODS),
        "accept": "application/pidf+xml",
        "accept-encoding": "identity",
        "allow-events": "presence,presence.winfo",
        "supported": "path, outbound, gruu, adhoclist, categorylist",
    }


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Event": "keep-alive"}, 200),
        ({"Event": "Keep-Alive", "To": "<sip:example.test>;tag=1"}, 200),
        ({"Event": "keep-alive", "Contact": None, "Max-Forwards": None}, 200),
        ({"Event": "presence"}, 481),
        ({"Event": "check-sync"}, 481),
        ({"Event": None}, 481),
        ({"Event": "keep-alive;;="}, 400),
    ],
)
def test_a_notify_is_answered_if_it_only_keeps_awake(desk, fields, status):
    assert desk.ask("NOTIFY", fields, uri="sip:example.test").status == status


def test_a_watcher_cannot_notify_us_in_his_dialog(desk):
    watching = desk.subscribe()

    answer = desk.ask(
        "NOTIFY",
        {
            "From": watching.sent.need("from"),
            "To": watching.answer.need("to"),
            "Call-ID": watching.sent.call_id,
            "Event": "presence",
        },
    )

    assert answer.status == 481
    assert len(desk.subscriptions) == 1
