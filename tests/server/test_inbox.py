from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.metrics import Counter, Metrics
from presproxy.server.admission import Admission, Deadlines
from presproxy.server.inbox import SLICE, Bounds, Inbox
from presproxy.server.lanes import Lane, lane_of
from presproxy.testing.flows import RecordingFlow, RecordingStream

#: One message of each lane, to be told apart by what follows.
OF_LANE = {
    Lane.ANSWER: b"SIP/2.0 200 OK\r\n%d",
    Lane.KEEPING: b"SUBSCRIBE sip:b@h SIP/2.0\r\nTo: <sip:b@h>;tag=1\r\n%d",
    Lane.CHANGE: b"PUBLISH sip:b@h SIP/2.0\r\nSIP-If-Match: 1\r\n%d",
    Lane.NEW: b"PUBLISH sip:b@h SIP/2.0\r\n%d",
    Lane.ASKING: b"OPTIONS sip:b@h SIP/2.0\r\n%d",
}


def of(lane, number=0):
    return OF_LANE[lane] % number


def answers_for(house, seconds):
    """Give as many answers as it takes the house so long to take."""
    house.cost = SLICE
    return [of(Lane.ANSWER, n) for n in range(round(seconds / SLICE))]


@attrs.define(eq=False)
class Above:
    """
    A house above the inbox: each message takes ``cost`` seconds to serve.

    Unless ``is_open``, the first turn's time is over already.
    """

    cost: float = 0.001
    bounds: Bounds = attrs.field(factory=Bounds)
    is_open: bool = False
    now: float = 0.0
    commit_waits: float = 0.0
    is_telling: bool = False
    served: list[bytes] = attrs.field(factory=list)
    arrivals: list[float] = attrs.field(factory=list)
    refused: list[bytes] = attrs.field(factory=list)
    coming: list = attrs.field(factory=list)
    metrics: Metrics = attrs.field(factory=Metrics)
    flow: RecordingFlow = attrs.field(factory=RecordingFlow)
    stream: RecordingStream = attrs.field(factory=RecordingStream)
    inbox: Inbox = attrs.field(init=False)

    def __attrs_post_init__(self):
        self.inbox = Inbox(
            self.serve,
            Admission(
                self.refuse,
                lambda now: self.commit_waits,
                Deadlines(new=0.2, keeping=0.4, storage=1.0),
                self.metrics,
            ),
            lambda: self.now,
            self.coming.append,
            lambda: self.is_telling,
            self.metrics,
            self.bounds,
        )
        if not self.is_open:
            self.inbox.take(of(Lane.ANSWER), self.flow)
            self.now += SLICE
            self.served.clear()
            self.arrivals.clear()

    def serve(self, data, flow, arrived):
        self.served.append(data)
        self.arrivals.append(arrived)
        self.now += self.cost

    def refuse(self, data, flow, now):
        self.refused.append(data)
        return True

    def turn(self):
        """Be the reactor for one turn."""
        coming, self.coming[:] = list(self.coming), []
        for act in coming:
            act()

    def turns(self):
        """Turn until nothing waits."""
        while self.coming:
            self.turn()

    def take(self, *messages, flow=None):
        for data in messages:
            self.inbox.take(data, flow or self.flow)

    def count(self, name):
        return sum(
            each.source.value
            for each in self.metrics
            if each.name == name and isinstance(each.source, Counter)
        )


@pytest.fixture
def house():
    return Above()


@pytest.fixture
def open_house():
    return Above(is_open=True)


def test_while_there_is_time_a_message_passes_through(open_house):
    open_house.take(of(Lane.NEW))

    assert open_house.served == [of(Lane.NEW)]
    assert len(open_house.inbox) == 0


def test_each_turn_has_time_anew(open_house):
    for _ in range(3):
        open_house.take(*(of(Lane.NEW, n) for n in range(8)))
        open_house.turn()

    assert len(open_house.served) == 24
    assert open_house.count("inbox_seconds") == 0


def test_an_idle_house_wants_no_turns(open_house):
    open_house.take(of(Lane.NEW))
    open_house.turn()

    assert open_house.coming == []


def test_what_is_more_than_a_turn_of_work_waits_with_the_moment_it_came(open_house):
    open_house.cost = SLICE / 2
    began = open_house.now
    open_house.take(*(of(Lane.NEW, n) for n in range(5)))
    at_once = list(open_house.served)
    open_house.now += 0.05
    open_house.turns()

    assert len(at_once) in (1, 2)
    assert open_house.served == [of(Lane.NEW, n) for n in range(5)]
    assert open_house.arrivals[-1] <= began + SLICE
    assert open_house.refused == []


def test_a_turn_ends_after_so_much_work(house):
    house.cost = SLICE / 4
    house.take(*(of(Lane.NEW, n) for n in range(10)))

    house.turn()

    assert len(house.served) == 4
    assert len(house.inbox) == 6


def test_while_watchers_wait_to_be_told_it_is_half_as_much(house):
    house.cost = SLICE / 4
    house.is_telling = True
    house.take(*(of(Lane.NEW, n) for n in range(10)))

    house.turn()

    assert len(house.served) == 2


def test_what_matters_most_is_done_first(house):
    house.take(*(of(lane) for lane in reversed(Lane)))
    house.turns()

    assert house.served == [of(lane) for lane in Lane]


@pytest.mark.parametrize(
    ("lane", "waited", "is_served"),
    [
        (Lane.ANSWER, 5.0, True),
        (Lane.KEEPING, 0.45, True),
        (Lane.KEEPING, 0.55, False),
        (Lane.CHANGE, 0.25, True),
        (Lane.CHANGE, 0.35, False),
        (Lane.NEW, 0.25, True),
        (Lane.NEW, 0.35, False),
        (Lane.ASKING, 0.25, True),
        (Lane.ASKING, 0.35, False),
    ],
)
def test_who_has_waited_too_long_behind_others_is_refused(
    house, lane, waited, is_served
):
    house.take(of(lane), *answers_for(house, waited))
    house.turns()

    assert house.refused == ([] if is_served else [of(lane)])
    assert (of(lane) in house.served) is is_served


@pytest.mark.parametrize("pause", [0.3, 3.0])
def test_what_a_pause_has_left_is_served(house, pause):
    house.take(*(of(lane, n) for lane in Lane for n in range(5)))
    house.now += pause
    house.turns()

    assert (len(house.served), house.refused) == (25, [])


def test_two_pauses_are_not_one_long_time(house):
    for _ in range(2):
        house.take(*(of(Lane.NEW, n) for n in range(5)))
        house.now += 0.3
        house.turns()

    assert (len(house.served), house.refused) == (10, [])


@pytest.mark.parametrize("lane", list(Lane))
def test_who_waits_for_a_stuck_storage_does_not_get_company(house, lane):
    house.commit_waits = 1.5
    house.inbox.tick(house.now)
    house.take(of(lane))
    house.turns()

    needs_it = lane in (Lane.CHANGE, Lane.NEW)
    assert house.refused == ([of(lane)] if needs_it else [])
    assert house.served == ([] if needs_it else [of(lane)])


def test_a_stuck_storage_is_noticed_while_messages_pass_through(open_house):
    open_house.commit_waits = 1.5
    open_house.inbox.tick(open_house.now)
    open_house.take(of(Lane.NEW))
    open_house.turns()

    assert open_house.refused == [of(Lane.NEW)]


def test_what_was_refused_is_refused_when_it_comes_again(house):
    house.take(of(Lane.NEW), *answers_for(house, 0.5))
    house.turns()
    house.served.clear()
    house.take(of(Lane.NEW), of(Lane.NEW, 2))
    house.turns()

    assert house.refused == [of(Lane.NEW)] * 2
    assert house.served == [of(Lane.NEW, 2)]


def test_refusing_takes_half_of_a_turn_and_serving_the_rest(house):
    house.cost = SLICE / 10
    admission = house.inbox.admission
    answer = admission.answer

    def slowly(data, flow, now):
        house.now += SLICE / 10
        return answer(data, flow, now)

    admission.answer = slowly
    house.take(*(of(Lane.NEW, n) for n in range(20)))
    house.take(*(of(Lane.ANSWER, n) for n in range(500)))
    while not house.refused:
        house.served.clear()
        house.turn()

    assert 4 <= len(house.refused) <= 6
    assert 4 <= len(house.served) <= 6


def test_all_that_waits_is_handed_on_before_the_end(house):
    house.cost = SLICE
    house.take(*(of(lane) for lane in reversed(Lane)))

    house.inbox.empty()

    assert house.served == [of(lane) for lane in Lane]
    assert len(house.inbox) == 0


def test_datagrams_beyond_the_bound_are_dropped_and_counted():
    house = Above(bounds=Bounds(messages=3))
    house.take(*(of(Lane.NEW, n) for n in range(5)))
    house.turns()

    assert house.served == [of(Lane.NEW, n) for n in range(3)]
    assert house.count("inbox_dropped") == 2


def test_octets_are_bounded_too():
    house = Above(bounds=Bounds(octets=100))
    house.take(*(of(Lane.NEW) + b"x" * 60 for _ in range(5)))

    assert len(house.inbox) == 2


def test_answers_and_refreshes_may_take_as_much_again():
    house = Above(bounds=Bounds(messages=3))
    house.take(*(of(Lane.NEW, n) for n in range(5)))
    house.take(*(of(Lane.KEEPING, n) for n in range(5)))
    house.turns()

    assert house.served.count(of(Lane.KEEPING, 2)) == 1
    assert len(house.served) == 6


def test_of_a_stream_nothing_is_dropped_and_it_is_told_when_there_is_room():
    house = Above(bounds=Bounds(messages=3))
    house.take(*(of(Lane.NEW, n) for n in range(5)), flow=house.stream)
    had_room = house.inbox.has_room
    told = []
    house.inbox.when_room(lambda: told.append(len(house.inbox)))
    house.turns()

    assert not had_room
    assert told == [0]
    assert len(house.served) == 5
    assert house.count("inbox_dropped") == 0


def test_a_message_that_makes_the_server_fail_does_not_keep_the_others(house):
    def fail(data, flow, arrived):
        house.serve(data, flow, arrived)
        if data == of(Lane.NEW, 0):
            raise RuntimeError("a bug")

    house.inbox.receive = fail
    house.take(*(of(Lane.NEW, n) for n in range(2)))
    with pytest.raises(RuntimeError):
        house.turn()
    house.turns()

    assert house.served == [of(Lane.NEW, 0), of(Lane.NEW, 1)]


@given(
    st.lists(
        st.one_of(
            st.sampled_from(list(Lane)),
            st.just("turn"),
            st.floats(0, 0.3, allow_nan=False),
        )
    )
)
def test_each_is_served_or_refused_once_and_those_of_a_kind_in_order(happenings):
    house = Above(cost=0.003)
    sent = []
    for number, each in enumerate(happenings):
        if isinstance(each, Lane):
            sent.append(of(each, number))
            house.take(sent[-1])
        elif each == "turn":
            house.turn()
        else:
            house.now += each
    house.turns()

    assert sorted(house.served + house.refused) == sorted(sent)
    for lane in Lane:
        for ended in (house.served, house.refused):
            mine = [data for data in ended if lane_of(data) is lane]
            assert mine == [data for data in sent if data in mine]
    assert (len(house.inbox), house.inbox._octets) == (0, 0)
