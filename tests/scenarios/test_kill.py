"""What was answered 200 is there after ``kill -9`` or a stop, and nothing else is."""

from __future__ import annotations

import os
import random

import pytest

from presproxy.testing.ledger import Crowd

KILLS = 20
STOPS = 4

#: Seconds that the server lives: from before the first answers to a thousand of them.
SHORTEST, LONGEST = 0.01, 0.5


@pytest.fixture
def crowd(servers):
    seed = int(os.environ.get("PRESPROXY_SEED") or random.randrange(2**32))
    print(f"PRESPROXY_SEED={seed}")
    crowd = Crowd(servers("--min-expires", "1"), random.Random(seed))
    yield crowd
    crowd.close()
    print(f"{crowd.answers} requests were answered")


def test_what_was_answered_is_there_after_each_kill(crowd):
    for number in range(KILLS):
        if number % 4 == 0:
            crowd.publish_briefly()
        crowd.live(crowd.chance.uniform(SHORTEST, LONGEST))
        crowd.come_back()
        assert crowd.wrong == [], f"after kill {number + 1}"

    assert crowd.answers > 100 * KILLS


def test_what_was_answered_is_there_after_each_stop(crowd):
    for number in range(STOPS):
        crowd.live(crowd.chance.uniform(SHORTEST, LONGEST), crowd.stop_gently)
        crowd.come_back()
        assert crowd.wrong == [], f"after stop {number + 1}"
