"""From a request to its answer, whatever goes wrong on the way."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from presproxy.errors import ConfigurationMistakes, StorageUnavailable
from presproxy.server.answer import Answer
from presproxy.testing.wire import Message, pidf

BOB = "sip:bob@example.test"


class Step:
    """A step that does what a test says."""

    identifies = False

    def __init__(self, act):
        self.act = act

    async def serve(self, exchange):
        answer = self.act(exchange)
        return await answer if isinstance(answer, Deferred) else answer


@pytest.fixture
def serve(desk):
    """Put a step of the test's own into the place of OPTIONS."""

    def put(act):
        desk.server.core.steps["OPTIONS"] = Step(act)

    return put


def fail(error):
    def act(exchange):
        raise error

    return act


# --- Defects


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a defect"),
        ConfigurationMistakes(["an error without a row"]),
        KeyError("x"),
        RecursionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_defect_is_counted_logged_and_answered_500(desk, serve, error):
    serve(fail(error))

    with capturedLogs() as events:
        answer = desk.ask("OPTIONS")

    assert (answer.status, answer.get("retry-after")) == (500, "30")
    assert desk.counted("defects") == 1
    assert [each["log_failure"].value for each in events] == [error]


def test_defects_are_logged_when_their_number_doubles(desk, serve):
    serve(fail(RuntimeError("a defect")))

    with capturedLogs() as events:
        for _ in range(100):
            desk.ask("OPTIONS")

    assert desk.counted("defects") == 100
    assert [each["count"] for each in events] == [1, 2, 4, 8, 16, 32, 64]


def test_a_defect_stops_nothing_else(desk, serve):
    serve(fail(RuntimeError("a defect")))
    desk.ask("OPTIONS")

    assert desk.subscribe().status == 200


def test_an_answer_that_cannot_be_written_is_a_defect(desk, serve):
    serve(lambda exchange: Answer(200, (("X-Broken", "two\r\nlines"),)))

    assert desk.ask("OPTIONS").status == 500
    assert desk.counted("defects") == 1


def test_a_defect_after_the_answer_is_counted(desk, serve):
    def break_down():
        raise RuntimeError("a defect")

    serve(lambda exchange: Answer(200, then=break_down))

    assert desk.ask("OPTIONS").status == 200
    assert desk.counted("defects") == 1


def test_a_defect_below_is_counted_and_nothing_is_answered(desk):
    def receive(data, flow, now):
        raise RuntimeError("a defect")

    desk.server.core.layer.receive = receive

    assert desk.ask("OPTIONS") is None
    assert desk.counted("defects") == 1


# --- Answers


def test_what_follows_comes_after_the_answer(desk, serve):
    seen = []
    serve(lambda exchange: Answer(200, then=lambda: seen.extend(desk.messages)))

    desk.ask("OPTIONS")

    assert [each.status for each in seen] == [200]


def test_every_answer_has_a_tag_of_its_own(desk):
    tags = {desk.ask("OPTIONS").need("to").partition("tag=")[2] for _ in range(10)}

    assert len(tags) == 10


def test_answers_are_counted_and_timed(desk):
    desk.ask("OPTIONS")
    desk.ask("X-METHOD")

    samples = {(each.name, each.labels): each.source for each in desk.server.metrics}
    assert samples["answers", (("status", "200"),)].value == 1
    assert samples["answers", (("status", "405"),)].value == 1
    assert sum(samples["request_seconds", ()].counts) == 2


def test_an_answer_that_comes_too_late_goes_nowhere(desk, serve):
    answer: Deferred[Answer] = Deferred()
    serve(lambda exchange: answer)
    desk.ask("OPTIONS")
    desk.sleep(33)

    answer.callback(Answer(200))

    assert desk.messages == []
    assert desk.defects == 0


# --- The end


def finish(desk):
    ended = []
    desk.server.core.finish().addCallback(ended.append)
    return ended


def test_who_has_nothing_to_do_has_finished(desk):
    assert finish(desk) == [None]


@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH", "REGISTER", "OPTIONS"])
def test_nothing_new_is_taken_at_the_end(desk, method):
    finish(desk)

    answer = desk.ask(method, {"Event": "presence"})

    assert (answer.status, answer.get("retry-after")) == (503, "30")


def test_what_was_taken_is_served_before_the_end(desk):
    desk.storage.hold()
    watching = desk.subscribe()

    ended = finish(desk)
    before = ended[:]
    desk.storage.release()

    assert (before, ended) == ([], [None])
    assert watching.status == 200
    assert desk.kept("subscription") != []


def test_what_is_still_under_way_at_last_is_refused_for_now(desk):
    desk.storage.hold()
    watching = desk.subscribe()
    desk.acl.hold()
    asking = desk.subscribe(user="carol")
    finish(desk)

    desk.server.journal.close()
    desk.server.core.close()
    desk.storage.failure = StorageUnavailable("stopped")
    desk.storage.release()
    desk.acl.answer(None)

    assert [watching.status, asking.status] == [503, 503]
    assert desk.notified() == []
    assert desk.defects == 0


def test_retransmissions_are_answered_to_the_end(desk):
    data = desk.write("OPTIONS")
    desk.send(data)
    finish(desk)

    desk.send(data)

    assert [each.status for each in desk.messages] == [200, 200]


def test_watchers_are_told_to_the_end(desk):
    desk.subscribe()
    desk.notified()
    desk.storage.hold()
    data = desk.write(
        "PUBLISH",
        {"Event": "presence", "Content-Type": "application/pidf+xml"},
        pidf(BOB, "here"),
        user="bob",
    )
    desk.send(data)
    finish(desk)

    desk.storage.release()

    assert desk.answer(Message.read(data)).status == 200
    assert desk.states() == [("active", "here")]
