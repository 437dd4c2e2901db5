"""What was answered 200 is there after ``kill -9``, and nothing else is."""

from __future__ import annotations

import os
import random

from presproxy.testing.ledger import Crowd

KILLS = 20

#: Seconds that the server lives: from before the first answers to a thousand of them.
SHORTEST, LONGEST = 0.01, 0.5


def test_what_was_answered_is_there_after_each_kill(servers):
    seed = int(os.environ.get("PRESPROXY_SEED") or random.randrange(2**32))
    print(f"PRESPROXY_SEED={seed}")
    chance = random.Random(seed)
    server = servers("--min-expires", "1")
    crowd = Crowd(server, chance)

    for number in range(KILLS):
        if number % 4 == 0:
            crowd.publish_briefly()
        crowd.live(chance.uniform(SHORTEST, LONGEST))
        crowd.come_back()
        assert crowd.wrong == [], f"after kill {number + 1}"

    crowd.close()
    print(f"{crowd.answers} requests were answered")
    assert crowd.answers > 100 * KILLS
