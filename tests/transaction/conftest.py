from __future__ import annotations

import attrs
import pytest

from presproxy.metrics import Counter, Metrics
from presproxy.sip.message import build_response
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.transaction.layer import TransactionLayer


@attrs.define(eq=False)
class RecordingUser:
    """A transaction user which keeps what it was told, in order."""

    told: list[tuple[object, ...]] = attrs.field(factory=list)

    def answered(self, status: int, data: bytes, now: float) -> None:
        self.told.append((status, now))

    def failed(self, why: str, now: float) -> None:
        self.told.append((why, now))


@pytest.fixture
def user():
    return RecordingUser()


@pytest.fixture
def flow():
    return RecordingFlow()


@pytest.fixture
def stream():
    return RecordingStream()


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def layer(metrics):
    return TransactionLayer(metrics=metrics)


@pytest.fixture
def counted(metrics):
    """Give what was counted so far, without the zeros: {"requests method=ACK": 1}."""

    def read():
        return {
            " ".join(
                [each.name, *(f"{name}={value}" for name, value in each.labels)]
            ): (each.source.value)
            for each in metrics
            if isinstance(each.source, Counter) and each.source.value
        }

    return read


@pytest.fixture
def answer():
    """Answer a server transaction, and give the response."""

    def respond(transaction, status, now=0.0):
        response = build_response(transaction.request, status, to_tag="ours")
        transaction.respond(response, status, now)
        return response

    return respond


@pytest.fixture
def run():
    """
    Turn the clock of a layer in steps, and give the moments at which something was sent.
    """

    def turn(layer, sent, until, step=0.25, begin=0.0):
        moments = []
        for count in range(int((until - begin) / step)):
            now = begin + (count + 1) * step
            before = len(sent)
            layer.tick(now)
            moments += [now] * (len(sent) - before)
        return moments

    return turn
