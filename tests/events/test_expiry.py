from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st

from presproxy.events.expiry import Expiries


@attrs.define(eq=False)
class Thing:
    expires_at: float
    bucket: int = 0


def kept(*moments: float) -> tuple[Expiries[Thing], list[Thing]]:
    expiries: Expiries[Thing] = Expiries()
    things = [Thing(moment) for moment in moments]
    for thing in things:
        expiries.keep(thing)
    return expiries, things


def buckets(expiries: Expiries[Thing]) -> int:
    return len(expiries._buckets)


def test_what_ends_is_given_once_and_the_earliest_first():
    expiries, (late, early, later) = kept(2.5, 1.5, 9.0)

    assert expiries.due(3.0) == [early, late]
    assert expiries.due(3.0) == []
    assert expiries.due(10.0) == [later]


def test_nothing_is_given_before_its_end():
    expiries, (thing,) = kept(2.5)

    assert expiries.due(2.4) == []
    assert expiries.due(3.0) == [thing]


def test_what_goes_on_is_given_at_its_new_end():
    expiries, (thing,) = kept(2.5)

    thing.expires_at = 7.5
    expiries.keep(thing)

    assert expiries.due(3.0) == []
    assert expiries.due(7.0) == []
    assert expiries.due(8.0) == [thing]


def test_what_ends_sooner_is_given_sooner():
    expiries, (thing,) = kept(100.5)

    thing.expires_at = 1.5
    expiries.keep(thing)

    assert expiries.due(2.0) == [thing]
    assert expiries.due(200.0) == []


def test_what_was_dropped_is_not_given():
    expiries, (one, other) = kept(1.5, 1.6)

    expiries.drop(one)
    expiries.drop(one)

    assert expiries.due(2.0) == [other]


def test_many_are_given_in_slices_and_none_twice():
    expiries, things = kept(*(1.5 for _ in range(5)), 0.5, 2.5)

    slices = []
    while expiries.is_due(4.0):
        slices.append(expiries.due(4.0, 3))

    assert slices == [[things[5], *things[:2]], things[2:5], [things[6]]]
    assert buckets(expiries) == 0


def test_what_goes_on_counts_in_a_slice_and_stays():
    expiries, things = kept(*(1.5 for _ in range(5)))
    for thing in things[:4]:
        thing.expires_at = 9.5
        expiries.keep(thing)

    assert expiries.due(2.0, 4) == []
    assert expiries.due(2.0, 4) == [things[4]]
    assert not expiries.is_due(9.0)
    assert expiries.due(10.0) == things[:4]


def test_nothing_is_left_of_what_was_dropped_or_given():
    expiries, things = kept(1.5, 1.6, 2.5, 300.5)

    for thing in things[1:]:
        expiries.drop(thing)
    expiries.due(2.0)

    assert buckets(expiries) == 0
    assert [thing.bucket for thing in things] == [0, 0, 0, 0]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["keep", "drop", "look"]),
            st.integers(0, 4),
            st.floats(0, 20),
        )
    ),
    st.integers(1, 5),
)
def test_it_gives_what_a_list_would(steps, most):
    expiries: Expiries[Thing] = Expiries()
    things = [Thing(0.0) for _ in range(5)]
    alive: set[int] = set()
    now = 0.0
    for step, number, value in steps:
        thing = things[number]
        if step == "keep":
            thing.expires_at = now + value
            expiries.keep(thing)
            alive.add(number)
        elif step == "drop":
            expiries.drop(thing)
            alive.discard(number)
        else:
            now += value
            given_ = expiries.due(now, most)
            while expiries.is_due(now):
                given_ += expiries.due(now, most)
            # A bucket is looked at when its second is over.
            over = {n for n in alive if int(things[n].expires_at) + 1 <= now}
            assert {id(each) for each in given_} >= {id(things[n]) for n in over}
            assert all(each.expires_at <= now for each in given_)
            alive -= {things.index(each) for each in given_}
    assert {n for n, thing in enumerate(things) if thing.bucket} == alive
