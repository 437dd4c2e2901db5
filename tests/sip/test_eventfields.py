from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import MalformedField
from presproxy.sip import grammar
from presproxy.sip.eventfields import (
    Event,
    SubscriptionState,
    parse_event,
    parse_subscription_state,
)
from presproxy.sip.fields import LONGEST

tokens = st.from_regex(re.compile(grammar.TOKEN, re.ASCII), fullmatch=True)
seconds = st.none() | st.integers(0, LONGEST)


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("presence", Event("presence")),
        (" Presence.WInfo ; ID = 7a ", Event("presence.winfo", "7a")),
        ("dialog;id=", Event("dialog")),
    ],
)
def test_an_event_is_read(text, event):
    assert parse_event(text) == event


def test_parameters_beside_id_are_kept_and_make_no_difference():
    event = parse_event('dialog;call-id="12;3";sla;id=4')

    assert event == Event("dialog", "4")
    assert (event.parameter("call-id"), event.parameter("sla")) == ("12;3", "")
    assert str(event) == "dialog;id=4"


@pytest.mark.parametrize(
    "text", ["", ";id=1", "a b", "presence, dialog", "presence;;id=1", '"x"']
)
def test_an_event_that_cannot_be_read_is_refused(text):
    with pytest.raises(MalformedField, match=r"^Event: "):
        parse_event(text)


@given(st.builds(Event, tokens.map(str.lower), st.none() | tokens))
def test_an_event_reads_back_the_same(event):
    assert parse_event(str(event)) == event


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("active;expires=3600", SubscriptionState("active", 3600)),
        (
            " Terminated ; reason=Probation;retry-after=30",
            SubscriptionState("terminated", None, "probation", 30),
        ),
        ("pending;expires=99999999999", SubscriptionState("pending", LONGEST)),
        ("waiting", SubscriptionState("waiting")),
    ],
)
def test_a_subscription_state_is_read(text, state):
    assert parse_subscription_state(text) == state


@pytest.mark.parametrize(
    "text", ["", "active;expires", "active;expires=x", "active,pending"]
)
def test_a_subscription_state_that_cannot_be_read_is_refused(text):
    with pytest.raises(MalformedField, match=r"^Subscription-State: "):
        parse_subscription_state(text)


@given(
    st.builds(
        SubscriptionState,
        tokens.map(str.lower),
        seconds,
        st.none() | tokens.map(str.lower),
        seconds,
    )
)
def test_a_subscription_state_reads_back_the_same(state):
    assert parse_subscription_state(str(state)) == state
