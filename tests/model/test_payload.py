from __future__ import annotations

import contextlib

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.model.decision import FULL, NEUTRAL, View
from presproxy.model.identity import Identity
from presproxy.model.payload import (
    PUBLICATION,
    SUBSCRIPTION,
    read_publication,
    read_subscription,
    write_publication,
    write_subscription,
)
from presproxy.model.publication import Publication
from presproxy.model.record import Record
from presproxy.model.subscription import State, Subscription

#: What comes from the wire may hold octets that are no UTF-8.
TEXT = st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))
TEXT = TEXT.filter(lambda text: _is_writable(text))
MOMENTS = st.floats(0, 2.0**52)

PUBLICATIONS = st.builds(
    Publication,
    key=TEXT,
    presentity=TEXT,
    package=TEXT,
    entity_tag=TEXT,
    content_type=TEXT,
    body=st.binary(),
    document=st.none(),
    expires_at=MOMENTS,
    modified_at=MOMENTS,
    source=TEXT,
    version=st.integers(1, 2**40),
)
SUBSCRIPTIONS = st.builds(
    Subscription,
    key=TEXT,
    watcher=st.builds(Identity, TEXT, TEXT),
    presentity=TEXT,
    package=TEXT,
    content_type=TEXT,
    expires_at=MOMENTS,
    notifier=TEXT,
    route=st.none(),
    state=st.sampled_from(State),
    view=st.sampled_from([FULL, NEUTRAL]) | st.builds(View, TEXT),
    rule=TEXT,
    was_approved=st.booleans(),
    version=st.integers(1, 2**40),
    since=MOMENTS,
)


def _is_writable(text: str) -> bool:
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return data.decode("utf-8", "surrogateescape") == text


def record_of(noun: Publication | Subscription, kind: str, payload: bytes) -> Record:
    return Record(
        kind, noun.key, noun.presentity, noun.version, noun.expires_at, payload
    )


@given(PUBLICATIONS)
def test_a_publication_reads_back_as_it_was_written(publication):
    payload = write_publication(publication)

    read = read_publication(record_of(publication, PUBLICATION, payload))

    assert attrs.asdict(read) == attrs.asdict(publication)


@given(SUBSCRIPTIONS, st.binary())
def test_a_subscription_reads_back_as_it_was_written(subscription, route):
    payload = write_subscription(subscription, route)

    read, read_route = read_subscription(record_of(subscription, SUBSCRIPTION, payload))

    assert attrs.asdict(read) == attrs.asdict(subscription)
    assert read_route == route


@given(SUBSCRIPTIONS)
def test_a_view_of_ours_reads_back_as_the_same_object(subscription):
    subscription.view = View("full")

    payload = write_subscription(subscription, b"")
    read, _ = read_subscription(record_of(subscription, SUBSCRIPTION, payload))

    assert read.view is FULL


@given(SUBSCRIPTIONS, st.binary(), st.data())
def test_nothing_else_is_read_but_refused(subscription, route, data):
    payload = write_subscription(subscription, route)
    cut = payload[: data.draw(st.integers(0, len(payload)))]
    garbled = cut + data.draw(st.binary(max_size=20))
    record = record_of(subscription, SUBSCRIPTION, garbled)

    for read in (read_subscription, read_publication):
        with contextlib.suppress(ValueError):
            read(record)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"publication/1",
        b"publication/2\npresence\ne1\ntext/plain\n0.0\n\nbody",
        b"publication/1\npresence\ne1\ntext/plain\n0.0\nno body and no line feed",
        b"publication/1\npresence\ne1\ntext/plain\nlately\n\nbody",
    ],
    ids=["nothing", "form only", "another form", "cut off", "no number"],
)
def test_a_payload_that_is_no_publication_is_refused(payload):
    with pytest.raises(ValueError, match=r"publication|lately"):
        read_publication(Record(PUBLICATION, "k", "sip:a@b", 1, 9.0, payload))


def test_a_state_that_is_none_is_refused():
    payload = (
        b"subscription/1\npresence\nsip\nsip:b@c\nopen\ntext/plain\n"
        b"asleep\n\nfull\n0.0\na rule\nroute"
    )

    with pytest.raises(ValueError, match="asleep"):
        read_subscription(Record(SUBSCRIPTION, "k", "sip:a@b", 1, 9.0, payload))
