"""The configuration, and all that can be wrong with it."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from presproxy.config import (
    CommandLine,
    Configuration,
    Limits,
    LyncOptions,
    Machine,
    ProxyOptions,
    load,
    make_plan,
    prepare,
)
from presproxy.config.aggregate import AggregateOptions
from presproxy.config.read import KEYS
from presproxy.config.values import PACKAGES
from presproxy.errors import ConfigurationMistakes
from presproxy.extend.build import options_by_name
from presproxy.extend.find import find_plugins
from presproxy.extend.uses import Use
from presproxy.interfaces import IStorage
from presproxy.server.front.options import FrontOptions
from presproxy.server.front.routes import Action, Registrar, Rule
from presproxy.testing.certificates import Authority
from presproxy.transport.where import Where

MACHINE = Machine(host_name="Pbx.example.test")
EXAMPLE = Path(__file__).parent.parent / "etc" / "presproxy.toml"


@pytest.fixture(scope="module")
def catalogue():
    return find_plugins()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write presproxy.toml, and give the command line that names it."""
    monkeypatch.chdir(tmp_path)

    def write(text, **given):
        tmp_path.joinpath("presproxy.toml").write_text(text)
        return CommandLine(config="presproxy.toml", **given)

    return write


def configured(line):
    return load(line, MACHINE)


def mistakes_of(line):
    with pytest.raises(ConfigurationMistakes) as caught:
        load(line, MACHINE)
    return caught.value.mistakes


# -- Defaults ---------------------------------------------------------------------------


def test_when_nothing_is_said_it_listens_on_the_loopback_only():
    configuration = configured(CommandLine())

    assert configuration.listen == (
        Where("udp", 5060, "localhost"),
        Where("tcp", 5060, "localhost"),
    )
    assert configuration.http == Where("tcp", 8080, "127.0.0.1")
    assert configuration.auth == ()


def test_when_nothing_is_said_the_domains_are_this_host():
    assert configured(CommandLine()).domains == (
        "pbx.example.test",
        "localhost",
        "127.0.0.1",
        "[::1]",
    )


def test_the_addresses_listened_on_are_domains():
    line = CommandLine(listen=("udp:5060:interface=192.0.2.1", "tcp:0"), auth=("open",))

    assert configured(line).domains[2:] == ("192.0.2.1", "127.0.0.1", "[::1]")


@pytest.mark.parametrize("name", ["", "my host", "a:1", "a;b"])
def test_a_host_name_that_is_none_in_sip_is_left_out(name):
    configuration = load(CommandLine(), Machine(host_name=name))

    assert configuration.domains == ("localhost", "127.0.0.1", "[::1]")


def test_when_nothing_is_said_the_plugins_are_ours(catalogue):
    plan = make_plan(CommandLine(), catalogue, MACHINE)

    assert [(kind, str(use)) for kind, use in plan.configuration.uses()] == [
        ("acl", "containers"),
        ("acl", "contacts"),
        ("storage", "sqlite:path=presproxy.db"),
        ("notifier", "sip"),
        ("package", "presence"),
        ("package", "presence.winfo"),
        ("package", "dialog"),
        ("package", "message-summary"),
        ("package", "reg"),
        ("package", "vnd-microsoft-roaming-self"),
        ("package", "vnd-microsoft-roaming-contacts"),
        ("package", "vnd-microsoft-roaming-acl"),
        ("package", "presence.wpending"),
        ("package", "vnd-microsoft-provisioning-v2"),
        ("package", "vnd-microsoft-provisioning"),
        ("aggregator", "standard"),
    ]
    assert tuple(plan.packages) == PACKAGES
    assert IStorage.providedBy(plan.storage.plugin)


def test_making_the_plugins_opens_nothing(catalogue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    make_plan(CommandLine(), catalogue, MACHINE)

    assert list(tmp_path.iterdir()) == []


# -- The file and the command line ------------------------------------------------------

FULL = """
listen = ["udp:0:interface=127.0.0.1", "tcp:0:interface=::1"]
domains = ["Example.test", "example.test"]
http = "tcp:0:interface=[::1]"
min_expires = 30
advertise = "203.0.113.7:5070"

[[auth]]
use = "digest"
users = "/etc/presproxy/users"
algorithms = ["SHA-256", "MD5"]

[[acl]]
use = "contacts"
strangers = "confirm"

[[acl]]
use = "open"

[storage]
use = "sqlite"
path = "/var/lib/presproxy/state.db"

[limits]
body = 10_000
idle = 60
"""


def test_a_file_may_say_everything(written):
    configuration = configured(written(FULL.replace("=::1", "=[::1]")))

    assert configuration == Configuration(
        listen=(Where("udp", 0, "127.0.0.1"), Where("tcp", 0, "::1")),
        domains=("example.test",),
        auth=(
            Use(
                "digest",
                {"users": "/etc/presproxy/users", "algorithms": ["SHA-256", "MD5"]},
            ),
        ),
        acl=(Use("contacts", {"strangers": "confirm"}), Use("open")),
        storage=Use("sqlite", {"path": "/var/lib/presproxy/state.db"}),
        http=Where("tcp", 0, "::1"),
        min_expires=30,
        advertise="203.0.113.7:5070",
        limits=Limits(body=10_000, idle=60.0),
    )


def test_a_file_may_use_the_words_of_the_command_line(written):
    line = written(
        """
        listen = "udp:0:interface=localhost"
        domains = "example.test"
        auth = ["open"]
        acl = "contacts:strangers=block"
        storage = "memory"
        """
    )

    configuration = configured(line)

    assert configuration.listen == (Where("udp", 0, "localhost"),)
    assert configuration.domains == ("example.test",)
    assert configuration.auth == (Use("open"),)
    assert configuration.acl == (Use("contacts", {"strangers": "block"}),)
    assert configuration.storage == Use("memory")


def test_one_table_will_do_where_there_may_be_many(written):
    configuration = configured(written('[acl]\nuse = "open"'))

    assert configuration.acl == (Use("open"),)


def test_the_command_line_wins(written):
    line = written(
        FULL,
        listen=("tcp:5070:interface=127.0.0.1",),
        domain=("example.org",),
        auth=("open",),
        acl=("open",),
        storage="memory",
        http="tcp:8081:interface=127.0.0.1",
        min_expires="90",
    )

    assert configured(line) == Configuration(
        listen=(Where("tcp", 5070, "127.0.0.1"),),
        domains=("example.org",),
        auth=(Use("open"),),
        acl=(Use("open"),),
        storage=Use("memory"),
        http=Where("tcp", 8081, "127.0.0.1"),
        min_expires=90,
        advertise="203.0.113.7:5070",
        limits=Limits(body=10_000, idle=60.0),
    )


@pytest.mark.parametrize(
    "text",
    ["", '[[notifier]]\nuse = "sip"\ntimeouts = 3', 'notifier = "webhook:url=x"'],
    ids=["nothing said", "with options", "another one"],
)
def test_sip_is_always_there(written, text):
    names = [use.name for use in configured(written(text)).notifier]

    assert names.count("sip") == 1


# -- Safe when nothing is said ----------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "door"),
    [
        ({"listen": ("udp:5060",)}, "udp:5060"),
        ({"listen": ("udp:0:interface=192.0.2.1",)}, "udp:192.0.2.1:0"),
    ],
)
def test_a_door_to_others_is_refused_without_an_authenticator(given, door):
    assert mistakes_of(CommandLine(**given)) == [
        f"{door} can be reached from other machines, and nothing says how users prove "
        "who they are: give --auth digest:users=FILE, or --auth open to believe everybody"
    ]


@pytest.mark.parametrize("auth", ["open", "digest:users=FILE"])
def test_an_authenticator_opens_the_door(auth):
    line = CommandLine(listen=("udp:5060",), auth=(auth,))

    assert configured(line).listen == (Where("udp", 5060),)


@pytest.mark.parametrize("place", ["tcp:8080", "tcp:0:interface=192.0.2.1"])
@pytest.mark.parametrize("auth", [(), ("open",), ("digest:users=FILE",)], ids=str)
def test_http_stays_on_the_loopback_whoever_may_speak_sip(place, auth):
    (mistake,) = mistakes_of(CommandLine(http=place, auth=auth))

    assert mistake.startswith("--http: HTTP on tcp:")
    assert "asks nobody who he is" in mistake


@pytest.mark.parametrize("sure", ["contacts", "open"])
def test_containers_are_asked_before_who_decides_about_everybody(sure):
    (mistake,) = mistakes_of(CommandLine(acl=(sure, "containers")))

    assert mistake == (
        f"--acl: containers behind {sure}, which decides about everybody, is never "
        "asked: name it first"
    )
    assert len(configured(CommandLine(acl=("containers", sure))).acl) == 2


def test_an_empty_list_of_authenticators_opens_no_door(written):
    assert len(mistakes_of(written('auth = []\nlisten = "udp:5060"'))) == 1


def test_whoever_misspelt_his_authenticator_is_not_told_that_he_has_none():
    assert mistakes_of(CommandLine(listen=("udp:5060",), auth=("digest:users",))) == [
        "--auth: digest: 'users' is not option=value"
    ]


def test_a_door_for_tls_has_a_certificate_that_can_be_used(tmp_path):
    authority = Authority.make(tmp_path)
    good = authority.certify(tmp_path / "good.pem", "pbx.example.test")
    tls = "tls:5061:interface=127.0.0.1:cert="

    configuration = configured(CommandLine(listen=(f"{tls}{good}",)))
    mistakes = mistakes_of(
        CommandLine(listen=(f"{tls}none.pem", f"{tls}{authority.path}", "tls:5061"))
    )

    path = str(good)
    assert configuration.listen == (Where("tls", 5061, "127.0.0.1", path, path),)
    assert mistakes == [
        "--listen: none.pem: No such file or directory",
        f"--listen: {authority.path}: holds no private key in PEM",
        "--listen: 'tls:5061': cert=FILE is missing, the certificate of this server",
    ]


# -- Mistakes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("listn = 3", "unknown option 'listn'; did you mean 'listen'?"),
        ("[limts]\nbody = 3", "unknown table 'limts'; did you mean 'limits'?"),
        ("[[behind]]", "unknown table 'behind'"),
        ("listen = []", "listen: names no place to listen"),
        ("listen = 5060", "listen: 5060 is not text"),
        ("domains = []", "domains: names no domain"),
        ('domains = ["a", "b c"]', "domains 2: 'b c' is not the name of a domain"),
        ('domains = "a:5060"', "domains: 'a:5060' is not the name of a domain"),
        ("min_expires = 0", "min_expires: 0 is not from 1 to 3600"),
        ("min_expires = 4000", "min_expires: 4000 is not from 1 to 3600"),
        ("min_expires = true", "min_expires: True is not a whole number"),
        ("http = 3", "http: 3 is not text"),
        ('http = "udp:1"', "http: HTTP is spoken over tcp, not udp"),
        ('advertise = "a b"', "advertise: 'a b' is neither a host nor host:port"),
        ('pbx = "10.0.0.1/8"', "pbx: 10.0.0.1/8 has host bits set"),
        ('[aggregate]\nserver = "a b"', "aggregate: option server: no host: 'a b'"),
        (
            "[aggregate]\nlinger = -1",
            "aggregate: option linger: 'linger' must be >= 0: -1.0",
        ),
        ("limits = 3", "limits: is not a table"),
        (
            '[transport]\nauthorities = "none.pem"',
            "transport: authorities: none.pem: No such file or directory",
        ),
        ("[lync]\ngrace = -1", "lync: option grace: -1.0 is not from 0 to 86400"),
        ("[limits]\nbody = 1", "limits: option body: 1 is not from 1024 to 262144"),
        (
            "[limits]\nbdy = 1",
            "limits: unknown option 'bdy'; did you mean 'body'?",
        ),
        ("[storage]", 'storage: no plugin is named by use = "…"'),
        ("[[storage]]\n[[storage]]", "storage: there can be only one"),
        ("acl = [3]", "acl: 3 is neither table nor text"),
        ("listen = ", "Invalid value (at end of document)"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(written, text, mistake):
    assert mistakes_of(written(text)) == [f"presproxy.toml: {mistake}"]


@pytest.mark.parametrize(
    ("one", "other", "is_refused"),
    [
        ("systemd:tcp", "systemd:ws", True),
        ("systemd:tcp:name=a", "systemd:ws", True),
        ("systemd:tcp:name=a", "systemd:ws:name=a", True),
        ("systemd:udp", "systemd:udp", True),
        ("systemd:tcp:name=a", "systemd:ws:name=b", False),
        ("systemd:tcp", "systemd:udp", False),
        ("systemd:tcp", "tcp:5060:interface=127.0.0.1", False),
    ],
)
def test_no_socket_of_systemd_can_be_meant_for_two(one, other, is_refused):
    line = CommandLine(listen=(one, other), auth=("open",))

    if not is_refused:
        load(line)
        return
    assert mistakes_of(line) == [
        f"--listen: {one} and {other} would take the same sockets: give each a name of "
        "its own"
    ]


def test_the_same_place_cannot_be_listened_on_twice():
    twice = ("udp:5060:interface=127.0.0.1",) * 2

    assert mistakes_of(CommandLine(listen=twice)) == [
        "--listen: udp:127.0.0.1:5060 is given twice"
    ]


def test_many_free_ports_may_be_taken():
    line = CommandLine(listen=("udp:0:interface=127.0.0.1",) * 2)

    assert len(configured(line).listen) == 2


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"\xff"), "is not UTF-8: invalid start byte"),
    ],
    ids=["missing", "a directory", "not UTF-8"],
)
def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path, make, why):
    path = tmp_path / "presproxy.toml"
    make(path)

    assert mistakes_of(CommandLine(config=str(path))) == [f"{path}: {why}"]


def test_all_mistakes_of_file_command_line_and_plugins_are_told_at_once(
    written, catalogue
):
    line = written(
        """
        domans = ["example.test"]
        min_expires = "soon"

        [[acl]]
        use = "contacts"
        strangers = 3

        [[acl]]
        use = "contatcs"

        [storage]
        use = "sqlite"
        pth = "x"

        [limits]
        body = 0
        """,
        listen=("tpc:5060", "udp:70000"),
        auth=("digest:user=x",),
    )

    with pytest.raises(ConfigurationMistakes) as caught:
        make_plan(line, catalogue, MACHINE)

    begin = [
        re.match(r"[^:]*: [^:;,(]*", line)[0] for line in sorted(caught.value.mistakes)
    ]
    assert begin == [
        "--auth: auth digest",
        "--auth: auth digest",
        "--listen: 'tpc",
        "--listen: 'udp",
        "presproxy.toml: acl 1",
        "presproxy.toml: acl 2",
        "presproxy.toml: limits",
        "presproxy.toml: min_expires",
        "presproxy.toml: storage",
        "presproxy.toml: storage",
        "presproxy.toml: unknown option 'domans'",
    ]


def test_a_plugin_mistake_names_the_table_the_plugin_and_the_option(written, catalogue):
    line = written('[[acl]]\nuse = "contacts"\nstangers = "allow"')

    with pytest.raises(ConfigurationMistakes) as caught:
        prepare(configured(line), catalogue)

    assert caught.value.mistakes == [
        "presproxy.toml: acl: acl contacts: unknown option 'stangers';"
        " did you mean 'strangers'?"
    ]


@pytest.mark.parametrize(
    ("kind", "name"), [("notifier", "sip"), ("package", "presence")]
)
def test_what_is_known_by_its_name_can_be_used_once(catalogue, kind, name):
    configuration = attrs.evolve(
        Configuration(), **{kind: (Use(name), Use(name, where="again"))}
    )

    with pytest.raises(ConfigurationMistakes, match=f"{kind} {name} is used twice"):
        prepare(configuration, catalogue)


# -- The server behind -------------------------------------------------------------------

FRONT = EXAMPLE.with_name("front.toml")


def test_a_server_behind_and_what_is_done_with_requests(written):
    line = written(
        """
        upstream = "sip:192.0.2.1:5070;transport=tcp"

        [front]
        registrar = "both"
        neighbours = ["192.0.2.0/24"]

        [[route]]
        action = "refuse"
        method = ["INVITE"]
        source = ["upstream", "2001:db8::/32"]
        status = 488

        [[route]]
        action = "forward"
        domain = "Elsewhere.test"
        to = "sip:192.0.2.2"
        """
    )

    read = configured(line)

    assert read.upstream == "sip:192.0.2.1:5070;transport=tcp"
    assert read.front.registrar is Registrar.BOTH
    assert read.route == (
        Rule(
            Action.REFUSE,
            method=("INVITE",),
            source=("upstream", "2001:db8::/32"),
            status=488,
        ),
        Rule(Action.FORWARD, domain=("elsewhere.test",), to="sip:192.0.2.2"),
    )


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('upstream = "a b"', "upstream: 'a b'"),
        ('upstream = ""', "upstream: names no server"),
        ('upstream = "sip:bob@192.0.2.1"', "is no URI of a server"),
        ('upstream = "tel:1"', "is no URI of a server"),
        ("front = 3", "front: is not a table"),
        ('[front]\nregistrar = "here"', "front: option registrar: 'here' is none of"),
        ('[front]\nneighbours = ["192.0.2.1/24"]', "front: option neighbours:"),
        ("[front]\nprobe = -1", "front: option probe: -1.0 is not from 0 to 3600"),
        ("[[route]]", "route: option action is missing"),
        ('[[route]]\naction = "forward"', "route: forwards to nobody"),
        ('[[route]]\naction = "send"', "option action: 'send' is none of serve"),
        ('[[route]]\naction = "serve"\nsource = "x"', "option source: 'x'"),
        ('[[route]]\naction = "serve"\nmethod = "a b"', "option method: 'a b'"),
        (
            '[[route]]\naction = "refuse"\nstatus = 200',
            "option status: 200 is not from",
        ),
        ('route = ["serve"]', "route: is not a table"),
    ],
)
def test_a_mistake_in_front_is_told(written, text, mistake):
    (told,) = mistakes_of(written(text))

    assert mistake in told


def test_the_example_of_a_front_is_right(catalogue):
    plan = make_plan(CommandLine(config=str(FRONT)), catalogue, MACHINE)

    assert plan.configuration.upstream == "sip:127.0.0.2:5070;transport=udp"
    assert [each.action for each in plan.configuration.route] == [Action.REFUSE]


# -- etc/presproxy.toml -----------------------------------------------------------------


def uncommented():
    return re.sub(r"^#(?=[^#\s])", "", EXAMPLE.read_text(), flags=re.MULTILINE)


def test_the_example_says_nothing_until_it_is_changed():
    line = CommandLine(config=str(EXAMPLE))

    assert configured(line) == configured(CommandLine())


def test_the_example_tells_the_defaults(written, catalogue):
    here = Machine(host_name="localhost")

    told = make_plan(written(uncommented()), catalogue, here)

    default = make_plan(CommandLine(), catalogue, here)
    assert without_uses(told) == without_uses(default)
    assert [(kind, use.name) for kind, use in told.configuration.uses()] == [
        (kind, use.name) for kind, use in default.configuration.uses()
    ]
    for (kind, use), plugin in zip(
        default.configuration.uses(), plugins(default), strict=True
    ):
        told_plugin = dict(zip(names(told), plugins(told), strict=True))[kind, use.name]
        assert options(told_plugin) == options(plugin)


def without_uses(plan):
    return attrs.evolve(
        plan.configuration,
        auth=(),
        acl=(),
        storage=None,
        notifier=(),
        package=(),
        aggregator=None,
    )


def names(plan):
    return [(kind, use.name) for kind, use in plan.configuration.uses()]


def plugins(plan):
    named = (*plan.auth, *plan.acl, plan.storage, *plan.notifiers)
    return [
        *(each.plugin for each in named),
        *plan.packages.values(),
        plan.aggregator.plugin,
    ]


def options(plugin):
    return {
        field.name: getattr(plugin, field.name)
        for field in attrs.fields(type(plugin))
        if "presproxy.help" in field.metadata
    }


def test_the_example_leaves_nothing_out(catalogue):
    text = EXAMPLE.read_text()
    limits = [
        field.name
        for kind in (Limits, LyncOptions, ProxyOptions, AggregateOptions, FrontOptions)
        for field in attrs.fields(kind)
    ]

    missing = [
        name
        for name in (*KEYS, *limits)
        if not re.search(rf"^# *\[*{name}\b", text, re.MULTILINE)
    ]

    assert missing == []


def test_the_example_has_every_option_of_what_is_used_by_default(written, catalogue):
    told = configured(written(uncommented()))

    left_out = [
        (kind, use.name, option)
        for kind, use in told.uses()
        for option in options_by_name(catalogue.get(kind, use.name).maker)
        if option not in use.options
    ]

    assert left_out == []
