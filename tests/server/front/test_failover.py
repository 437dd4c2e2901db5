"""Servers behind that do not answer: others are tried, and what fails rests."""

from __future__ import annotations

import pytest

from presproxy.transport.hop import Hop

BOB = "sip:bob@example.test"
FIRST, SECOND = Hop("udp", "192.0.2.10", 5070), Hop("tcp", "192.0.2.11", 5070)


def one(messages):
    (message,) = messages
    return message


def statuses(phone):
    return [each.status for each in phone.read()]


def final(phone):
    return [status for status in statuses(phone) if status != 100]


@pytest.fixture
def two(behind):
    """Both machines, the first one tried first."""
    behind.hops = [FIRST, SECOND]
    return behind.at(FIRST), behind.at(SECOND)


def unprobed(build, phone_of):
    desk, behind = build(probe=0.0, rest=10.0)
    behind.hops = [FIRST, SECOND]
    return desk, behind, phone_of(desk, "alice")


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_the_next_is_tried_after_503(alice, two, method):
    first, second = two
    alice.send(method, BOB)
    first.respond(one(first.read()), "503 Service Unavailable")
    request = one(second.read())
    second.respond(request, "486 Busy Here")

    assert request.first_line == f"{method} {BOB} SIP/2.0"
    assert final(alice) == [486]


def test_a_503_of_the_last_one_is_told_as_500(alice, two):
    for_each = iter(two)
    alice.send("MESSAGE", BOB)
    for each in for_each:
        each.respond(one(each.read()), "503 Service Unavailable")

    assert final(alice) == [500]


def test_any_other_refusal_is_passed_back(alice, two):
    first, second = two
    alice.send("MESSAGE", BOB)
    first.respond(one(first.read()), "500 Server Internal Error")

    assert final(alice) == [500]
    assert second.read() == []


def test_the_next_is_tried_where_one_says_nothing(desk, alice, two):
    first, second = two
    alice.send("INVITE", BOB)
    desk.sleep(3.9)
    before = second.read()
    desk.sleep(0.3)
    second.respond(one(second.read()), "486 Busy Here")

    assert before == []
    assert final(alice) == [486]
    assert first.read() != []


def test_who_rings_is_not_left(desk, alice, two):
    first, second = two
    alice.send("INVITE", BOB)
    first.respond(one(first.read()), "180 Ringing")
    desk.sleep(10)

    assert second.read() == []


def test_a_call_that_was_cancelled_is_not_tried_elsewhere(desk, alice, two):
    first, second = two
    invite = alice.send("INVITE", BOB)
    first.read()
    cancel = invite.data.replace(b"INVITE sip", b"CANCEL sip").replace(
        b"1 INVITE", b"1 CANCEL"
    )
    alice.send_data(cancel)
    desk.sleep(33)

    assert second.read() == []
    assert 487 in final(alice)


def test_a_late_2xx_of_the_one_that_was_left_is_passed_back(desk, alice, two):
    first, second = two
    alice.send("INVITE", BOB)
    invite = one(first.read())
    desk.sleep(4.2)
    ringing = one(second.read())
    second.respond(ringing, "180 Ringing")
    first.respond(invite, "200 OK")

    assert final(alice) == [180, 200]
    assert one(second.read()).method == "CANCEL"


def test_one_that_cannot_be_reached_is_passed_over_and_rests(alice, two, behind):
    behind.hops = [SECOND, FIRST]
    behind.refusing = {SECOND}
    alice.send("MESSAGE", BOB)
    behind.refusing = set()
    alice.send("MESSAGE", BOB)
    first, second = two

    assert (len(first.read()), len(second.read())) == (2, 0)


def test_who_was_silent_is_not_asked_again_for_a_while(build, phone_of):
    desk, behind, alice = unprobed(build, phone_of)
    first, second = behind.at(FIRST), behind.at(SECOND)
    alice.send("MESSAGE", BOB)
    desk.sleep(4.2)
    first.read()
    second.respond(one(second.read()), "200 OK")
    alice.send("MESSAGE", BOB)
    while_resting = (first.read() != [], second.read() != [])
    desk.sleep(10)
    alice.send("MESSAGE", BOB)

    assert while_resting == (False, True)
    assert any(each.method == "MESSAGE" for each in first.read())


@pytest.mark.parametrize(("said", "asked_again"), [("5", True), (None, True)])
def test_who_asks_for_it_is_left_alone(build, phone_of, said, asked_again):
    desk, behind, alice = unprobed(build, phone_of)
    first, second = behind.at(FIRST), behind.at(SECOND)
    alice.send("MESSAGE", BOB)
    first.respond(one(first.read()), "503 Service Unavailable", {"Retry-After": said})
    second.respond(one(second.read()), "200 OK")
    alice.send("MESSAGE", BOB)
    at_once = first.read() != []
    desk.sleep(6)
    alice.send("MESSAGE", BOB)

    assert at_once is (said is None)
    assert (first.read() != []) is asked_again


def test_the_only_one_is_not_left_alone(build, phone_of):
    desk, behind = build(probe=0.0)
    alice, pbx = phone_of(desk, "alice"), behind.at(FIRST)
    alice.send("INVITE", BOB)
    pbx.respond(one(pbx.read()), "503 Busy", {"Retry-After": "3600"})
    pbx.read()
    alice.send("MESSAGE", BOB)

    assert one(pbx.read()).method == "MESSAGE"


# --- Away


def test_while_nobody_is_there_503_is_answered_at_once(desk, alice, behind):
    behind.hops = [SECOND]
    behind.refusing = {SECOND}
    alice.send("INVITE", BOB)
    answers = alice.read()

    assert [each.status for each in answers][-1] == 503
    assert answers[-1].get("retry-after") == "30"
    assert desk.defects == 0


def test_presence_goes_on_meanwhile(alice, behind):
    behind.hops = []
    alice.send("MESSAGE", BOB)
    alice.send("SUBSCRIBE", BOB, {"Event": "presence"})

    assert statuses(alice)[:2] == [503, 200]


def test_a_call_goes_on_by_another_connection(desk, alice, behind):
    behind.hops = [SECOND]
    alice.send("INVITE", BOB)
    pbx = behind.at(SECOND)
    pbx.respond(one(pbx.read()), "200 OK")
    *_, ok = alice.read()
    behind.streams[SECOND].close()
    fields = {
        "Route": [*reversed(ok.all("record-route"))],
        "Call-ID": ok.call_id,
        "From": ok.need("from"),
        "To": ok.need("to"),
        "CSeq": "2 BYE",
    }
    alice.send("BYE", "sip:bob@198.51.100.7", fields)

    assert one(behind.at(SECOND).read()).method == "BYE"


def test_a_call_that_breaks_off_while_it_is_away_is_refused_as_others(
    desk, alice, behind
):
    behind.hops = [SECOND]
    alice.send("INVITE", BOB)
    behind.at(SECOND).read()
    behind.refusing = {SECOND}
    behind.streams[SECOND].close()
    desk.sleep(1)
    answers = [each for each in alice.read() if each.status >= 200]

    assert [(each.status, each.get("retry-after")) for each in answers] == [(503, "30")]
    assert desk.defects == 0


def test_a_connection_that_was_closed_is_no_sign_that_nobody_is_there(build, phone_of):
    desk, behind, alice = unprobed(build, phone_of)
    behind.hops = [SECOND]
    alice.send("MESSAGE", BOB)
    behind.streams[SECOND].close()
    desk.sleep(5)
    lost = [each.status for each in alice.read()]
    alice.send("MESSAGE", BOB)
    pbx = behind.at(SECOND)
    pbx.respond(one(pbx.read()))

    assert lost == [500]
    assert [each.status for each in alice.read()] == [200]


# --- Probing


@pytest.fixture
def prober(desk):
    return desk.server.prober


def test_a_server_is_asked_whether_it_is_there(prober, pbx):
    prober.probe()
    options = one(pbx.read())
    pbx.respond(options, "404 Not Found")

    assert options.method == "OPTIONS"
    assert options.get("max-forwards") == "1"
    assert not prober.upstreams[0].is_away


def test_one_that_does_not_answer_is_away_until_it_does(desk, prober, alice, pbx):
    prober.probe()
    desk.sleep(4.2)
    pbx.read()
    alice.send("INVITE", BOB)
    while_away = final(alice)
    prober.probe()
    pbx.respond(one(pbx.read()), "200 OK")
    alice.send("INVITE", BOB)

    assert while_away == [503]
    assert one(pbx.read()).method == "INVITE"


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_who_waits_for_the_only_one_is_refused_once_it_is_known_to_be_gone(
    desk, alice, pbx, method
):
    alice.send(method, BOB)
    desk.sleep(2.3)
    asked = {each.method for each in pbx.read()}
    desk.sleep(3.5)
    before = final(alice)
    desk.sleep(2.3)
    answers = [each for each in alice.read() if each.status >= 200]

    assert asked == {method, "OPTIONS"}
    assert before == []
    assert [(each.status, each.get("retry-after")) for each in answers] == [(503, "30")]


def test_who_has_heard_no_more_than_100_is_refused_as_well(desk, alice, pbx):
    alice.send("INVITE", BOB)
    pbx.respond(one(pbx.read()), "100 Trying")
    desk.sleep(9)
    came = [each.method for each in pbx.read()]

    assert final(alice) == [503]
    assert "OPTIONS" in came
    assert "CANCEL" in came


def test_who_waits_for_the_only_one_goes_on_waiting_if_that_is_there(desk, alice, pbx):
    alice.send("INVITE", BOB)
    came = pbx.read()
    for _ in range(10):
        desk.sleep(1)
        for each in pbx.read():
            if each.method == "OPTIONS":
                pbx.respond(each, "200 OK")
    pbx.respond(came[0], "486 Busy Here")

    assert final(alice) == [486]


def test_one_that_shall_not_be_asked_is_not_when_it_is_silent(build, phone_of):
    desk, behind = build(probe=0.0)
    phone_of(desk, "alice").send("INVITE", BOB)
    desk.sleep(10)

    assert {each.method for each in behind.at(FIRST).read()} == {"INVITE"}


def test_who_hears_it_ring_waits_for_one_that_is_away(desk, prober, alice, pbx):
    alice.send("INVITE", BOB)
    invite = one(pbx.read())
    pbx.respond(invite, "180 Ringing")
    prober.probe()
    desk.sleep(20)
    is_away = prober.upstreams[0].is_away
    pbx.respond(invite, "200 OK")

    assert is_away
    assert final(alice) == [180, 200]


def test_one_that_says_503_is_away(prober, alice, pbx):
    prober.probe()
    pbx.respond(one(pbx.read()), "503 Service Unavailable")
    alice.send("MESSAGE", BOB)

    assert final(alice) == [503]


def test_one_is_not_asked_twice_at_once(prober, pbx):
    prober.probe()
    prober.probe()

    assert len(pbx.read()) == 1


def test_one_that_refuses_connections_is_away(desk, prober, behind, alice):
    behind.hops, behind.refusing = [SECOND], {SECOND}
    prober.probe()

    assert prober.upstreams[0].is_away
    assert "it was refused" in prober.upstreams[0].why
    assert desk.defects == 0


def test_what_is_away_is_shown(desk, prober, behind):
    behind.hops, behind.refusing = [FIRST, SECOND], {SECOND}
    prober.probe()
    one_is_away = shown(desk)
    behind.hops = [SECOND]
    prober.probe()

    why = "tcp:192.0.2.11:5070: it was refused"
    assert one_is_away == (["udp:192.0.2.10:5070"], False, why)
    assert shown(desk) == ([], True, why)


def shown(desk):
    (behind,) = desk.server.sight().behind()
    return list(behind.answering), behind.is_away, behind.why
