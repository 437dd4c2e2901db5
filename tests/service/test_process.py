"""The server as a process of its own: its log, its signals, its exit status."""

from __future__ import annotations

import os
import re
import signal
import ssl
from contextlib import suppress

import pytest
from cryptography import x509

from presproxy.testing.certificates import Authority
from presproxy.testing.instance import Instance, NotStarted, wait_for
from presproxy.testing.peer import Peer
from presproxy.testing.wire import PIDF, Message, pidf

_SHOWN = re.compile(r"^\S+ \[presproxy[^]]*\] (.*)$", re.MULTILINE)


@pytest.fixture
def instance(tmp_path):
    instance = Instance(tmp_path)
    yield instance
    instance.kill()


def ended(instance: Instance) -> int | None:
    """Wait until the process has ended, and give its exit status."""
    assert instance._process is not None
    assert wait_for(lambda: not instance.is_running, 20)
    return instance._process.poll()


def lines(log: str) -> list[str]:
    """Give what is left of a log without moments, ports and paths."""
    shown = (re.sub(r"\d{4,5}$", "PORT", each) for each in _SHOWN.findall(log))
    return [re.sub(r"/\S+\.db$", "DB", each) for each in shown]


STARTED = [
    "records are kept in DB",
    "listening on udp:127.0.0.1:PORT",
    "listening on tcp:127.0.0.1:PORT",
    "HTTP on http://127.0.0.1:PORT",
    "nobody is asked who he is; only this host can reach presproxy",
    "presproxy is ready",
]
STOPPED = ["presproxy stops", "presproxy has stopped"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_and_the_log_tells_no_more_than_that(instance, number):
    instance.start()
    os.kill(instance.pid, number)

    assert ended(instance) == 0
    assert lines(instance.log()) == [*STARTED, *STOPPED]
    start = instance.log().partition("presproxy stops")[0].splitlines()
    beside = [line for line in start if "[presproxy" not in line]
    assert all("twistd" in line or "reactor class" in line for line in beside)


def test_a_hang_up_is_answered_in_words_and_ends_nothing(instance):
    instance.start()
    os.kill(instance.pid, signal.SIGHUP)

    assert wait_for(lambda: "SIGHUP changes nothing" in instance.log(), 20)
    assert Peer(instance.udp).publish(pidf("here")).status == 200


def test_a_hang_up_renews_certificates_and_an_unusable_one_changes_nothing(tmp_path):
    authority = Authority.make(tmp_path)
    certificate = authority.certify(tmp_path / "server.pem", "localhost")
    instance = Instance(tmp_path, certificate=certificate)
    instance.start()
    try:
        certificate.write_text("nothing")
        os.kill(instance.pid, signal.SIGHUP)
        why = f"The old certificate serves on: {certificate}: holds no certificate"
        assert wait_for(lambda: why in instance.log(), 20)
        assert shown_name(instance.tls) == "localhost"

        authority.certify(certificate, "renewed.example.test")
        os.kill(instance.pid, signal.SIGHUP)
        assert wait_for(lambda: f"{certificate} was read again" in instance.log(), 20)
        assert shown_name(instance.tls) == "renewed.example.test"
    finally:
        assert instance.stop() == 0


def shown_name(address) -> str:
    """Give the name that a server shows who connects by TLS."""
    data = ssl.get_server_certificate(address, timeout=20)
    subject = x509.load_pem_x509_certificate(data.encode()).subject
    return subject.rfc4514_string().partition("=")[2]


def test_a_second_signal_changes_nothing(instance):
    instance.start()
    # One NOTIFY that nobody answers keeps the stop waiting for a moment.
    silent = Peer(instance.udp)
    silent.answer = lambda request: None
    silent.subscribe("sip:bob@contoso.com")

    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
        os.kill(instance.pid, number)

    assert ended(instance) == 0
    assert lines(instance.log()) == [*STARTED, *STOPPED]
    silent.close()


@pytest.mark.parametrize("which", ["udp", "http"])
def test_a_port_that_is_taken_is_one_line_and_status_1(instance, tmp_path, which):
    instance.start()
    folder = tmp_path / "other"
    folder.mkdir()
    other = Instance(folder, **{which: getattr(instance, which)})

    with pytest.raises(NotStarted):
        other.start()

    assert ended(other) == 1
    line = lines(other.log())[-1]
    assert line.startswith("presproxy cannot start: cannot listen on ")
    assert line.endswith(": Address already in use")


def test_what_cannot_be_opened_is_one_line_and_status_1(tmp_path):
    instance = Instance(tmp_path, storage="sqlite:path=no/such/folder/x.db")

    with pytest.raises(NotStarted):
        instance.start()

    assert ended(instance) == 1
    (line,) = lines(instance.log())
    assert "no folder" in line


def test_what_was_acknowledged_before_the_end_is_there_after_it(instance):
    instance.start()
    peer = Peer(instance.tcp, transport="tcp")
    requests = []
    for number in range(400):
        aor = f"sip:user{number}@contoso.com"
        fields = {
            "From": f"<{aor}>;tag=f{number}",
            "To": f"<{aor}>",
            "Event": "presence",
            "Content-Type": PIDF,
        }
        requests.append(peer.write("PUBLISH", aor, fields, pidf(aor)))
    # All at once, and the end in their midst.
    peer.socket.sendall(b"".join(requests[:200]))
    while not peer.inbox:
        assert peer.pump(10)
    os.kill(instance.pid, signal.SIGTERM)
    with suppress(OSError):  # It may have closed the connection.
        peer.socket.sendall(b"".join(requests[200:]))
    assert peer.closed_by_server(10)
    answers = {each.branch: each for each in peer.inbox}
    sent = [Message.read(data) for data in requests]
    acknowledged = {
        each.need("to").strip("<>")
        for each in sent
        if each.branch in answers and answers[each.branch].status == 200
    }
    status = ended(instance)
    peer.close()

    instance.start()

    there = {each["aor"] for each in instance.show("presentities?count=1000")["items"]}
    assert status == 0
    assert {each.status for each in answers.values()} <= {200, 503}
    assert acknowledged
    assert acknowledged <= there
    assert instance.stop() == 0
