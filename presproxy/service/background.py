"""Running what nobody waits for."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

_log = Logger()


def run(coroutine: Any) -> None:
    """Run something that waits for nobody's answer; what goes wrong is logged."""

    def defect(failure: Failure) -> None:
        _log.failure("Something in the background went wrong", failure=failure)

    Deferred.fromCoroutine(coroutine).addErrback(defect)
