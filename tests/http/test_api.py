"""The JSON interface, as its own description has it."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from presproxy.documents.lync.categories import Category, CategoryName, ExpireType
from presproxy.documents.lync.contacts import Contact
from presproxy.errors import StorageUnavailable
from presproxy.events.contact_edits import add_group, set_contact
from presproxy.http.api import Api
from presproxy.http.openapi import description
from presproxy.model.decision import FULL, Decision, Handling
from presproxy.testing.desk import Desk
from presproxy.testing.scripted import ScriptedACL
from presproxy.testing.waiting import waiting_test
from presproxy.testing.wire import pidf

ALICE, BOB = "sip:alice@example.test", "sip:bob@example.test"

DESCRIPTION = description("1.0")
ROOT = {"$schema": "https://json-schema.org/draft/2020-12/schema", **DESCRIPTION}


def check(path: str, method: str, answer) -> None:
    """Hold an answer against the description."""
    responses = DESCRIPTION["paths"][path][method]["responses"]
    described = responses.get(str(answer.code)) or responses["default"]
    content = described.get("content")
    if content is None:
        assert answer.body == b""
        return
    media_type = answer.header("content-type").partition(";")[0]
    reference = content[media_type]["schema"]
    validator = Draft202012Validator(
        {**ROOT, **reference}, format_checker=FormatChecker()
    )
    validator.validate(answer.json)


def fill(desk: Desk) -> None:
    """Let something happen of every kind there is to be seen."""
    desk.subscribe()
    desk.subscribe(
        {"From": "<sip:carol@fabrikam.test>;tag=c", "Contact": "<sip:c@192.0.2.3>"}
    )
    desk.publish(pidf(BOB, "caf\u00e9 \u2615"))
    desk.subscribe({"Event": "presence.winfo"}, user="bob")
    desk.ask(
        "REGISTER",
        {
            "To": f"<{ALICE}>",
            "Contact": "<sip:alice@192.0.2.1>;q=0.5",
            "User-Agent": "Test/1",
        },
        uri="sip:example.test",
    )
    desk.notified()


# --- The description


def schemas():
    yield from DESCRIPTION["components"]["schemas"].items()


@pytest.mark.parametrize("schema", dict(schemas()).values(), ids=dict(schemas()))
def test_every_schema_is_one(schema):
    Draft202012Validator.check_schema(schema)


def test_what_is_referred_to_is_there():
    referred = set()

    def look(value):
        if isinstance(value, dict):
            if "$ref" in value:
                referred.add(value["$ref"].removeprefix("#/components/schemas/"))
            value = list(value.values())
        if isinstance(value, list | tuple):
            for each in value:
                look(each)

    look(DESCRIPTION)

    assert referred <= set(DESCRIPTION["components"]["schemas"])


def test_every_route_is_described_and_every_path_leads_somewhere():
    routed = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in Api.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD"}
    }
    described = {
        (path, method)
        for path, methods in DESCRIPTION["paths"].items()
        for method in methods
        if method != "parameters"
    }

    assert routed == described


@waiting_test
async def test_the_description_is_served(door):
    answer = await door.ask("GET", "/api/v1/openapi.json")

    check("/openapi.json", "get", answer)
    assert answer.json["openapi"] == "3.1.0"
    assert answer.json["paths"].keys() == DESCRIPTION["paths"].keys()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/server", ""),
        ("/presentities", ""),
        ("/presentities/{aor}", ""),
        ("/subscriptions", ""),
        ("/subscriptions", "?presentity=sip:bob@example.test&count=1"),
        ("/registrations", ""),
        ("/plugins", ""),
        ("/upstreams", ""),
        ("/behind", ""),
        ("/explain", "?watcher=alice@example.test&presentity=bob@example.test"),
        ("/contacts/{aor}", ""),
        ("/trace", ""),
    ],
)
@waiting_test
async def test_what_is_shown_is_as_described(door, path, query):
    fill(door.desk)

    answer = await door.ask("GET", f"/api/v1{path}{query}".replace("{aor}", BOB))

    assert answer.code == 200
    check(path, "get", answer)


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("PUT", "/contacts/{aor}/{watcher}", b'{"handling": "block"}', 200),
        ("PUT", "/contacts/{aor}/{watcher}", b'{"handling": "?"}', 400),
        ("DELETE", "/contacts/{aor}/{watcher}", b"", 204),
    ],
)
@waiting_test
async def test_what_is_changed_is_answered_as_described(door, method, path, body, code):
    filled = path.replace("{aor}", BOB).replace("{watcher}", ALICE)

    answer = await door.ask(method, f"/api/v1{filled}", data=body)

    assert answer.code == code
    check(path, method.lower(), answer)


# --- What is shown


@waiting_test
async def test_a_presentity_is_shown_with_all_there_is_of_him(door):
    fill(door.desk)

    shown = await door.get(f"presentities/{BOB}")

    (publication,) = shown["publications"]
    assert "caf\u00e9 \u2615" in publication["body"]
    assert publication["expires_in"] == 3600
    assert publication["published"] == "2023-11-14T22:13:20.000Z"
    assert [each["state"] for each in shown["subscriptions"]] == [
        "active",
        "pending",
        "active",
    ]
    assert shown["packages"][0] == {
        "package": "presence",
        "publications": 1,
        "categories": 0,
        "watchers": {"active": 1, "pending": 1},
    }


@waiting_test
async def test_what_a_lync_client_publishes_is_counted_by_itself(door):
    fill(door.desk)
    resource = door.desk.server.agent.resources.find(BOB, "presence")
    name = CategoryName("device", 1, 2)
    resource.categories = (Category(name, 1, ExpireType.ENDPOINT, b"", 0.0),)

    shown = await door.get(f"presentities/{BOB}")

    assert (shown["packages"][0]["publications"], len(shown["publications"])) == (1, 1)
    assert shown["packages"][0]["categories"] == 1


@waiting_test
async def test_a_presentity_of_whom_nothing_is_known_is_shown_empty(door):
    shown = await door.get("presentities/nobody@example.test")

    assert shown == {
        "aor": "sip:nobody@example.test",
        "note": None,
        "state": {"token": "unknown", "activity": None, "availability": None},
        "packages": [],
        "publications": [],
        "subscriptions": [],
    }


@pytest.mark.parametrize(
    ("query", "watchers"),
    [
        ("", [ALICE, "sip:carol@fabrikam.test", BOB]),
        (f"?watcher={ALICE}", [ALICE]),
        (f"?presentity={BOB}&watcher=carol@fabrikam.test", ["sip:carol@fabrikam.test"]),
        ("?presentity=sip:bob@example.test:15060&count=1", [ALICE]),
        (f"?presentity={ALICE}", []),
    ],
)
@waiting_test
async def test_subscriptions_are_found_by_either_end(door, query, watchers):
    fill(door.desk)

    shown = await door.get(f"subscriptions{query}")

    assert [each["watcher"] for each in shown["items"]] == watchers


@waiting_test
async def test_a_registration_is_shown(door):
    fill(door.desk)

    (shown,) = (await door.get("registrations"))["items"]

    assert shown == {
        "aor": ALICE,
        "contacts": [
            {
                "uri": "sip:alice@192.0.2.1",
                "q": 0.5,
                "expires_in": 3600,
                "flow": "udp:192.0.2.1:5060",
                "user_agent": "Test/1",
            }
        ],
    }


@pytest.mark.parametrize(
    ("query", "items", "following"),
    [
        ("", range(100), 100),
        ("?count=30", range(30), 30),
        ("?from=240", range(240, 250), None),
        ("?from=240&count=10", range(240, 250), None),
        ("?from=240&count=9", range(240, 249), 249),
        ("?from=250", range(0), None),
        ("?from=2147483648", range(0), None),
        ("?count=1000", range(250), None),
        ("?count=5000", range(250), None),
    ],
)
@waiting_test
async def test_a_list_is_shown_page_by_page(door, query, items, following):
    for number in range(250):
        door.desk.publish(pidf("x"), user=f"u{number}")

    page = await door.get(f"presentities{query}")

    assert page["total"] == 250
    assert page["next"] == following
    assert [each["aor"] for each in page["items"]] == [
        f"sip:u{number}@example.test" for number in items
    ]


@waiting_test
async def test_an_explanation_names_the_rule_and_who_said_so(door):
    await door.ask(
        "PUT",
        f"/api/v1/contacts/{BOB}/sip:*@fabrikam.test",
        data=b'{"handling": "polite-block"}',
    )

    shown = await door.get(f"explain?watcher=sip:x@fabrikam.test&presentity={BOB}")

    assert shown["decision"] == {
        "handling": "polite-block",
        "view": "neutral",
        "plugin": "acl0",
        "rule": "bob@example.test politely blocks *@fabrikam.test",
    }


@waiting_test
async def test_a_plugin_that_fails_is_shown_as_failing(open_door):
    acl = ScriptedACL(RuntimeError("broken"))
    door = await open_door(Desk(acl))
    door.desk.subscribe()

    explained = await door.get(f"explain?watcher={ALICE}&presentity={BOB}")

    assert explained["decision"]["rule"] == "acl acl0 failed"


# --- Contact lists


@waiting_test
async def test_what_is_written_is_shown_obeyed_and_forgotten(door):
    door.desk.subscribe()
    door.desk.notified()

    path = f"/api/v1/contacts/{BOB}/{ALICE}"
    written = await door.ask("PUT", path, data=b'{"handling": "block"}')
    shown = await door.get(f"contacts/{BOB}")
    told = door.desk.states()
    gone = await door.ask("DELETE", path)
    left = await door.get(f"contacts/{BOB}")

    assert written.json == {"aor": ALICE, "handling": "block"}
    assert shown == {
        "owner": BOB,
        "contacts": [{"aor": ALICE, "handling": "block"}],
    }
    assert told == [("terminated;reason=rejected", "closed")]
    assert (gone.code, gone.body) == (204, b"")
    assert left["contacts"] == []


@waiting_test
async def test_names_and_groups_which_clients_gave_are_shown(door):
    contacts = door.desk.server.house.contacts
    lists = contacts.lists
    for stage in (
        lambda: add_group(lists, BOB, "Work", ""),
        lambda: set_contact(lists, BOB, Contact(ALICE, "Al", (2, 1))),
        lambda: set_contact(lists, BOB, Contact("sip:carol@example.test")),
    ):
        await contacts.change(BOB, stage)

    shown = await door.get(f"contacts/{BOB}")

    assert shown["contacts"] == [
        {"aor": ALICE, "handling": "allow", "name": "Al", "groups": ["Work", "~"]},
        {"aor": "sip:carol@example.test", "handling": "allow"},
    ]


@pytest.mark.parametrize(
    "aor",
    [
        "sip:a%2Fb@example.test",
        "sip:a/b@example.test",
        "sip:j%C3%BCrgen@example.test",
        "sip:j\u00fcrgen@example.test",
        "sip:a%25b@example.test",
        "sip:a%40b@example.test",
        "sip:%23*97;x=y@example.test",
        "sip:a//b?c@example.test",
        "sip:+49%2030@[2001:db8::1]",
        "tel:+4930123",
        "sip:*@fabrikam.test",
    ],
)
@waiting_test
async def test_an_address_may_have_any_character(door, aor):
    quoted = quote(aor, safe="")

    put = await door.ask(
        "PUT", f"/api/v1/contacts/{quoted}/{quoted}", data=b'{"handling": "allow"}'
    )
    shown = await door.get(f"contacts/{quoted}")
    presentity = await door.get(f"presentities/{quoted}")

    assert put.code == 200, put.body
    canonical = put.json["aor"]
    assert shown == {
        "owner": canonical,
        "contacts": [{"aor": canonical, "handling": "allow"}],
    }
    assert presentity["aor"] == canonical


@waiting_test
async def test_an_address_of_ours_has_no_port(door):
    path = f"/api/v1/contacts/{BOB}:15060/{ALICE}:5070"

    await door.ask("PUT", path, data=b'{"handling": "block"}')

    shown = await door.get(f"contacts/{BOB}")
    assert shown["contacts"] == [{"aor": ALICE, "handling": "block"}]


# --- What goes wrong


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "where"),
    [
        ("GET", "nothing", None, 404, "path"),
        ("GET", "", None, 404, "path"),
        ("GET", "presentities/", None, 404, "path"),
        ("GET", "contacts/a@b/c@d/e", None, 404, "path"),
        ("GET", "presentities?count=0", None, 400, "count"),
        ("GET", "presentities?count=-1", None, 400, "count"),
        ("GET", "presentities?count=many", None, 400, "count"),
        ("GET", "presentities?from=%D9%A3", None, 400, "from"),
        ("GET", "presentities?from=99999999999", None, 400, "from"),
        ("GET", "presentities/nobody", None, 400, "path"),
        ("GET", "presentities/%FF@x", None, 400, "path"),
        ("GET", "presentities/http:%2F%2Fx", None, 400, "path"),
        ("GET", "subscriptions?watcher=", None, 400, "watcher"),
        ("GET", "explain", None, 400, "watcher"),
        ("GET", "explain?watcher=a@b", None, 400, "presentity"),
        ("GET", "explain?watcher=a@b&presentity=c@d&package=x", None, 400, "package"),
        ("POST", "presentities", b"", 405, "method"),
        ("PUT", "contacts/a@b", b"{}", 405, "method"),
        ("GET", "contacts/a@b/c@d", None, 405, "method"),
        ("PUT", "contacts/a@b/c", b'{"handling": "allow"}', 400, "path"),
        ("PUT", "contacts/a@b/c@d", b"", 400, "body"),
        ("PUT", "contacts/a@b/c@d", b"{", 400, "body"),
        ("PUT", "contacts/a@b/c@d", b"[" * 50_000, 400, "body"),
        ("PUT", "contacts/a@b/c@d", b"\xff", 400, "body"),
        ("PUT", "contacts/a@b/c@d", b"[]", 400, "handling"),
        ("PUT", "contacts/a@b/c@d", b"{}", 400, "handling"),
        ("PUT", "contacts/a@b/c@d", b'{"handling": ["allow"]}', 400, "handling"),
        ("PUT", "contacts/a@b/c@d", b'{"handling": "ALLOW"}', 400, "handling"),
    ],
)
@waiting_test
async def test_what_is_wrong_is_told_with_its_place(
    door, method, path, body, code, where
):
    answer = await door.ask(method, f"/api/v1/{path}", data=body)

    assert (answer.code, answer.json["where"]) == (code, where)
    assert answer.json["error"]
    Draft202012Validator(DESCRIPTION["components"]["schemas"]["Error"]).validate(
        answer.json
    )
    if code == 405:
        assert answer.header("allow")


@waiting_test
async def test_a_list_that_is_full_is_told(door):
    codes = [
        (
            await door.ask(
                "PUT",
                f"/api/v1/contacts/{BOB}/sip:w{number}@example.test",
                data=b'{"handling": "allow"}',
            )
        ).code
        for number in range(4)
    ]

    assert codes == [200, 200, 200, 409]


@waiting_test
async def test_a_storage_that_fails_is_told_and_when_to_come_again(door):
    door.desk.storage.failure = StorageUnavailable("the disk is full")

    answer = await door.ask(
        "PUT", f"/api/v1/contacts/{BOB}/{ALICE}", data=b'{"handling": "allow"}'
    )

    assert (answer.code, answer.header("retry-after")) == (503, "5")
    assert answer.json == {"error": "the disk is full", "where": "storage"}


@waiting_test
async def test_where_no_acl_keeps_lists_there_are_none(open_door):
    acl = ScriptedACL(Decision(Handling.ALLOW, "x", FULL))
    door = await open_door(Desk(acl))

    answer = await door.ask("GET", f"/api/v1/contacts/{BOB}")

    assert (answer.code, answer.json["where"]) == (404, "acl")
