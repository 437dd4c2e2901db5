from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import MalformedField
from presproxy.model.notice import Body
from presproxy.notify.route import RESERVED, SipRoute, read_route
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.watchers import subscribe
from presproxy.transaction.dialog import Dialog

PHONE = ("192.0.2.1", 5060)
PROXY = "Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKp\r\n"
RECORD = "Record-Route: <sip:192.0.2.99;lr>\r\n"


def route_of(request, flow=None):
    return SipRoute.of_request(request, flow or RecordingFlow(PHONE), "local")


# --- The way to a watcher


@pytest.mark.parametrize(
    ("request_", "source", "peer"),
    [
        (subscribe(), PHONE, PHONE),
        (subscribe(), ("192.0.2.1", 40000), ("192.0.2.1", 40000)),
        (subscribe(via=""), ("192.0.2.1", 40000), PHONE),
        (
            subscribe(via="", contact="sip:bob@192.0.2.1:5070"),
            PHONE,
            ("192.0.2.1", 5070),
        ),
        (subscribe(via="", contact="sip:bob@192.0.2.1"), ("192.0.2.1", 6000), PHONE),
        (subscribe(via="", contact="sip:bob@10.0.0.1:5070"), PHONE, PHONE),
        (subscribe(via="", contact="sip:bob@host.test:5070"), PHONE, PHONE),
        (
            subscribe(via="", contact="sip:bob@[2001:db8::1]:5070"),
            ("2001:db8::1", 5060),
            ("2001:db8::1", 5070),
        ),
        (subscribe(more=PROXY + RECORD), ("192.0.2.99", 5060), ("192.0.2.99", 5060)),
        (subscribe(more=RECORD), ("192.0.2.99", 5060), ("192.0.2.99", 5060)),
        (subscribe(more=PROXY), ("192.0.2.99", 5060), None),
    ],
    ids=[
        "where it came from",
        "through a translator of addresses",
        "listening on another port",
        "listening on the port in Contact",
        "listening on the default port",
        "in a private network",
        "known by a name",
        "over IPv6",
        "by a proxy that stays",
        "by a proxy that hides the way",
        "by a proxy that goes",
    ],
)
def test_datagrams_go_to(request_, source, peer):
    flow = RecordingFlow(source)

    route = route_of(request_, flow)

    assert (route.flow and route.flow.peer) == peer
    assert route.peer == peer


@pytest.mark.parametrize("more", ["", PROXY, RECORD], ids=["direct", "proxy", "route"])
def test_a_stream_leads_back_whoever_is_at_its_end(more):
    flow = RecordingStream()

    route = route_of(subscribe(more=more, transport="TCP"), flow)

    assert (route.flow, route.peer) == (flow, None)


def test_a_watcher_who_moved_is_followed():
    route = route_of(subscribe())
    route.look_again_at = 17.0
    stream = RecordingStream()

    route.follow(subscribe(), stream)

    assert (route.flow, route.peer, route.look_again_at) == (stream, None, 0.0)


def test_a_watcher_behind_a_proxy_that_goes_has_to_be_found():
    route = route_of(subscribe())

    route.follow(subscribe(more=PROXY), RecordingFlow(("192.0.2.99", 5060)))

    assert (route.flow, route.peer, route.has_way) == (None, None, False)


def test_a_closed_stream_is_no_way():
    stream = RecordingStream()
    route = route_of(subscribe(), stream)
    before = route.has_way
    stream.close()

    assert (before, route.has_way) == (True, False)


def test_a_subscribe_without_contact_makes_no_route():
    with pytest.raises(MalformedField):
        route_of(subscribe(contact="mailto:bob@example.test"))


@pytest.mark.parametrize("event", ["presence", "presence;id=7"])
def test_the_event_is_given_back_as_it_came(event):
    assert route_of(subscribe(event=event)).event == event


# --- What waits


def test_the_latest_body_waits_since_the_first_change():
    route = route_of(subscribe())

    route.wait(Body("a/b", b"one"), 1.0)
    route.wait(Body("a/b", b"two"), 2.0)

    assert (route.waiting, route.waiting_since) == (Body("a/b", b"two"), 1.0)


def test_what_did_not_arrive_waits_unless_there_is_something_later():
    route = route_of(subscribe())
    route.told = Body("a/b", b"one")

    route.wait_again()
    first = route.waiting
    route.wait(Body("a/b", b"two"), 2.0)
    route.wait_again()

    assert (first, route.waiting) == (Body("a/b", b"one"), Body("a/b", b"two"))


# --- Records


def test_what_is_written_allows_so_many_numbers():
    route = route_of(subscribe())
    before = route.reserved
    for _ in range(900):
        route.dialog.next_cseq()

    route.kept(route.write())

    assert (before, route.reserved) == (RESERVED, 900 + RESERVED)


def test_what_was_written_earlier_allows_no_less():
    route = route_of(subscribe())
    early = route.write()
    route.dialog.next_cseq()
    late = route.write()

    route.kept(late)
    route.kept(early)

    assert route.reserved == 1 + RESERVED


def test_after_a_start_no_number_is_used_twice_and_none_is_reserved():
    route = route_of(subscribe())
    payload = route.write()
    route.kept(payload)
    while route.dialog.local_cseq < route.reserved:
        last = route.dialog.next_cseq()

    read = read_route(payload)

    assert read.dialog.local_cseq == last
    assert read.reserved == last


TEXT = st.text()


@given(
    st.builds(
        Dialog,
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        st.lists(TEXT, max_size=3).map(tuple),
        st.integers(0, 2**31),
        st.none() | st.integers(0, 2**31),
    ),
    TEXT,
    st.none() | st.tuples(TEXT, st.integers(0, 65535)),
    st.integers(1, 2**31),
)
def test_a_route_reads_back_as_it_was_written(dialog, event, peer, first_cseq):
    route = SipRoute(dialog, None, event, peer, first_cseq=first_cseq)

    read = read_route(route.write())

    dialog.local_cseq += RESERVED
    assert read.dialog.to_payload() == dialog.to_payload()
    assert (read.event, read.peer, read.first_cseq) == (event, peer, first_cseq)
    assert (read.flow, read.is_busy, read.waiting) == (None, False, None)


DIALOG = ["c", "l", "r", "<a>;tag=l", "<b>;tag=r", "sip:b@c", [], 5, 1]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"1000\n",
        b"1000\nnonsense",
        b"1000\n\xff",
        b"1000\n5",
        b"1000\n[]",
        b"1000\n" + b"[" * 100_000,
        *(
            b"1000\n" + json.dumps(each).encode()
            for each in (
                [DIALOG, "presence", None],
                [DIALOG, "presence", None, 1, 1],
                [DIALOG, 5, None, 1],
                [DIALOG, "presence", ["h"], 1],
                [DIALOG, "presence", ["h", "p"], 1],
                [DIALOG, "presence", None, "1"],
                [DIALOG[:8], "presence", None, 1],
                [[*DIALOG[:6], "abc", 5, 1], "presence", None, 1],
                [[*DIALOG[:6], [5], 5, 1], "presence", None, 1],
                [[*DIALOG[:7], "5", 1], "presence", None, 1],
                [[None, *DIALOG[1:]], "presence", None, 1],
            )
        ),
    ],
    ids=lambda payload: payload[:60].decode("latin-1"),
)
def test_what_is_no_route_is_refused(payload):
    with pytest.raises(ValueError, match=r"."):
        read_route(payload)
