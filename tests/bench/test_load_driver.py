"""The driver of the benchmark sees what a server does wrong."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import threading
from collections import defaultdict

import pytest

from bench.faulty import Server

pytestmark = pytest.mark.needs("cc", "make")

FAULTS = (
    "failed",
    "lost",
    "stale",
    "duplicates",
    "out_of_order",
    "impossible",
    "wrong_final",
    "unknown_notifies",
    "unreadable",
    "reused_cseq",
    "gaps",
    "unasked",
)


#: NOTIFYs of a change in a run of 20 rounds: two presentities with three watchers each
#: are told once before, too.
ROUNDS = 20 * 3
TOLD = 2 * 3 + ROUNDS


def faults(counted):
    return {name: counted[name] for name in FAULTS if counted[name]}


@pytest.mark.parametrize(
    "scenario",
    [
        "publish-modify",
        "publish-refresh",
        "resubscribe",
        "poll",
        "fanout",
        "mixed",
    ],
)
def test_it_finds_nothing_wrong_with_an_honest_server(play, scenario):
    counted = play(Server(), scenario)

    assert counted["operations"] == 20
    assert faults(counted) == {}


def test_new_subscriptions_end_with_the_watchers(play):
    counted = play(Server(), "subscribe")

    assert (counted["operations"], counted["notifies"]) == (6, 6)
    assert faults(counted) == {}


def test_a_round_is_over_when_every_watcher_was_told(play):
    counted = play(Server(), "fanout")

    assert counted["notifies"] == ROUNDS
    assert counted["latency"]["notify"]["count"] == ROUNDS


def test_a_tour_measures_each_operation_by_itself_and_goes_round(driver):
    told = []

    def tell(server, subscriber, state):
        told.append(state)
        server.notify(subscriber, state)

    with Server(tell) as server:
        where = ["--server", f"127.0.0.1:{server.port}"]
        small = ["-p", "2", "-w", "12", "-f", "2", "-n", "2", "tour"]
        ended = subprocess.run(
            [driver, *where, *small, "--sync"],
            input=b"\n" * 40,
            capture_output=True,
            check=True,
            timeout=60,
        )
    *words, line = ended.stdout.decode().splitlines()
    counted = json.loads(line)

    assert words == ["begin", "end"] * 4 * 5
    # Two rounds of each of the five, when 4, 6, 8, 10 and 12 had subscribed.
    assert len(told) == 4 + 6 + 8 + 10 + 12
    assert (counted["operations"], faults(counted)) == (2, {})


def test_it_sees_a_state_older_than_one_seen_before(play):
    def tell(server, subscriber, state):
        server.notify(subscriber, state)
        if server.told % 5 == 0:
            server.notify(subscriber, "state number 0")

    counted = play(Server(tell), "fanout")

    # The last one of these is the last that its watcher is told.
    assert faults(counted) == {"stale": TOLD // 5, "wrong_final": 1}


def test_it_sees_a_fetched_state_older_than_one_that_was_answered(play):
    class Forgetful(Server):
        def _publish(self, request, body, way):
            kept = self._states.get(request["uri"])
            super()._publish(request, body, way)
            self._states[request["uri"]] = kept or body

    counted = play(Forgetful(), "mixed")

    assert counted["stale"] > 0


def test_it_sees_a_state_told_twice(play):
    def tell(server, subscriber, state):
        server.notify(subscriber, state)
        server.notify(subscriber, state)

    counted = play(Server(tell), "fanout")

    assert set(faults(counted)) == {"duplicates"}
    assert counted["duplicates"] == TOLD


def test_a_notify_that_is_sent_again_is_none_more(play):
    def tell(server, subscriber, state):
        server.notify(subscriber, state)
        server.notify(subscriber, state, cseq=subscriber.cseq)

    counted = play(Server(tell), "fanout")

    assert faults(counted) == {}
    assert (counted["retransmissions_received"], counted["notifies"]) == (TOLD, ROUNDS)


def test_it_sees_a_cseq_used_for_two_notifies(play):
    def tell(server, subscriber, state):
        server.notify(subscriber, state)
        server.notify(subscriber, state, cseq=subscriber.cseq, branch="other")

    counted = play(Server(tell), "fanout")

    assert faults(counted) == {"reused_cseq": TOLD}


def test_it_sees_notifies_that_come_in_another_order(play):
    def tell(server, subscriber, state):
        server.notify(subscriber, state, cseq=subscriber.cseq + 2)
        server.notify(subscriber, state, cseq=subscriber.cseq + 1)
        subscriber.cseq += 2

    counted = play(Server(tell), "fanout")

    assert counted["out_of_order"] == TOLD
    assert counted["gaps"] == 0


def test_an_old_state_is_not_believed_when_its_notify_comes_too_late(play):
    def tell(server, subscriber, state):
        server.notify(subscriber, state, cseq=subscriber.cseq + 2)
        server.notify(subscriber, "state number 0", cseq=subscriber.cseq + 1)
        subscriber.cseq += 2

    counted = play(Server(tell), "fanout")

    assert faults(counted) == {"out_of_order": TOLD}


def test_it_sees_watchers_who_end_on_the_state_that_was_sent_last_and_is_not(play):
    class Interleaved(Server):
        """Two workers: the first has a state, and says it after the second has its own."""

        held = None

        def _change(self, presentity, state):
            if self.held is None:
                self.held = state
                return
            super()._change(presentity, state)
            super()._change(presentity, self.held)
            self.held = None

    server = Interleaved()
    counted = play(server, "interleave", "-p", "1", "-w", "3", "--ways", "4")

    assert counted["operations"] == 20
    assert counted["stale"] >= 9 * 3
    assert counted["wrong_final"] == 3


def test_changes_of_one_presentity_come_from_all_sockets(play):
    ways = set()

    def answers(request):
        ways.add(request["Via"].split(";")[0])
        return True

    counted = play(Server(answers=answers), "interleave", "-p", "1", "--ways", "4")

    assert faults(counted) == {}
    assert len(ways) == 4


def test_it_sees_a_number_that_never_came(play):
    def tell(server, subscriber, state):
        subscriber.cseq += 1
        server.notify(subscriber, state)

    counted = play(Server(tell), "fanout")

    assert faults(counted) == {"gaps": TOLD}


def test_it_sees_a_notify_that_does_not_come(play):
    def tell(server, subscriber, state):
        if server.told != 8:
            server.notify(subscriber, state)

    counted = play(Server(tell), "fanout", "-p", "1", "-w", "3")

    assert faults(counted) == {"failed": 1, "lost": 1}
    assert counted["lost_notifies"] == 1


def test_it_sees_a_watcher_left_behind_at_the_end(play):
    def tell(server, subscriber, state):
        if server.told <= 12:
            server.notify(subscriber, state)

    counted = play(Server(tell), "fanout", "-n", "3")

    assert counted["wrong_final"] == 3


def test_it_sees_a_state_nobody_published(play):
    def tell(server, subscriber, state):
        server.notify(subscriber, state)
        server.notify(subscriber, "state number 1000000")

    counted = play(Server(tell), "fanout")

    assert faults(counted) == {"impossible": TOLD}


def test_it_sees_a_notify_of_no_subscription(play):
    def tell(server, subscriber, state):
        server.notify(subscriber, state)
        server.notify(subscriber, state, call_id="somebody-else")

    counted = play(Server(tell), "fanout")

    assert set(faults(counted)) >= {"unknown_notifies"}
    assert counted["unknown_notifies"] == TOLD


def test_it_sees_an_answer_that_does_not_come(play):
    asked = []

    def answers(request):
        asked.append(request["Via"])
        return request["CSeq"] == "1 PUBLISH"

    server = Server(answers=answers)
    counted = play(server, "publish-modify", "-n", "2", "--timeout", "1")

    assert counted["operations"] == 0
    assert faults(counted) == {"failed": 2, "lost": 2}
    assert counted["lost_answers"] == 2
    assert counted["retransmissions_sent"] == 2
    assert len(asked) == 2 + 2 * 2


def test_a_lost_answer_is_asked_for_again(play):
    seen = set()

    def answers(request):
        is_again = request["Via"] in seen
        seen.add(request["Via"])
        return is_again or request["CSeq"] != "3 PUBLISH"

    server = Server(answers=answers)
    counted = play(server, "publish-modify", "--timeout", "5")

    assert counted["operations"] == 20
    assert faults(counted) == {}
    assert counted["retransmissions_sent"] == 2


def test_a_challenge_is_answered_and_its_nonce_kept(play):
    counts = defaultdict(list)

    def ask(request):
        text = request.get("Authorization")
        if text is None:
            return 'WWW-Authenticate: Digest realm="here", nonce="n1", qop="auth"'
        given = dict(re.findall(r'(\w+)="?([^",]*)', text))
        secret = md5(f"{given['username']}:here:wonderland")
        rest = md5(f"{request['method']}:{request['uri']}")
        wanted = md5(f"{secret}:n1:{given['nc']}:{given['cnonce']}:auth:{rest}")
        assert given["uri"] == request["uri"]
        counts[given["username"]].append(int(given["nc"], 16))
        return None if given["response"] == wanted else "WWW-Authenticate: Basic"

    server = Server(ask=ask)
    counted = play(server, "mixed", "--password", "wonderland")

    assert faults(counted) == {}
    assert counted["statuses"]["401"] == len(counts)
    assert all(given == list(range(1, len(given) + 1)) for given in counts.values())


def test_what_is_refused_is_counted_and_timed_by_itself(play):
    class Busy(Server):
        def _publish(self, request, body, way):
            if request["CSeq"] == "2 PUBLISH":
                again = ["Retry-After: 5"]
                self._answer(request, way, again, "503 Service Unavailable")
            else:
                super()._publish(request, body, way)

    counted = play(Busy(), "publish-modify")

    refused = counted["statuses"]["503"]
    assert (counted["refused"], counted["failed"]) == (refused, refused)
    assert counted["latency"]["refused"]["count"] == refused > 0
    assert counted["latency"]["operation"]["count"] == counted["operations"]
    assert faults(counted) == {"failed": refused}


def test_it_tells_how_long_it_took_until_all_was_current(play):
    def tell(server, subscriber, state):
        wait = 0.2 if "state number 3" in state else 0
        threading.Timer(wait, server.notify, (subscriber, state)).start()

    # A poll, and a PUBLISH of the third state.
    counted = play(Server(tell), "mixed", "-n", "2", "--drain", "5")

    assert faults(counted) == {}
    assert 0.2 <= counted["caught_up"] < 5


def test_a_watcher_who_asked_for_benotify_answers_none(play):
    asked = []
    server = Server(answers=lambda request: asked.append(request) or True)
    server.method = "BENOTIFY"

    counted = play(server, "fanout", "--benotify")

    subscribed = [one["Supported"] for one in asked if one["method"] == "SUBSCRIBE"]
    assert faults(counted) == {}
    assert subscribed == ["ms-benotify"] * 6
    assert (counted["notifies"], server.answered) == (ROUNDS, 0)


def test_it_sees_a_notify_where_benotify_was_asked_for(play):
    counted = play(Server(), "fanout", "--benotify")

    assert faults(counted) == {"unasked": 6 + TOLD}


def test_an_open_loop_keeps_its_rate(play):
    counted = play(Server(), "mixed", "-n", "50", "--rate", "500")

    assert counted["operations"] == 50
    assert counted["seconds"] >= 49 / 500
    assert faults(counted) == {}


@pytest.mark.parametrize(
    "arguments",
    [["dance"], [], ["--server", "nowhere", "poll"], ["-p", "0", "poll"]],
    ids=["no such scenario", "no scenario", "no port", "nobody"],
)
def test_a_wrong_command_line_is_told(driver, arguments):
    ended = subprocess.run([driver, *arguments], capture_output=True, check=False)

    assert ended.returncode == 2
    assert ended.stderr.startswith(b"load: ")


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()
