"""
The files for clients that the guide shows do what it says.

They are used as they stand there, but for the server's address, and with what a machine
without network, sound and terminal needs besides.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from presproxy.cli import main
from presproxy.testing.certificates import Authority
from presproxy.testing.instance import Instance, wait_for
from presproxy.testing.purple import PurpleUser

DRIVER = Path(__file__).parents[1] / "scenarios" / "clients" / "purple_user.py"

PATIENCE = 30.0
MODULES = Path("/usr/lib/baresip/modules")


@pytest.fixture
def server(tmp_path):
    users = tmp_path / "users"
    command(
        tmp_path,
        *("passwd", str(users), "--batch"),
        input="alice@example.org:wonderland\nbob@example.org:secret\n",
    )
    (tmp_path / "password").write_text("secret\n")
    instance = Instance(
        tmp_path, options=["--auth", f"digest:users={users}"], domain="example.org"
    )
    instance.start()
    yield instance
    assert instance.stop() == 0
    assert instance.troubles() == []


def command(folder: Path, *arguments: str, input: str = "", **more: str) -> str:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            f"from {main.__module__} import main; main()",
            *arguments,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path)), **more},
        input=input,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    ).stdout


def as_bob(server: Instance, *arguments: str) -> str:
    log_in = ("--user", "bob@example.org", "--password-file", "password")
    where = "{}:{}".format(*server.udp)
    return command(server.folder, *arguments, *log_in, PRESPROXY_SERVER=where)


def started(folder: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], Path]:
    """Start a client whose files are in a folder, and give it and what it prints."""
    log = folder / "log"
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "TERM": "dumb"},
        stdin=subprocess.PIPE,
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
    )
    return process, log


def printed(log: Path, words: str) -> bool:
    return wait_for(lambda: words in log.read_text(errors="replace"), PATIENCE)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def state_of_alice(server: Instance) -> str:
    return as_bob(server, "fetch", "alice@example.org")


def is_watched(server: Instance, presentity: str) -> bool:
    return bool(server.show(f"subscriptions?presentity={presentity}")["items"])


@pytest.mark.needs("baresip", "baresip/modules/presence.so")
def test_baresip_publishes_and_watches(server, tmp_path, captioned):
    files = captioned("guides/clients")
    folder = tmp_path / "baresip"
    folder.mkdir()
    console = free_port()
    at = "{}:{}".format(*server.tcp)
    (folder / "accounts").write_text(files["accounts"].replace("sip.example.org", at))
    (folder / "contacts").write_text(files["contacts"])
    (folder / "config").write_text(
        f"module_path {MODULES}\nsip_listen 127.0.0.1:0\n"
        f"module cons.so\ncons_listen 127.0.0.1:{console}\n{files['config']}"
    )

    client, log = started(folder, "baresip", "-f", str(folder))
    try:
        online = wait_for(lambda: "available" in state_of_alice(server), PATIENCE)
        # It prints what changes, and not what it is told first.
        assert wait_for(lambda: is_watched(server, "bob@example.org"), PATIENCE)
        as_bob(server, "publish", "bob@example.org", "busy")
        saw_bob = printed(log, "Busy")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as typist:
            typist.sendto(b"/presence_offline\n", ("127.0.0.1", console))
        offline = wait_for(lambda: "offline" in state_of_alice(server), PATIENCE)
    finally:
        client.terminate()
        client.wait(PATIENCE)

    assert (online, saw_bob, offline) == (True, True, True)


@pytest.mark.needs("linphonec")
def test_linphone_publishes_and_watches(server, tmp_path, captioned):
    folder = tmp_path / "linphone"
    (folder / ".local" / "share" / "linphone").mkdir(parents=True)
    settings = captioned("guides/clients")[".linphonerc"]
    settings = settings.replace("sip.example.org", "{}:{}".format(*server.tcp))
    here = "sip_port=-1\nsip_tcp_port=-1\nsip_tls_port=-1\n"
    here += "register_only_when_network_is_up=0\n"
    (folder / ".linphonerc").write_text(settings.replace("[sip]\n", f"[sip]\n{here}"))

    client, log = started(folder, "linphonec", "-c", str(folder / ".linphonerc"))
    try:
        online = wait_for(lambda: "available" in state_of_alice(server), PATIENCE)
        as_bob(server, "publish", "bob@example.org", "busy")
        saw_bob = printed(log, '"Bob" <sip:bob@example.org> is Busy')
    finally:
        client.communicate(b"quit\n", timeout=PATIENCE)

    assert (online, saw_bob) == (True, True)


# -- Pidgin and SIPE, as libpurple has them

#: What Pidgin's labels stand for in libpurple, and so their values.
LABELS = {
    "Connection type": "transport",
    "Authentication scheme": "authentication",
}
VALUES = {"SSL/TLS": "tls", "NTLM": "ntlm"}


@pytest.fixture
def lync_server(tmp_path):
    """A server as the guide configures it."""
    users = tmp_path / "users"
    lines = "alice@example.org:wonderland\nbob@example.org:secret\n"
    command(tmp_path, "passwd", str(users), "--batch", input=lines)
    options = ["--auth", f"ntlm:users={users}:target=sip.example.org"]
    options += ["--auth", f"digest:users={users}"]
    certificate = Authority.make(tmp_path).certify(tmp_path / "chain.pem", "localhost")
    instance = Instance(
        tmp_path, options=options, domain="example.org", certificate=certificate
    )
    instance.start()
    yield instance
    assert instance.stop() == 0
    assert instance.troubles() == []


def of_the_table(page: str) -> dict[str, str]:
    """Give the settings of the account, by the names that libpurple has for them."""
    rows = dict(re.findall(r"^(\w[\w \[\]:]+?)  +(\S.*)$", page, re.MULTILINE))
    return {name: VALUES[rows[label]] for label, name in LABELS.items()}


@pytest.mark.needs("libpurple.so.0", "purple-2/libsipe.so", "python3")
def test_two_with_pidgin_see_each_other(lync_server, tmp_path, captioned):
    page = (Path(__file__).parents[2] / "docs" / "guides" / "lync.rst").read_text()
    mend = tmp_path / "mend-sipe.py"
    mend.write_text(captioned("guides/lync")[mend.name])
    at = f"localhost:{lync_server.tls[1]}"
    users = []
    for name, password in (("alice", "wonderland"), ("bob", "secret")):
        folder = tmp_path / name
        folder.mkdir()
        home = {**os.environ, "HOME": str(folder)}
        subprocess.run(["python3", mend], env=home, check=True, timeout=PATIENCE)
        setting = {
            "user": f"{name}@example.org",
            "password": password,
            "protocol": "prpl-sipe",
            "options": {**of_the_table(page), "server": at},
            "authorities": str(tmp_path),
            "plugins": str(folder / ".purple" / "plugins"),
            "buddies": [],
        }
        users.append(PurpleUser.start(folder, DRIVER, setting))
    alice, bob = users
    try:
        has_list = [
            wait_for(lambda user=user: user.groups() != [], PATIENCE) for user in users
        ]
        alice.do("add", buddy="sip:bob@example.org", group="Friends")
        bob.do("status", to="busy", note="In a call")
        sees_bob = wait_for(lambda: is_busy_in_a_call(alice), PATIENCE)
    finally:
        for user in users:
            user.kill()

    assert (has_list, sees_bob) == ([True, True], True), alice.logs()[-3000:]


def is_busy_in_a_call(watcher: PurpleUser) -> bool:
    bob = watcher.sights().get("sip:bob@example.org")
    return bob is not None and bob.status == "busy" and "In a call" in bob.text
