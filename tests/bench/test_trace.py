"""What the trace costs while nobody looks: for each message, one entry, and its dropping."""

from __future__ import annotations

import time

from presproxy.metrics import Metrics
from presproxy.sip.flow import Flow
from presproxy.trace import Bounds, Ring, Tap
from presproxy.transport.traffic import Traffic

#: Seconds; measured 0.2 µs.  A NOTIFY and its answer take some 25 µs.
MOST_FOR_AN_ENTRY = 0.6e-6

MESSAGE = b"x" * 600
FLOW = Flow(("192.0.2.9", 5060), ("192.0.2.1", 5060), "192.0.2.9:5060")

#: Messages between two trimmings, as at 10,000 a second.
TIMES = 500


def seconds_each(ring):
    """Give the seconds for a message that is sent, with a full ring or with none."""
    tap = Tap()
    if ring is not None:
        tap.keep(ring.append)
    traffic = Traffic(
        "udp", lambda data, flow: None, tap=tap, metrics=Metrics(), now=time.monotonic
    )
    best = float("inf")
    for _ in range(60):
        began = time.process_time()
        for _ in range(TIMES):
            traffic.gave(MESSAGE, FLOW)
        if ring is not None:
            ring.trim(time.monotonic())
        best = min(best, time.process_time() - began)
    return best / TIMES


def test_an_entry_costs_little():
    more = seconds_each(Ring(Bounds(messages=5000))) - seconds_each(None)

    print(f"{more * 1e9:.0f} ns a message more while the trace is kept")
    assert more < MOST_FOR_AN_ENTRY
