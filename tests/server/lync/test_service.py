"""SERVICE: what a body asks for, by its content type."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from presproxy.errors import AccessDenied
from presproxy.model.identity import Identity
from presproxy.server.answer import Answer, Refusal
from presproxy.server.domains import Domains
from presproxy.server.exchange import Exchange
from presproxy.server.lync.service import ServiceStep, own_resource
from presproxy.sip.message import parse_message
from presproxy.testing.flows import RecordingFlow
from presproxy.testing.wire import compose

ALICE = "sip:alice@example.test"


def exchange(content_type: str | None, body: str = "", uri: str = ALICE) -> Exchange:
    data = compose(
        f"SERVICE {uri} SIP/2.0",
        {
            "Via": "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1",
            "From": f"<{ALICE}>;tag=a;epid=1",
            "To": f"<{uri}>",
            "Call-ID": "c1",
            "CSeq": "1 SERVICE",
            "Content-Type": content_type,
        },
        body,
    )
    return Exchange(
        parse_message(data), RecordingFlow(), 0.0, identity=Identity(ALICE, "open")
    )


def answered(step: ServiceStep, asked: Exchange) -> Answer:
    async def serve() -> Answer:
        try:
            return await step.serve(asked)
        except Refusal as refusal:
            return refusal.answer

    return Deferred.fromCoroutine(serve()).result


async def thank(asked: Exchange) -> Answer:
    return Answer(200, reason=asked.request.body.decode())


STEP = ServiceStep({"text/b": thank, "text/a": thank}, largest_body=8)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/a", "please", 200),
        ("TEXT/A; charset=UTF-8", "please", 200),
        ("text/c", "please", 415),
        (None, "", 415),
        ("text/a", "please do", 413),
    ],
)
def test_a_body_is_handed_to_what_understands_it(content_type, body, status):
    answer = answered(STEP, exchange(content_type, body))

    assert answer.status == status
    assert (answer.reason == body) == (status == 200)


def test_who_asks_for_what_is_not_understood_is_told_what_is():
    answer = answered(STEP, exchange("text/c"))

    assert answer.fields == (("Accept", "text/a, text/b"),)


def test_nobody_changes_what_is_anothers():
    domains = Domains({"example.test"})

    assert own_resource(exchange("text/a"), domains) == ALICE
    with pytest.raises(AccessDenied):
        own_resource(exchange("text/a", uri="sip:bob@example.test"), domains)
    with pytest.raises(Refusal):
        own_resource(exchange("text/a", uri="sip:alice@elsewhere.test"), domains)
