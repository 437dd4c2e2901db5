"""All that is measured beside the rows of costs, in the order of the report."""

from __future__ import annotations

from bench.batches import BATCHES
from bench.check import Check
from bench.growth import MEMORY
from bench.interleave import INTERLEAVE
from bench.kill import KILL
from bench.latency import LATENCY
from bench.overload import OVERLOAD
from bench.restart import RESTART

CHECKS: tuple[Check, ...] = (
    LATENCY,
    BATCHES,
    INTERLEAVE,
    KILL,
    RESTART,
    OVERLOAD,
    MEMORY,
)
