"""What the transaction layer counts."""

from __future__ import annotations

from presproxy.metrics import Counter, Metrics

#: Labels never come from the wire: any other method is counted as ``other``.
METHODS = (
    "ACK",
    "BENOTIFY",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SERVICE",
    "SUBSCRIBE",
    "UPDATE",
)

#: What is wrong with what cannot be read: a request answered 400, one without a way back
#: or not to be answered (an ACK), a response, no message of SIP at all.
KINDS = ("answered", "unanswered", "response", "nonsense")


class Tally:
    """The counters of the transaction layer, each looked up once."""

    def __init__(self, metrics: Metrics) -> None:
        def requests(method: str) -> Counter:
            return metrics.counter("requests", "Requests received.", method=method)

        def responses(status: str) -> Counter:
            return metrics.counter("responses", "Responses received.", status=status)

        def malformed(kind: str) -> Counter:
            return metrics.counter(
                "malformed", "Messages which could not be read.", kind=kind
            )

        def repeated(direction: str) -> Counter:
            return metrics.counter(
                "retransmissions", "Messages repeated.", direction=direction
            )

        def timeouts(lacking: str) -> Counter:
            return metrics.counter(
                "timeouts",
                "Transactions which ended because something did not come in time.",
                lacking=lacking,
            )

        self._requests = {method: requests(method) for method in METHODS}
        self._other_requests = requests("other")
        #: By the first digit of the status.
        self._responses = [responses(f"{digit}xx") for digit in range(1, 7)]
        self.malformed = {kind: malformed(kind) for kind in KINDS}
        self.repeated = repeated("in")
        self.sent_again = repeated("out")
        self.stray = metrics.counter(
            "stray_responses", "Responses to no request that waits for one."
        )
        #: No response came to a request of ours (timer F), we gave none, or no ACK came
        #: to one (timer H).
        self.timeouts = timeouts("response")
        self.unanswered = timeouts("answer")
        self.unacknowledged = timeouts("ack")
        self.refused = metrics.counter(
            "refused", "Requests answered 503 since too many were waiting."
        )
        self.defects = metrics.counter(
            "transaction_defects", "Errors nobody expected of whoever had asked."
        )
        self.undelivered = metrics.counter(
            "undelivered_responses", "Responses whose flow was closed."
        )

    def request(self, method: str) -> None:
        """Count a request."""
        self._requests.get(method, self._other_requests).value += 1

    def response(self, status: int) -> None:
        """Count a response, whose status is from 100 to 699."""
        self._responses[status // 100 - 1].value += 1
