from __future__ import annotations

import click
import pytest
import pytest_twisted
from click.testing import CliRunner
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol

from presproxy.cli.running import CommandGroup, explained
from presproxy.errors import ConfigurationMistakes, PresproxyError
from presproxy.useragent import Refused

#: Seconds after which nothing comes any more.
PATIENCE = 10.0


class Silent(DatagramProtocol):
    """Takes what comes, and answers nothing."""

    def __init__(self) -> None:
        self.asked: Deferred[bytes] = Deferred()

    def datagramReceived(self, data, address):
        if not self.asked.called:
            self.asked.callback(data)


@pytest_twisted.ensureDeferred
async def test_ctrl_c_ends_what_waits(start):
    silent = Silent()
    port = reactor.listenUDP(0, silent, interface="127.0.0.1")
    try:
        server = f"127.0.0.1:{port.getHost().port}"
        fetching = start("fetch", "alice@example.test", "--server", server)
        await silent.asked.addTimeout(PATIENCE, reactor)
        status = await fetching.interrupted()
    finally:
        await port.stopListening()

    assert status == 1
    assert fetching.err == "presproxy: interrupted\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PresproxyError("it went wrong"), "presproxy: it went wrong\n"),
        (ConfigurationMistakes(["one", "two"]), "presproxy: one; two\n"),
    ],
)
def test_what_fails_is_one_line(error, line):
    @click.group(cls=CommandGroup)
    def group():
        pass

    @group.command()
    def fail():
        raise error

    result = CliRunner().invoke(group, ["fail"])

    assert result.exit_code == 1
    assert result.stderr == line


@pytest.mark.parametrize("status", [401, 407])
def test_who_is_not_known_is_told_how_to_say_who_he_is(status):
    assert "--password-file" in explained(Refused("PUBLISH", status, "Unauthorized"))


def test_who_is_refused_for_another_reason_is_not():
    assert "--password-file" not in explained(Refused("PUBLISH", 403, "Forbidden"))
