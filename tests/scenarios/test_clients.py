"""
The whole flow with clients that others have written: baresip, Linphone, and libpurple
with SIMPLE and with SIPE, which is Lync's dialect.

Each publishes as a user of its own, and each watches all of them.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import ClassVar

import attrs
import pytest

from presproxy.auth.users import write_users
from presproxy.testing.certificates import Authority
from presproxy.testing.instance import wait_for
from presproxy.testing.purple import PurpleUser
from presproxy.testing.relay import relay_to

CLIENTS = Path(__file__).parent / "clients"

#: Python with nothing installed: the drivers want only the libraries of the system.
PYTHON = "python3"

PASSWORD = "wonderland"

#: Seconds that a publication lasts where a client can be told, and until everybody has
#: seen that it ended: the last refresh, the server's look once a second, some patience.
EXPIRES = 5
GONE = EXPIRES + 10

#: Seconds in which a change is seen.
SEEN = 10

#: Seconds for a client to start, and libpurple waits ten before it subscribes.
STARTED = 20


@attrs.define(eq=False)
class Client:
    """
    A client's process, driven by its stdin and read from its output.

    ``words`` are how it calls the states that it can tell apart.
    """

    folder: Path
    process: subprocess.Popen[bytes]
    buddies: tuple[str, ...] = ()
    words: ClassVar[dict[str, str]] = {}

    @classmethod
    def start(cls, folder: Path, server, user: str, transport: str, buddies):
        raise NotImplementedError

    @classmethod
    def run(cls, folder: Path, *command: str, **fields):
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "HOME": str(folder), "TERM": "dumb"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return cls(folder, process, **fields)

    def say(self, state: str) -> None:
        """Publish a state."""
        self.process.stdin.write(f"{state}\n".encode())
        self.process.stdin.flush()

    def sees(self, buddy: str) -> str:
        """Say how the client calls the state of somebody now."""
        raise NotImplementedError

    def logs(self) -> str:
        return (self.folder / "output").read_text("utf-8", "replace")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def _last(self, pattern: str) -> str:
        return (re.findall(pattern, self.logs()) or [""])[-1]


@attrs.define(eq=False)
class Baresip(Client):
    """baresip, driven by its JSON interface."""

    port: int = 0
    words: ClassVar[dict[str, str]] = {
        "available": "Online",
        "offline": "Offline",
        "busy": "Busy",
    }

    @classmethod
    def start(cls, folder, server, user, transport, buddies):
        port = free_port()
        (folder / "config").write_text(
            "sip_listen 127.0.0.1:0\n"
            f"sip_cafile {server.certificate.parent}/Authority.pem\n"
            "net_interface 127.0.0.1\n"
            "module_path /usr/lib/baresip/modules\n"
            "module_tmp account.so\n"
            "module_app contact.so\n"
            "module_app menu.so\n"
            "module_app presence.so\n"
            "module_app ctrl_tcp.so\n"
            f"ctrl_tcp_listen 127.0.0.1:{port}\n"
        )
        host, sip_port = way_to(server, transport)
        (folder / "accounts").write_text(
            f"<sip:{user}@contoso.com;transport={transport}>;auth_pass={PASSWORD}"
            f';outbound="sip:{host}:{sip_port};transport={transport}"'
            f";regint=60;pubint={EXPIRES}\n"
        )
        (folder / "contacts").write_text(
            "".join(
                f'"{each}" <sip:{each}@contoso.com>;presence=p2p\n' for each in buddies
            )
        )
        return cls.run(folder, "baresip", "-4", "-s", "-f", str(folder), port=port)

    def say(self, state):
        # It publishes by itself before it listens.
        assert wait_for(lambda: self._ask(f"presence_{STATES[state]}"), SEEN)

    def sees(self, buddy):
        found = re.search(rf"\x1b\[\d*m(\w+)\x1b\[;m {buddy} ", self._ask("contacts"))
        return found[1] if found else ""

    def _ask(self, command: str) -> str:
        data = json.dumps({"command": command, "token": "t"}).encode()
        answer = b""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as stream:
                stream.sendall(b"%d:%b," % (len(data), data))
                while b'"token":"t"' not in answer:
                    more = stream.recv(65535)
                    if not more:
                        return ""
                    answer += more
        except OSError:
            return ""
        return str(json.loads(answer[answer.index(b"{") : -1])["data"]) or " "


STATES = {"available": "online", "offline": "offline"}


@attrs.define(eq=False)
class Linphonec(Client):
    """Linphone's console: it says itself what its friends are."""

    words: ClassVar[dict[str, str]] = {
        "available": "Online",
        "offline": "Offline",
        "busy": "Busy",
        "away": "Away",
        "on-the-phone": "On the phone",
    }

    @classmethod
    def start(cls, folder, server, user, transport, buddies):
        path = write_linphonerc(folder, server, user, transport, buddies)
        return cls.run(folder, "linphonec", "-c", str(path))

    def sees(self, buddy):
        return self._last(rf'Friend "{buddy}" <sip:{buddy}@contoso.com> is (.+)')


@attrs.define(eq=False)
class Linphone(Client):
    """liblinphone, which knows activities."""

    words: ClassVar[dict[str, str]] = {
        state: state
        for state in ("available", "offline", "busy", "away", "on-the-phone", "meal")
    }

    @classmethod
    def start(cls, folder, server, user, transport, buddies):
        path = write_linphonerc(folder, server, user, transport, buddies)
        names = [f"sip:{each}@contoso.com" for each in buddies]
        driver = str(CLIENTS / "linphone_user.py")
        return cls.run(folder, PYTHON, driver, str(path), *names)

    def sees(self, buddy):
        return self._last(rf"(?m)^sip:{buddy}@contoso.com (.+)$")


@attrs.define(eq=False)
class Pidgin(Client):
    """A client with libpurple."""

    user: PurpleUser = attrs.field(kw_only=True)

    def say(self, state):
        self.user.do("status", to=state)

    def sees(self, buddy):
        sight = self.user.sights().get(f"sip:{buddy}@contoso.com")
        return sight.status if sight else ""

    def logs(self):
        return self.user.logs()


@attrs.define(eq=False)
class Purple(Pidgin):
    """libpurple's SIMPLE, which is Pidgin's."""

    words: ClassVar[dict[str, str]] = {"available": "available", "offline": "offline"}

    @classmethod
    def start(cls, folder, server, user, transport, buddies):
        setting = {
            "protocol": "prpl-simple",
            "user": f"{user}@contoso.com",
            "password": PASSWORD,
            "options": {
                "port": relay_to(way_to(server, transport)),
                "udp": False,
                "useproxy": True,
                "proxy": "127.0.0.1",
            },
            "buddies": [f"sip:{each}@contoso.com" for each in buddies],
        }
        started = PurpleUser.start(folder, CLIENTS / "purple_user.py", setting)
        return cls(folder, started.process, user=started)


@attrs.define(eq=False)
class Sipe(Pidgin):
    """SIPE for libpurple, which speaks Lync's dialect."""

    words: ClassVar[dict[str, str]] = {
        "available": "available",
        "offline": "offline",
        "busy": "busy",
        "away": "away",
        "on-the-phone": "busy",
        "meal": "away",
    }

    @classmethod
    def start(cls, folder, server, user, transport, buddies):
        host, port = way_to(server, transport)
        setting = {
            "protocol": "prpl-sipe",
            "user": f"{user}@contoso.com",
            "password": PASSWORD,
            "options": {
                "server": f"{host}:{port}",
                "transport": transport,
                "authentication": "ntlm",
            },
            "buddies": [],
        }
        started = PurpleUser.start(folder, CLIENTS / "purple_user.py", setting)
        # Whom it adds before its list has come is taken off again by it.
        has_list = wait_for(lambda: "Other Contacts" in started.groups(), STARTED)
        assert has_list, started.logs()[-3000:]
        for each in buddies:
            started.do("add", buddy=f"sip:{each}@contoso.com")
        return cls(folder, started.process, user=started)


def write_linphonerc(folder, server, user, transport, buddies) -> Path:
    (folder / ".local/share/linphone").mkdir(parents=True)
    host, port = way_to(server, transport)
    friends = "".join(
        f'[friend_{number}]\nurl="{each}" <sip:{each}@contoso.com>\npol=accept\n'
        "subscribe=1\n"
        for number, each in enumerate(buddies)
    )
    path = folder / "linphonerc"
    path.write_text(
        "[sip]\ndefault_proxy=0\nsip_port=-1\nsip_tcp_port=-1\n"
        "register_only_when_network_is_up=0\nguess_hostname=0\n"
        "[proxy_0]\n"
        f"reg_proxy=<sip:{host}:{port};transport={transport}>\n"
        f"reg_route=<sip:{host}:{port};transport={transport};lr>\n"
        f"reg_identity=sip:{user}@contoso.com\n"
        "reg_expires=60\nreg_sendregister=1\n"
        f"publish=1\npublish_expires={EXPIRES}\n"
        f"[auth_info_0]\nusername={user}\npasswd={PASSWORD}\nrealm=contoso.com\n"
        f"{friends}"
    )
    return path


def way_to(server, transport: str):
    ways = {"udp": server.udp, "tcp": server.tcp, "tls": server.tls}
    return ways[transport]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
    return port


#: Who publishes: the client, and by which transport.
PUBLISHERS = {
    "bob-baresip": (Baresip, "tcp"),
    "bob-linphonec": (Linphonec, "udp"),
    "bob-linphone": (Linphone, "tcp"),
    "bob-purple": (Purple, "tcp"),
    "bob-sipe": (Sipe, "tcp"),
}
WATCHERS = {
    "alice-baresip": (Baresip, "udp"),
    "carol-baresip": (Baresip, "tls"),
    "alice-linphonec": (Linphonec, "tcp"),
    "alice-linphone": (Linphone, "udp"),
    "alice-purple": (Purple, "tcp"),
    "alice-sipe": (Sipe, "tcp"),
}

#: libpurple answers four challenges that come at once, and leaves the fifth: one PUBLISH
#: and three SUBSCRIBEs.
FEW = ("bob-baresip", "bob-linphone", "bob-purple")

pytestmark = pytest.mark.needs(
    "baresip",
    "baresip/modules/presence.so",
    "linphonec",
    "liblinphone.so.10",
    "libpurple.so.0",
    "purple-2/libsimple.so",
    "purple-2/libsipe.so",
    PYTHON,
)


@pytest.fixture(scope="module")
def clients_server(module_servers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("users")
    users = folder / "users"
    names = (*PUBLISHERS, *WATCHERS)
    write_users(users, {f"{name}@contoso.com": PASSWORD for name in names})
    authority = Authority.make(folder)
    certificate = authority.certify(folder / "server.pem", "127.0.0.1", "contoso.com")
    options = ("--min-expires", "2", "--auth", f"digest:users={users}")
    return module_servers(*options, certificate=certificate)


@pytest.fixture(scope="module")
def all_watchers(clients_server, tmp_path_factory):
    """All products watch all publishers, from the beginning."""
    started = []
    try:
        for name, (product, transport) in WATCHERS.items():
            folder = tmp_path_factory.mktemp(name)
            buddies = FEW if product is Purple else tuple(PUBLISHERS)
            started.append(
                product.start(folder, clients_server, name, transport, buddies)
            )
            started[-1].buddies = buddies
        wait_until_all_watch(clients_server, started)
        yield started
    finally:
        for each in started:
            each.kill()


def wait_until_all_watch(server, started) -> None:
    wanted = sum(len(each.buddies) for each in started)

    def active() -> int:
        found = server.show("subscriptions?count=1000")["items"]
        watching = (each for each in found if each["package"] == "presence")
        return sum(each["state"] == "active" for each in watching)

    if not wait_for(lambda: active() >= wanted, STARTED, 0.1):
        logs = "\n".join(each.logs()[-3000:] for each in started)
        pytest.fail(f"{active()} of {wanted} subscriptions\n{logs}", pytrace=False)


@pytest.fixture
def watchers(request, instances_shown, clients_server, all_watchers):
    instances_shown += [clients_server, *all_watchers]
    return all_watchers


@pytest.fixture
def publisher(instances_shown, clients_server, tmp_path):
    """Starts a publisher, and ends it."""
    started = []

    def start(name: str):
        product, transport = PUBLISHERS[name]
        client = product.start(tmp_path, clients_server, name, transport, ())
        started.append(client)
        instances_shown.append(client)
        return client

    yield start
    for each in started:
        each.kill()


def see(watchers, buddy: str, state: str, limit: float = SEEN) -> None:
    """Wait until all watchers who have a word for a state see it."""
    for watcher in watchers:
        word = watcher.words.get(state)
        if word is not None and buddy in watcher.buddies:
            happened = wait_for(
                lambda watcher=watcher, word=word: watcher.sees(buddy) == word,
                limit,
                0.1,
            )
            name = type(watcher).__name__
            assert happened, f"{name} sees {watcher.sees(buddy)!r}, not {word!r}"


@pytest.mark.parametrize(
    "name", ["bob-baresip", "bob-linphone", "bob-purple", "bob-sipe"]
)
def test_every_watcher_sees_every_change(watchers, publisher, name):
    bob = publisher(name)
    see(watchers, name, "available", STARTED)

    for state in ("offline", "available", "offline"):
        bob.say(state)
        see(watchers, name, state)


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("bob-linphone", ("busy", "away", "on-the-phone", "meal", "available")),
        ("bob-sipe", ("busy", "away", "available")),
    ],
)
def test_every_watcher_sees_the_activities(watchers, publisher, name, states):
    bob = publisher(name)
    see(watchers, name, "available", STARTED)

    for state in states:
        bob.say(state)
        see(watchers, name, state)


@pytest.mark.parametrize(
    "name", ["bob-baresip", "bob-linphonec", "bob-linphone", "bob-sipe"]
)
def test_whose_client_is_killed_is_gone_when_the_publication_expires(
    watchers, publisher, name
):
    bob = publisher(name)
    see(watchers, name, "available", STARTED)

    bob.kill()

    see(watchers, name, "offline", GONE)
