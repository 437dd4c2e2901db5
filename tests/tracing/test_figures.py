from __future__ import annotations

import pytest

from presproxy.errors import MalformedField
from presproxy.trace import Bounds, Ring
from presproxy.tracing.figures import Kind
from presproxy.tracing.filters import parse_filter
from presproxy.tracing.gathering import Gathering
from presproxy.tracing.words import say

HERE, ALICE, BOB = ("192.0.2.9", 5060), ("192.0.2.1", 5060), ("192.0.2.2", 5060)
ALL = parse_filter("")


def request(method, branch, call_id="c1", cseq=1, to_tag="", sender="alice", **fields):
    lines = "".join(
        f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()
    )
    return (
        f"{method} sip:bob@example.test SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{branch}\r\n"
        f"From: <sip:{sender}@example.test>;tag=f\r\n"
        f"To: <sip:bob@example.test>{to_tag}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{lines}\r\n"
    ).encode()


def response(status, reason, method, branch, call_id="c1", cseq=1, **fields):
    lines = "".join(
        f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()
    )
    return (
        f"SIP/2.0 {status} {reason}\r\n"
        f"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{branch}\r\n"
        f"From: <sip:alice@example.test>;tag=f\r\n"
        f"To: <sip:bob@example.test>;tag=t\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{lines}\r\n"
    ).encode()


def came(at, data, peer=ALICE):
    return (at, None, "UDP", HERE, peer, data)


def went(at, data, cause=0.0, peer=ALICE):
    return (at, cause, "UDP", HERE, peer, data)


def gathered(*entries, bounds=None):
    ring = Ring(bounds or Bounds())
    for each in entries:
        ring.append(each)
    gathering = Gathering(ring)
    while gathering.catch_up():
        pass
    return gathering


def figures(gathering, wanted=ALL, **more):
    return [
        (each.figure.kind, [traced.number for traced in each.figure.messages])
        for each in gathering.page(wanted, **more).shown
    ]


SUBSCRIPTION = (
    came(1.0, request("SUBSCRIBE", "1", Event="presence", Expires=60)),
    went(1.001, response(401, "Unauthorized", "SUBSCRIBE", "1")),
    came(1.01, request("SUBSCRIBE", "2", cseq=2, Event="presence", Expires=60)),
    went(1.011, response(200, "OK", "SUBSCRIBE", "2", cseq=2, Expires=60)),
    went(1.012, request("NOTIFY", "n1", Event="presence"), cause=1.01001),
    came(1.02, response(200, "OK", "NOTIFY", "n1")),
)


def test_a_subscription_has_its_challenge_and_its_first_notification():
    gathering = gathered(*SUBSCRIPTION)

    assert figures(gathering) == [(Kind.SUBSCRIPTION, [1, 2, 3, 4, 5, 6])]


def test_a_notification_without_a_cause_is_of_the_subscribe_that_waits_for_it():
    entries = [*SUBSCRIPTION]
    entries[4] = (1.012, 0.0, *entries[4][2:])

    assert figures(gathered(*entries)) == [(Kind.SUBSCRIPTION, [1, 2, 3, 4, 5, 6])]


def test_a_change_has_all_notifications_it_caused_whatever_the_dialog():
    gathering = gathered(
        came(1.0, request("PUBLISH", "p", "pub", Event="presence")),
        went(1.001, response(200, "OK", "PUBLISH", "p", "pub")),
        went(1.002, request("NOTIFY", "n1", "c1"), cause=1.00001),
        went(1.003, request("NOTIFY", "n2", "c2"), cause=1.00001, peer=BOB),
        came(1.004, response(200, "OK", "NOTIFY", "n2", "c2"), BOB),
    )

    assert figures(gathering) == [(Kind.CHANGE, [1, 2, 3, 4, 5])]
    (shown,) = gathering.page(ALL).shown
    said = say(shown.figure, gathering.figures)
    assert said.title.endswith("2 are told")
    assert (said.told, said.outcome) == (2, "first after 2.0 ms · last after 3.0 ms")


def test_a_publication_that_nobody_is_told_of_is_one():
    gathering = gathered(
        came(1.0, request("PUBLISH", "p", Event="presence")),
        went(1.001, response(200, "OK", "PUBLISH", "p", SIP_ETag="e1", Expires=60)),
    )

    (shown,) = gathering.page(ALL).shown
    assert shown.figure.kind is Kind.PUBLICATION
    assert say(shown.figure, gathering.figures).outcome == "entity-tag e1, 60 s"


def test_changes_nobody_asked_for_are_one_by_their_cause():
    gathering = gathered(
        went(1.0, request("NOTIFY", "n1", "c1"), cause=0.9),
        went(1.1, request("NOTIFY", "n2", "c2"), cause=0.9),
        went(1.2, request("NOTIFY", "n3", "c3"), cause=1.15),
    )

    assert figures(gathering) == [(Kind.CHANGE, [1, 2]), (Kind.CHANGE, [3])]


def test_what_came_long_before_a_cause_is_not_it():
    gathering = gathered(
        came(1.0, request("PUBLISH", "p", "pub")),
        went(1.5, request("NOTIFY", "n1"), cause=1.4),
    )

    assert figures(gathering) == [(Kind.PUBLICATION, [1]), (Kind.CHANGE, [2])]


def test_what_is_sent_again_is_no_message_of_its_own():
    notify = request("NOTIFY", "n1")
    gathering = gathered(
        went(1.0, notify, cause=0.9),
        went(1.5, notify, cause=0.9),
        came(1.6, response(200, "OK", "NOTIFY", "n1")),
        came(1.7, response(200, "OK", "NOTIFY", "n1")),
    )

    assert figures(gathering) == [(Kind.CHANGE, [1, 3])]
    assert gathering.message(1).repeats == [1.5]
    assert gathering.message(3).repeats == [1.7]


def poll(number, at, sender="alice"):
    branch, call = f"p{number}", f"poll{number}"
    return (
        came(at, request("SUBSCRIBE", branch, call, sender=sender, Expires=0)),
        went(at + 0.1, response(200, "OK", "SUBSCRIBE", branch, call)),
    )


def test_polls_of_one_watcher_are_folded_into_the_latest():
    gathering = gathered(*poll(1, 1.0), *poll(2, 2.0), *poll(3, 3.0, "carol"))

    shown = gathering.page(ALL).shown
    assert figures(gathering) == [(Kind.POLLING, [3, 4]), (Kind.POLLING, [5, 6])]
    assert [each.repeats for each in shown] == [2, 1]
    assert len(figures(gathering, is_folded=False)) == 3


def test_a_page_ends_with_so_many_messages_and_the_next_begins_before_it():
    gathering = gathered(
        *(came(float(each), request("PUBLISH", f"p{each}")) for each in range(5))
    )

    page = gathering.page(ALL, limit=2)
    assert [each.figure.id for each in page.shown] == ["f4", "f5"]
    assert figures(gathering, before=page.next, limit=9) == [
        (Kind.PUBLICATION, [1]),
        (Kind.PUBLICATION, [2]),
        (Kind.PUBLICATION, [3]),
    ]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("user:alice", 2),
        ("user:alice@example.test", 2),
        ("user:carol", 0),
        ("method:publish", 1),
        ("-method:publish", 1),
        ("status:4xx", 1),
        ("status:200", 1),
        ("call-id:c1", 1),
        ("package:presence", 1),
        ("figure:subscription", 1),
        ("sip:bob", 2),
        ("node:here", 2),
        ("node:there", 0),
        ("method:SUBSCRIBE status:200", 1),
    ],
)
def test_a_figure_is_found_by_words(words, found):
    gathering = gathered(*SUBSCRIPTION, came(2.0, request("PUBLISH", "p", "c9")))

    assert len(figures(gathering, parse_filter(words, node="here"))) == found


def test_only_what_went_wrong_is_shown():
    gathering = gathered(
        *SUBSCRIPTION,
        came(2.0, request("PUBLISH", "p", "c9")),
        went(2.1, response(412, "Conditional Request Failed", "PUBLISH", "p", "c9")),
        came(3.0, b"NONSENSE\r\n\r\n"),
    )

    wanted = parse_filter("", errors=True)
    assert [kind for kind, _ in figures(gathering, wanted)] == [
        Kind.PUBLICATION,
        Kind.UNREAD,
    ]


@pytest.mark.parametrize(
    "words",
    ["nobody:x", "user:", "x" * 501, "a " * 21],
    ids=["unknown name", "no value", "too long", "too many"],
)
def test_a_filter_that_means_nothing_is_refused(words):
    with pytest.raises(MalformedField):
        parse_filter(words)


def test_what_the_ring_holds_no_more_is_forgotten_with_all_that_knows_it():
    gathering = gathered(*SUBSCRIPTION, *poll(1, 2.0), bounds=Bounds(age=1.0))

    gathering.ring.trim(100.0)
    gathering.catch_up()

    assert len(gathering.figures) == len(gathering.lanes) == 0
    assert not any(
        getattr(gathering.figures, name)
        for name in gathering.figures.__slots__
        if name != "__weakref__"
    )


def test_lanes_are_whoever_stood_there():
    gathering = gathered(*SUBSCRIPTION)

    assert {gathering.lanes.of(number).identity for number in (1, 2, 3, 4)} == {
        "sip:alice@example.test"
    }
    assert gathering.lanes.of(1).role.value == "watcher"


def test_the_strip_counts_messages_and_errors():
    gathering = gathered(
        came(100.0, b"x y\r\n\r\n"), came(278.0, request("PUBLISH", "p"))
    )

    bars = gathering.density(279.0)
    assert (bars[0], bars[-1]) == ([1, 1], [1, 0])


@pytest.mark.parametrize("method", ["INFO", "REGISTER"])
def test_what_one_peer_says_under_one_call_id_is_many_figures(method):
    said = []
    for place in range(1000):
        said.append(came(place, request(method, f"b{place}", cseq=place)))
        refusal = response(401, "Unauthorized", method, f"b{place}", cseq=place)
        said.append(went(place + 0.1, refusal))
    all_of_it = figures(gathered(*said), limit=9999, is_folded=False)
    sizes = [len(numbers) for _, numbers in all_of_it]

    assert sum(sizes) == 2000
    assert max(sizes) <= 201
