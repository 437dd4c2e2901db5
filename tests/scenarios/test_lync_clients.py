"""
Lync clients that others have written: libpurple with SIPE, which Pidgin signs in with.

Two users of theirs, one by TCP and one by TLS, and one of libpurple's SIMPLE beside them.
What a user sees of the other is what he is shown in his list of contacts.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import attrs
import pytest

from presproxy.auth.users import write_users
from presproxy.testing.certificates import Authority
from presproxy.testing.instance import Instance, wait_for
from presproxy.testing.purple import PurpleUser
from presproxy.testing.relay import relay_to

DRIVER = Path(__file__).parent / "clients" / "purple_user.py"

PASSWORD = "wonderland"
DOMAIN = "contoso.com"
NAMES = ("alice", "bob", "carol")

#: Seconds for a client to sign in, and in which a change is seen: SIPE itself waits for
#: one before it says what its user has set, and libpurple's SIMPLE ten before it watches.
SIGNED_IN = 30
SEEN = 30
#: Milliseconds after which a client whose connection broke comes again.
AGAIN = 500

#: How users prove who they are.
AUTH = {
    "nothing": (),
    "NTLM by 407": ("--auth", "ntlm:users={users}:mode=407"),
    "NTLM by 401": ("--auth", "ntlm:users={users}:mode=401"),
    "Digest by 407": ("--auth", "digest:users={users}"),
}

#: What SIPE calls the group that everybody has.
OTHERS = "Other Contacts"

#: What SIPE calls its states, but for the one that hides.
STATES = ("busy", "do-not-disturb", "be-right-back", "away", "available")

pytestmark = pytest.mark.needs(
    "libpurple.so.0", "purple-2/libsipe.so", "purple-2/libsimple.so", "python3"
)


@attrs.define(eq=False)
class House:
    """A server, and who comes to it; ``folder`` is where each client finds its own."""

    server: Instance
    folder: Path
    authorities: Path
    users: list[PurpleUser] = attrs.field(factory=list)

    def enter(self, name: str, transport: str, **fields: object) -> PurpleUser:
        """Let somebody sign in with SIPE, and have his list."""
        user = self.knock(name, transport, **fields)
        assert user.wait_until_signed_on(SIGNED_IN), user.logs()[-5000:]
        # Whom he adds before his list has come is taken off again by it.
        assert wait_for(lambda: OTHERS in user.groups(), SIGNED_IN), user.logs()[-5000:]
        return user

    def knock(self, name: str, transport: str, **fields: object) -> PurpleUser:
        """Let somebody try with SIPE, who knows nothing from an earlier time."""
        address = self.server.tls if transport == "tls" else self.server.tcp
        return self._start(
            name,
            protocol="prpl-sipe",
            options={
                "server": f"localhost:{address[1]}",
                "transport": transport,
                "authentication": "ntlm",
            },
            **fields,
        )

    def enter_simply(self, name: str, **fields: object) -> PurpleUser:
        """Let somebody sign in with SIMPLE."""
        options = {
            "port": relay_to(self.server.tcp),
            "udp": False,
            "useproxy": True,
            "proxy": "127.0.0.1",
        }
        user = self._start(name, protocol="prpl-simple", options=options, **fields)
        assert user.wait_until_signed_on(SIGNED_IN), user.logs()[-5000:]
        return user

    def _start(self, name: str, **fields: object) -> PurpleUser:
        folder = self.folder / f"{name}-{len(self.users)}"
        folder.mkdir()
        setting = {
            "user": f"{name}@{DOMAIN}",
            "password": PASSWORD,
            "authorities": str(self.authorities),
            "reconnect": AGAIN,
            "debug": True,
            "buddies": [],
            **fields,
        }
        self.users.append(PurpleUser.start(folder, DRIVER, setting))
        return self.users[-1]

    def close(self) -> None:
        for user in self.users:
            user.kill()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority.make(tmp_path_factory.mktemp("authorities"))


@pytest.fixture(scope="module")
def open_house(module_servers, authority, tmp_path_factory):
    """Open a house whose users prove who they are in one of the ways of `AUTH`."""
    folder = tmp_path_factory.mktemp("lync")
    users = folder / "users"
    write_users(users, {f"{name}@{DOMAIN}": PASSWORD for name in NAMES})
    certificate = authority.certify(folder / "server.pem", "localhost")
    opened = []

    def open_one(auth: str) -> House:
        options = [each.format(users=users) for each in AUTH[auth]]
        server = module_servers(*options, domain=DOMAIN, certificate=certificate)
        place = tmp_path_factory.mktemp("clients")
        opened.append(House(server, place, authority.path.parent))
        return opened[-1]

    yield open_one
    for house in opened:
        house.close()


@pytest.fixture(scope="module", params=AUTH)
def module_house(request, open_house):
    """One house, where bob was told of alice who added him, and has added her."""
    house = open_house(request.param)
    alice, bob = house.enter("alice", "tcp"), house.enter("bob", "tls")
    alice.do("add", buddy=uri("bob"), group="Friends")
    assert wait_for(lambda: bob.events("added-by"), SEEN), bob.logs()[-5000:]
    bob.do("add", buddy=uri("alice"), group="Work")
    return house


@pytest.fixture
def house(module_house, instances_shown):
    instances_shown += [module_house.server, *module_house.users]
    return module_house


@pytest.fixture
def alice(house):
    return house.users[0]


@pytest.fixture
def bob(house, alice):
    """Whom alice sees available, whatever was before."""
    bob = house.users[1]
    bob.do("status", to="available")
    see(alice, "bob", "available")
    return bob


def uri(name: str) -> str:
    return f"sip:{name}@{DOMAIN}"


def see(user: PurpleUser, name: str, status: str, text: str = "") -> None:
    """Wait until a user sees somebody in a state, and with a text if there is one."""

    def is_seen() -> bool:
        sight = user.sights().get(uri(name))
        return sight is not None and sight.status == status and text in sight.text

    assert wait_for(is_seen, SEEN, 0.05), (
        f"{name} is to be seen {status!r} {text!r}: {user.sights().get(uri(name))}"
    )


def test_each_change_of_one_is_seen_by_the_other(alice, bob):
    for state in STATES:
        bob.do("status", to=state)
        see(alice, "bob", state)


def test_a_note_is_seen_and_goes_again(alice, bob):
    bob.do("status", to="busy", note="lunch with carol")
    see(alice, "bob", "busy", "lunch with carol")

    bob.do("status", to="available")
    see(alice, "bob", "available")

    assert "lunch" not in alice.sights()[uri("bob")].text


def test_who_hides_is_offline_for_the_other_and_sees_him_still(alice, bob):
    bob.do("status", to="invisible")
    see(alice, "bob", "offline")
    alice.do("status", to="away")
    see(bob, "alice", "away")

    bob.do("status", to="available")
    see(alice, "bob", "available")
    alice.do("status", to="available")
    see(bob, "alice", "available")


def test_who_is_blocked_sees_offline_and_who_is_allowed_again_the_truth(alice, bob):
    bob.do("block", who=uri("alice"))
    see(alice, "bob", "offline")
    bob.do("status", to="busy")

    bob.do("allow", who=uri("alice"))
    see(alice, "bob", "busy")


@pytest.mark.parametrize("level", ["Team", "Personal"])
def test_an_access_level_decides_by_its_container(house, alice, bob, level):
    bob.do("choose", buddy=uri("alice"), item=["Access level", level])
    wanted = CONTAINERS[level]
    assert wait_for(lambda: wanted in rule_for(house, "bob", "alice"), SEEN, 0.1)

    bob.do("status", to="busy", note=f"for my {level}")
    see(alice, "bob", "busy", f"for my {level}")
    bob.do("choose", buddy=uri("alice"), item=["Access level", "Company"])
    see(alice, "bob", "busy", f"for my {level}")


#: The containers that Lync's access levels are.
CONTAINERS = {"Team": "300", "Personal": "400", "Company": "200"}


def rule_for(house: House, presentity: str, watcher: str) -> str:
    """Give the rule by which the server lets somebody see somebody."""
    query = f"presentity={quote(uri(presentity))}&watcher={quote(uri(watcher))}"
    return str(house.server.show(f"explain?{query}")["decision"]["rule"])


def test_messages_come_to_the_other(alice, bob):
    alice.do("send", to=uri("bob"), text="tea is ready")
    wait_for_message(bob, "alice", "tea is ready")
    bob.do("send", to=uri("alice"), text="I come <b>at once</b>")
    wait_for_message(alice, "bob", "at once")


def wait_for_message(user: PurpleUser, sender: str, text: str) -> None:
    def has_come() -> bool:
        return any(
            event["sender"] == uri(sender) and text in event["text"]
            for event in user.events("message")
        )

    assert wait_for(has_come, SEEN), user.events("message")


def test_who_was_added_is_told_so_once(alice, bob):
    for state in ("busy", "available"):
        alice.do("status", to=state)
        see(bob, "alice", state)

    assert [event["who"] for event in bob.events("added-by")] == [uri("alice")]


def test_who_signs_off_is_offline_and_finds_his_list_when_he_comes_again(
    house, alice, bob
):
    assert bob.quit() == 0
    see(alice, "bob", "offline")

    bob = house.users[1] = house.enter("bob", "tls")
    house.users.pop()
    see(bob, "alice", "available")
    see(alice, "bob", "available")

    assert bob.sights()[uri("alice")].groups == ["Work"]


def test_who_does_not_know_the_password_is_told_so_and_stays_outside(house, alice):
    if "--auth" not in house.server.options:
        pytest.skip("nobody is asked for a password")
    mallory = house.knock("carol", "tls", password="looking-glass", reconnect=0)

    assert wait_for(lambda: mallory.events("connection-error"), SEEN), mallory.logs()
    [trouble] = mallory.events("connection-error")
    house.users.remove(mallory)
    mallory.kill()

    assert trouble["fatal"]
    assert not mallory.events("signed-on")


def test_who_is_taken_off_the_list_stays_off(house, alice, bob):
    alice.do("add", buddy=uri("carol"), group="Friends")
    assert wait_for(lambda: uri("carol") in kept(house, "alice"), SEEN)

    alice.do("remove", buddy=uri("carol"))
    assert wait_for(lambda: uri("carol") not in kept(house, "alice"), SEEN)

    assert uri("bob") in kept(house, "alice")


def kept(house: House, name: str) -> set[str]:
    """Give whom the server has in somebody's list of contacts."""
    contacts = house.server.show(f"contacts/{uri(name)}")["contacts"]
    return {contact["aor"] for contact in contacts if contact.get("groups")}


def test_clients_come_back_to_the_right_picture_when_the_server_was_killed(
    house, alice, bob
):
    bob.do("status", to="busy", note="in the cellar")
    see(alice, "bob", "busy", "in the cellar")

    house.server.kill()
    see(alice, "bob", "offline")
    house.server.start()

    see(alice, "bob", "busy", "in the cellar")
    see(bob, "alice", "available")
    assert alice.sights()[uri("bob")].groups == ["Friends"]


# -- With others ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed_house(open_house):
    """Where alice has Lync and carol SIMPLE."""
    house = open_house("nothing")
    carol = house.enter_simply("carol", buddies=[uri("alice")])
    alice = house.enter("alice", "tls")
    alice.do("add", buddy=uri("carol"), group="Friends")
    see(alice, "carol", "available")
    see(carol, "alice", "available")
    return house


def test_lync_and_simple_see_each_other(mixed_house, instances_shown):
    instances_shown += [mixed_house.server, *mixed_house.users]
    carol, alice = mixed_house.users

    carol.do("status", to="offline")
    see(alice, "carol", "offline")
    carol.do("status", to="available")
    see(alice, "carol", "available")

    # All that SIMPLE can tell apart.
    alice.do("status", to="invisible")
    see(carol, "alice", "offline")
    alice.do("status", to="busy")
    see(carol, "alice", "available")
