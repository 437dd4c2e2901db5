from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site

from presproxy.cli.api import ApiClient, ApiRefused, ApiUnavailable
from presproxy.documents.lync.contacts import Contact
from presproxy.events.contact_edits import set_contact

ALICE = "alice@example.test"


class Scripted(Resource):
    """Answers every request with the next of its answers."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.answers: list[tuple[int, bytes]] = []

    def render(self, request):
        self.asked.append(f"{request.method.decode()} {request.uri.decode()}")
        status, body = self.answers.pop(0)
        request.setResponseCode(status)
        return body


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest_twisted.async_yield_fixture
async def client(scripted: Scripted) -> AsyncIterator[ApiClient]:
    site = Site(scripted)
    site.noisy = False
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    yield ApiClient(f"http://127.0.0.1:{port.getHost().port}/", reactor)
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_the_server_may_be_at_an_ipv6_address(scripted):
    site = Site(scripted)
    site.noisy = False
    port = reactor.listenTCP(0, site, interface="::1")
    scripted.answers = [(200, b"{}")]

    url = f"http://[::1]:{port.getHost().port}"
    assert await ApiClient(url, reactor).get("contacts/x%40y") == {}
    await port.stopListening()

    assert scripted.asked == ["GET /api/v1/contacts/x%40y"]


@pytest_twisted.ensureDeferred
async def test_a_list_is_read_to_its_end(client, scripted):
    scripted.answers = [
        (200, json.dumps({"total": 3, "next": 2, "items": [1, 2]}).encode()),
        (200, json.dumps({"total": 3, "next": None, "items": [3]}).encode()),
    ]

    assert await client.every("subscriptions") == [1, 2, 3]
    assert scripted.asked == [
        "GET /api/v1/subscriptions?from=0&count=1000",
        "GET /api/v1/subscriptions?from=2&count=1000",
    ]


@pytest_twisted.ensureDeferred
async def test_a_refusal_says_why(client, scripted):
    scripted.answers = [(409, b'{"error": "at most 1000 entries"}')]

    with pytest.raises(ApiRefused, match=r"at most 1000 entries \(409\)"):
        await client.contacts("sip:alice@example.test")
    assert scripted.asked == ["GET /api/v1/contacts/sip%3Aalice%40example.test"]


@pytest.mark.parametrize(
    "answer",
    [(200, b"<html>"), (404, b"nothing here"), (404, b"[]"), (404, b'{"detail": 1}')],
)
@pytest_twisted.ensureDeferred
async def test_another_server_is_told_from_ours(client, scripted, answer):
    scripted.answers = [answer]

    with pytest.raises(ApiUnavailable, match="is it presproxy"):
        await client.get("server")


@pytest_twisted.ensureDeferred
async def test_nobody_there_fails_in_one_line(invoke, unused_port):
    shown = await invoke("show", "plugins", "--api", f"http://127.0.0.1:{unused_port}")

    assert shown.exit_code == 1
    assert shown.stderr == (
        f"presproxy: no answer from http://127.0.0.1:{unused_port}: "
        "Connection refused\n"
    )


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://127.0.0.1", "http://", "http://[::"]
)
@pytest_twisted.ensureDeferred
async def test_a_url_which_is_none_fails_in_one_line(invoke, url):
    shown = await invoke("show", "plugins", "--api", url)

    assert shown.exit_code == 2
    assert "no http:// or https:// URL" in shown.stderr


@pytest_twisted.ensureDeferred
async def test_contact_lists_are_written_and_shown(invoke, served):
    for command, watcher in (
        ("allow", "bob@example.test"),
        ("block", "mallory@example.test"),
        ("politely-block", "trudy@example.test"),
        ("allow", "carol@example.test"),
        ("forget", "carol@example.test"),
    ):
        written = await invoke(command, ALICE, watcher, *served.api)
        assert written.exit_code == 0

    shown = await invoke("contacts", ALICE, *served.api)

    assert shown.stdout.splitlines() == [
        "watcher               handling",
        "bob@example.test      allow",
        "mallory@example.test  block",
        "trudy@example.test    polite-block",
    ]


@pytest_twisted.ensureDeferred
async def test_names_and_groups_of_contacts_are_shown_where_there_are_any(
    invoke, served
):
    contacts = served.server.house.contacts
    alice = f"sip:{ALICE}"
    contact = Contact("sip:bob@example.test", "Bob", (1,))
    await contacts.change(alice, lambda: set_contact(contacts.lists, alice, contact))
    await invoke("block", ALICE, "eve@example.test", *served.api)

    shown = await invoke("contacts", ALICE, *served.api)

    assert shown.stdout.splitlines() == [
        "watcher           handling  name  groups",
        "bob@example.test  allow     Bob   ~",
        "eve@example.test  block",
    ]


@pytest_twisted.ensureDeferred
async def test_a_contact_list_is_given_to_programs_as_json(invoke, served):
    await invoke("block", ALICE, "sip:bob@example.test", *served.api)

    shown = await invoke("contacts", ALICE, "--json", *served.api)

    assert json.loads(shown.stdout) == {
        "owner": "sip:alice@example.test",
        "contacts": [{"aor": "sip:bob@example.test", "handling": "block"}],
    }


@pytest_twisted.ensureDeferred
async def test_what_a_watcher_sees_is_explained(invoke, served):
    await invoke("block", ALICE, "bob@example.test", *served.api)

    said = await invoke("explain", "bob@example.test", ALICE, *served.api)

    assert said.stdout.splitlines() == [
        "bob@example.test is refused to see alice@example.test",
        "handling  view     decided by  rule",
        "block     neutral  contacts    alice@example.test blocks bob@example.test",
    ]


@pytest_twisted.ensureDeferred
async def test_an_explanation_is_given_to_programs_as_json(invoke, served):
    said = await invoke("explain", "eve@evil.test", ALICE, "--json", *served.api)

    assert json.loads(said.stdout)["decision"]["handling"] == "confirm"


@pytest_twisted.ensureDeferred
async def test_what_a_server_holds_is_shown(invoke, start, served):
    await invoke("publish", ALICE, "busy", *served.at())
    watch = start("watch", ALICE, "--user", "bob@example.test", *served.at())
    await watch.says("busy")

    presentities = await invoke("show", "presentities", *served.api)
    subscriptions = await invoke("show", "subscriptions", *served.api)
    plugins = await invoke("show", "plugins", *served.api)
    await watch.interrupted()

    assert presentities.stdout.splitlines() == [
        "presentity          package   publications  categories  watchers  pending",
        "alice@example.test  presence  1             0           1         0",
    ]
    (line,) = subscriptions.stdout.splitlines()[1:]
    assert line.split()[:4] == [
        "bob@example.test",
        "alice@example.test",
        "presence",
        "active",
    ]
    assert "acl:contacts" in plugins.stdout


@pytest.mark.parametrize(
    "what",
    [
        "presentities",
        "subscriptions",
        "registrations",
        "plugins",
        "upstreams",
        "behind",
    ],
)
@pytest_twisted.ensureDeferred
async def test_each_list_is_given_to_programs_as_json(invoke, served, what):
    shown = await invoke("show", what, "--json", *served.api)

    value = json.loads(shown.stdout)
    assert value["total"] == len(value["items"])


@pytest_twisted.ensureDeferred
async def test_a_name_that_nobody_has_is_told_in_words():
    client = ApiClient("http://nobody.invalid:8080", reactor)

    with pytest.raises(ApiUnavailable, match=r"no answer from .*: no such host"):
        await client.get("contacts/x")
