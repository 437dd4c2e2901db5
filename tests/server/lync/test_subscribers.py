from __future__ import annotations

import pytest
import pytest_twisted

from presproxy.documents.lync.older import read_pending
from presproxy.documents.lync.soap import SetAce
from presproxy.documents.lync.soapwriting import write_soap
from presproxy.documents.lync.subscribers import CONTENT_TYPE, write_set_subscribers
from presproxy.errors import StorageUnavailable
from presproxy.model.decision import Handling

ALICE, BOB, EVE = (
    "sip:alice@example.test",
    "sip:bob@example.test",
    "sip:eve@elsewhere.test",
)


@pytest.fixture
def book(lync_desk):
    return lync_desk.server.lync.lists.subscribers


@pytest.fixture
def acknowledge(serve):
    """Let Alice answer about subscribers."""

    def answered(*users, **options):
        body = write_set_subscribers([(user, True) for user in users])
        return serve(CONTENT_TYPE, body, **options)

    return answered


def told(book):
    return [
        (each.user, each.type.value, each.is_acknowledged)
        for each in book.table.of(ALICE)
    ]


def test_who_adds_a_user_is_told_of_until_he_is_acknowledged(book, acknowledge):
    book.introduced(ALICE, BOB)
    book.introduced(ALICE, EVE)
    book.introduced(ALICE, BOB)

    answer = acknowledge("bob@example.test")

    assert answer.status == 200
    assert told(book) == [
        (BOB, "sameEnterprise", True),
        (EVE, "federated", False),
    ]


@pytest_twisted.ensureDeferred
async def test_of_whom_something_was_said_he_is_known(lync_desk, book):
    await lync_desk.server.lync.lists.contacts.handle(ALICE, BOB, Handling.ALLOW)
    await lync_desk.server.lync.lists.contacts.handle(ALICE, EVE, Handling.BLOCK)

    book.introduced(ALICE, BOB)
    book.introduced(ALICE, EVE)
    book.introduced(ALICE, ALICE)

    assert told(book) == []


def test_nobody_is_noted_for_users_who_are_not_ours(book):
    book.introduced(EVE, ALICE)

    assert book.table.of(EVE) == ()


def test_who_could_not_be_kept_is_noted_another_time(lync_desk, book):
    lync_desk.storage.failure = StorageUnavailable("the disk is full")
    book.introduced(ALICE, BOB)
    lync_desk.storage.failure = None
    before = told(book)

    book.introduced(ALICE, BOB)

    assert before == []
    assert [user for user, *_ in told(book)] == [BOB]
    assert lync_desk.defects == 0


def test_an_acknowledgement_that_could_not_be_kept_is_refused_for_now(
    lync_desk, book, acknowledge
):
    book.introduced(ALICE, BOB)
    lync_desk.storage.failure = StorageUnavailable("the disk is full")

    answer = acknowledge(BOB)

    assert answer.status == 503
    assert told(book)[0][-1] is False


def test_who_says_what_somebody_may_do_knows_of_him(book, serve):
    book.introduced(ALICE, EVE)

    serve("application/soap+xml", write_soap(SetAce("USER", EVE, "AA")))

    assert told(book) == [(EVE, "federated", True)]


@pytest.mark.parametrize(
    ("users", "options", "status"),
    [
        ([EVE], {}, 200),
        ([EVE], {"user": "bob"}, 403),
        ([EVE], {"uri": BOB}, 403),
        (["mailto:x@y"], {}, 400),
    ],
    ids=["who never came", "somebody's", "another's", "no address"],
)
def test_other_answers(lync_desk, book, acknowledge, users, options, status):
    assert acknowledge(*users, **options).status == status
    assert told(book) == []
    assert lync_desk.defects == 0


def test_what_is_no_answer_is_a_bad_request(serve):
    answer = serve(CONTENT_TYPE, "<setSubscribers")

    assert answer.status == 400
    assert answer.get("content-type") == "application/msrtc-fault+xml"


def test_clients_of_2005_are_told_who_waits(lync_desk, book, acknowledge):
    lync_desk.subscribe({"Event": "presence.wpending"}, uri=ALICE)
    book.introduced(ALICE, EVE)
    waiting = lync_desk.notified()
    acknowledge(EVE)
    after = lync_desk.notified()

    assert [read_pending(each.body) for each in (*waiting, *after)] == [
        (),
        ((EVE, ""),),
        (),
    ]
