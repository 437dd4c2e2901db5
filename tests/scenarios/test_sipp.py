"""Conversations as SIPp has them: another implementation, with its own parser."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from presproxy.auth.users import write_users
from presproxy.testing.wire import fresh

pytestmark = pytest.mark.needs("sipp")

SCENARIOS = Path(__file__).parent / "sipp"

#: Seconds; each takes a few.
LIMIT = 60

#: Letters of what SIPp says that are worth reading.
SAID = 3000


@pytest.fixture(params=["udp", "tcp"])
def transport(request):
    return request.param


@pytest.fixture
def sipp(transport, tmp_path):
    """Runs a scenario so many times, and fails with what SIPp says of it."""

    def run(server, name: str, *options: str, calls: int = 1):
        host, port = server.udp if transport == "udp" else server.tcp
        command = [
            *("sipp", f"{host}:{port}", "-sf", str(SCENARIOS / f"{name}.xml")),
            *("-i", "127.0.0.1", "-t", "u1" if transport == "udp" else "t1"),
            *("-s", fresh("sipp"), "-m", str(calls), "-r", "100", "-l", "100"),
            *("-nostdin", "-timeout", str(LIMIT), "-timeout_error"),
            *("-recv_timeout", "10000", "-trace_err", "-error_file", "errors"),
            *options,
        ]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={"TERM": "dumb", "PATH": "/usr/bin:/usr/local/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT + 10,
        )
        if done.returncode:
            pytest.fail(f"{done.stderr[:SAID]}\n{done.stdout[-SAID:]}", pytrace=False)

    return run


@pytest.fixture(scope="module")
def guarded_server(module_servers, tmp_path_factory):
    users = tmp_path_factory.mktemp("users") / "users"
    write_users(users, {"alice@contoso.com": "wonderland"})
    return module_servers("--auth", f"digest:users={users}")


@pytest.mark.parametrize("name", ["publish", "subscribe", "fetch"])
def test_a_conversation(server, sipp, name):
    sipp(server, name)


@pytest.mark.parametrize("transport", ["udp"])
def test_a_retransmission_is_answered_as_before(server, sipp):
    # SIPp's own retransmissions off: it would take the second answer for the first.
    sipp(server, "retransmission", "-nr")


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("proved_register", "contoso.com"),
        ("proved_publish", "alice@contoso.com"),
        ("wrong_password", "contoso.com"),
    ],
)
def test_a_conversation_with_a_proof(guarded_server, sipp, name, uri):
    sipp(guarded_server, name, "-auth_uri", uri)


@pytest.mark.parametrize("name", ["publish", "subscribe"])
def test_two_hundred_conversations_at_once(server, sipp, name):
    before = server.metrics()

    sipp(server, name, calls=200)

    after = server.metrics()
    for gauge in ("subscriptions", "client_transactions", "notices_waiting"):
        assert after[f"presproxy_{gauge}"] == before[f"presproxy_{gauge}"]
