"""What is counted of those who sign in by a scheme of Lync's."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from presproxy.metrics import Counter, Metrics


@attrs.define(eq=False)
class Tally:
    """
    How the answers to the challenges of one scheme came out.

    ``unsigned`` is what came with a signature that is none, or not any more.
    """

    proved: Counter = attrs.field(factory=Counter)
    wrong: Counter = attrs.field(factory=Counter)
    unsigned: Counter = attrs.field(factory=Counter)

    @classmethod
    def of(cls, metrics: Metrics, scheme: str, connections: Callable[[], int]) -> Tally:
        """Begin one that is shown; ``connections`` tells how many are signed or trusted."""

        def counter(outcome: str) -> Counter:
            return metrics.counter(
                "sign_in_answers",
                "Answers to challenges of NTLM and Kerberos.",
                scheme=scheme,
                outcome=outcome,
            )

        metrics.gauge(
            "sign_in_connections",
            "Connections that are signed or trusted.",
            connections,
            scheme=scheme,
        )
        return cls(counter("proved"), counter("wrong"), counter("unsigned"))
