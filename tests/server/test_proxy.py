"""Requests between user agents of ours, through the whole server without a socket."""

from __future__ import annotations

import pytest

from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.wire import Message, respond

BOB = "sip:bob@example.test"


@pytest.fixture
def bob(desk):
    """Register bob by a flow of his own, and give that."""
    return register(desk, "bob", RecordingStream(("192.0.2.7", 40000)))


def register(desk, user, flow, **fields):
    host, port = flow.peer
    transport = ";transport=tcp" if flow.reliable else ""
    desk.ask(
        "REGISTER",
        {
            "To": f"<sip:{user}@example.test>",
            "Contact": f"<sip:{user}@{host}:{port}{transport}>",
            **fields,
        },
        uri="sip:example.test",
        user=user,
        flow=flow,
    )
    assert Message.read(flow.sent.pop()[1]).status == 200
    return flow


def read(flow):
    """Take what was sent to a flow."""
    taken = [Message.read(data) for _, data in flow.sent]
    flow.sent.clear()
    return taken


def test_a_message_goes_to_the_contact_and_its_answer_back(desk, bob):
    desk.ask("MESSAGE", {"Content-Type": "text/plain"}, "Hi", uri=BOB)
    (request,) = read(bob)
    desk.send(respond(request, "202 Accepted"), bob)
    (answer,) = desk.messages

    assert request.first_line == (
        "MESSAGE sip:bob@192.0.2.7:40000;transport=tcp SIP/2.0"
    )
    assert request.get("max-forwards") == "69"
    assert len(request.all("via")) == 2
    assert request.text == "Hi"
    assert answer.first_line == "SIP/2.0 202 Accepted"
    assert len(answer.all("via")) == 1
    assert desk.defects == 0


def test_nobody_there_is_480(desk):
    assert desk.ask("MESSAGE", uri=BOB).status == 480


def test_what_is_not_ours_is_404(desk):
    assert desk.ask("MESSAGE", uri="sip:bob@elsewhere.test").status == 404


def test_a_datagram_contact_gets_it_where_it_registered_from(desk):
    flow = register(desk, "bob", RecordingFlow(("192.0.2.9", 6000)))
    assert flow.sent == []
