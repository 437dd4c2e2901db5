from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from presproxy.acl.contacts import ContactsACL
from presproxy.errors import Conflict, StorageUnavailable
from presproxy.events.contact_records import CONTACT, write_entry
from presproxy.events.contacts import everybody_of
from presproxy.model.decision import FULL, NEUTRAL, Decision, Handling
from presproxy.model.identity import Identity
from presproxy.model.record import NEVER, Batch, Delete, Put
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.acl import ContactACLContract

ALICE = AddressOfRecord("sip:alice@example.test")
BOB = AddressOfRecord("sip:bob@example.test")
EVE = AddressOfRecord("sip:eve@elsewhere.test")
MAX = AddressOfRecord("sip:max@elsewhere.test")
NUMBER = AddressOfRecord("tel:+4930123")


def identity(aor, proof="digest"):
    return Identity(aor, proof)


class TestContactsACL(ContactACLContract):
    longest = 20

    def make(self, directory):
        return ContactsACL(limit=self.longest)


@pytest.mark.parametrize(
    ("strangers", "watcher", "handling", "view"),
    [
        ("domain", BOB, Handling.ALLOW, FULL),
        ("domain", EVE, Handling.CONFIRM, NEUTRAL),
        ("domain", NUMBER, Handling.CONFIRM, NEUTRAL),
        ("confirm", BOB, Handling.CONFIRM, NEUTRAL),
        ("block", BOB, Handling.BLOCK, NEUTRAL),
        ("allow", EVE, Handling.ALLOW, FULL),
        ("block", ALICE, Handling.ALLOW, FULL),
    ],
    ids=[
        "domain: the same",
        "domain: another",
        "domain: a number has none",
        "confirm",
        "block",
        "allow",
        "himself",
    ],
)
@pytest_twisted.ensureDeferred
async def test_strangers_are_treated_as_the_house_says(
    start, house, strangers, watcher, handling, view
):
    acl = await start(house, strangers=strangers)

    decision = await acl.decide(identity(watcher), ALICE, "presence")

    assert (decision.handling, decision.view) == (handling, view)


def test_a_house_cannot_say_anything_else_of_strangers():
    with pytest.raises(ValueError, match="strangers"):
        ContactsACL(strangers="maybe")


@pytest_twisted.ensureDeferred
async def test_two_numbers_are_not_of_one_domain(start, house):
    acl = await start(house)

    decision = await acl.decide(
        identity(AddressOfRecord("tel:+4930456")), NUMBER, "presence"
    )

    assert decision.handling is Handling.CONFIRM


@pytest.mark.parametrize("package", ["presence.winfo", "dialog.winfo.winfo"])
@pytest_twisted.ensureDeferred
async def test_who_watches_is_for_the_presentity_only(start, house, package):
    acl = await start(house, strangers="allow")
    await acl.handle(ALICE, BOB, Handling.ALLOW)

    assert (await acl.decide(identity(ALICE), ALICE, package)).handling is (
        Handling.ALLOW
    )
    assert (await acl.decide(identity(BOB), ALICE, package)).handling is Handling.BLOCK


@pytest.mark.parametrize(
    ("handling", "decision"),
    [
        (
            Handling.ALLOW,
            Decision(
                Handling.ALLOW,
                "alice@example.test allows eve@elsewhere.test",
                FULL,
            ),
        ),
        (
            Handling.BLOCK,
            Decision(
                Handling.BLOCK,
                "alice@example.test blocks eve@elsewhere.test",
                NEUTRAL,
            ),
        ),
        (
            Handling.POLITE_BLOCK,
            Decision(
                Handling.POLITE_BLOCK,
                "alice@example.test politely blocks eve@elsewhere.test",
                NEUTRAL,
            ),
        ),
        (
            Handling.CONFIRM,
            Decision(
                Handling.CONFIRM,
                "alice@example.test wants to be asked about eve@elsewhere.test",
                NEUTRAL,
            ),
        ),
    ],
    ids=lambda value: value.value if isinstance(value, Handling) else "",
)
@pytest_twisted.ensureDeferred
async def test_the_rule_says_who_said_what_of_whom(start, house, handling, decision):
    acl = await start(house)
    await acl.handle(ALICE, EVE, handling)

    assert await acl.decide(identity(EVE), ALICE, "presence") == decision


@pytest_twisted.ensureDeferred
async def test_the_rule_says_what_holds_for_strangers(start, house):
    acl = await start(house)

    assert (await acl.decide(identity(BOB), ALICE, "presence")).rule == (
        "strangers=domain: same domain"
    )
    assert (await acl.decide(identity(EVE), ALICE, "presence")).rule == (
        "strangers=domain: another domain"
    )


@pytest_twisted.ensureDeferred
async def test_an_entry_can_be_for_a_whole_domain(start, house):
    acl = await start(house)
    await acl.handle(ALICE, everybody_of("elsewhere.test"), Handling.BLOCK)

    decision = await acl.decide(identity(EVE), ALICE, "presence")

    assert decision.handling is Handling.BLOCK
    assert decision.rule == "alice@example.test blocks *@elsewhere.test"


@pytest_twisted.ensureDeferred
async def test_an_entry_for_one_watcher_goes_before_his_domain_s(start, house):
    acl = await start(house)
    await acl.handle(ALICE, everybody_of("elsewhere.test"), Handling.BLOCK)
    await acl.handle(ALICE, EVE, Handling.ALLOW)

    eve = await acl.decide(identity(EVE), ALICE, "presence")
    other = await acl.decide(identity(MAX), ALICE, "presence")

    assert (eve.handling, other.handling) == (Handling.ALLOW, Handling.BLOCK)


@pytest_twisted.ensureDeferred
async def test_an_entry_taken_back_leaves_the_domain_s(start, house):
    acl = await start(house)
    await acl.handle(ALICE, everybody_of("elsewhere.test"), Handling.BLOCK)
    await acl.handle(ALICE, EVE, Handling.ALLOW)
    await acl.handle(ALICE, EVE, None)

    decision = await acl.decide(identity(EVE), ALICE, "presence")

    assert decision.handling is Handling.BLOCK


@pytest_twisted.ensureDeferred
async def test_each_entry_is_a_record_of_its_presentity(start, house):
    acl = await start(house)

    await acl.handle(ALICE, BOB, Handling.BLOCK)
    await acl.handle(ALICE, BOB, Handling.ALLOW)
    await acl.handle(ALICE, BOB, None)

    key = f"{ALICE} {BOB}"
    assert house.storage.changes == [
        Put(CONTACT, key, ALICE, 0, NEVER, b"contact/1\nblock\n"),
        Put(CONTACT, key, ALICE, 1, NEVER, b"contact/1\nallow\n"),
        Delete(CONTACT, key, ALICE, 2),
    ]


@pytest_twisted.ensureDeferred
async def test_saying_the_same_again_writes_nothing(start, house):
    acl = await start(house)
    await acl.handle(ALICE, BOB, Handling.BLOCK)

    await acl.handle(ALICE, BOB, Handling.BLOCK)
    await acl.handle(ALICE, EVE, None)

    assert len(house.storage.commits) == 1
    assert house.decided_again == [ALICE]


@pytest_twisted.ensureDeferred
async def test_after_a_failure_the_next_change_is_kept(start, house):
    acl = await start(house)
    house.storage.failure = StorageUnavailable("the disk is full")
    with pytest.raises(StorageUnavailable):
        await acl.handle(ALICE, BOB, Handling.BLOCK)
    house.storage.failure = None

    await acl.handle(ALICE, BOB, Handling.ALLOW)

    assert await acl.contacts(ALICE) == {BOB: Handling.ALLOW}


@pytest_twisted.ensureDeferred
async def test_a_change_of_one_list_does_not_wait_for_another_s(start, house):
    acl = await start(house)
    house.storage.hold()

    said = [
        Deferred.fromCoroutine(acl.handle(presentity, EVE, Handling.ALLOW))
        for presentity in (ALICE, BOB)
    ]

    assert house.storage.waiting == 2
    house.storage.release()
    for each in said:
        await each


@pytest_twisted.ensureDeferred
async def test_a_change_which_is_given_up_lets_the_next_one_through(start, house):
    acl = await start(house)
    house.storage.hold()
    first = Deferred.fromCoroutine(acl.handle(ALICE, BOB, Handling.BLOCK))
    second = Deferred.fromCoroutine(acl.handle(ALICE, EVE, Handling.ALLOW))
    first.addErrback(lambda failure: None)

    first.cancel()
    house.storage.release()
    await second

    # It was with the storage already: memory says what is kept there.
    assert await acl.contacts(ALICE) == {BOB: Handling.BLOCK, EVE: Handling.ALLOW}
    assert len(house.storage.changes) == 2


@pytest_twisted.ensureDeferred
async def test_it_forgets_the_turns_of_lists_at_rest(start, house):
    acl = await start(house)

    await acl.handle(ALICE, BOB, Handling.BLOCK)

    assert len(house.contacts._turns) == 0


@pytest.mark.parametrize(
    ("key", "payload"),
    [
        (f"{ALICE} {BOB}", b"contact/2\nallow\n"),
        (f"{ALICE} {BOB}", b"contact/1\nsometimes\n"),
        (f"{ALICE} {BOB}", b""),
        (f"{ALICE} {BOB}", b"\xff"),
        (f"{ALICE}", b"contact/1\nallow\n"),
        (f"{EVE} {BOB}", b"contact/1\nallow\n"),
    ],
    ids=[
        "another form",
        "no handling",
        "empty",
        "not text",
        "no watcher",
        "another's",
    ],
)
@pytest_twisted.ensureDeferred
async def test_it_does_not_start_with_a_list_it_cannot_read(house, key, payload):
    await house.storage.commit([Put(CONTACT, key, ALICE, 0, NEVER, payload)])

    with pytest.raises(ValueError, match=r"contact|sometimes"):
        await ContactsACL().start(house)


# --- With other nodes


@pytest_twisted.ensureDeferred
async def test_what_another_node_wrote_holds_here(start, shared_house):
    acl = await start(shared_house)

    await shared_house.storage.elsewhere(write_entry(ALICE, BOB, Handling.BLOCK, 0))
    await shared_house.storage.elsewhere(write_entry(ALICE, EVE, Handling.ALLOW, 0))
    await shared_house.storage.elsewhere(write_entry(ALICE, EVE, None, 1))

    assert await acl.contacts(ALICE) == {BOB: Handling.BLOCK}
    assert shared_house.decided_again == [ALICE] * 3


@pytest_twisted.ensureDeferred
async def test_what_was_written_here_is_no_news_from_the_feed(start, shared_house):
    acl = await start(shared_house)
    await acl.handle(ALICE, BOB, Handling.BLOCK)
    record = await shared_house.storage.fetch(CONTACT, f"{ALICE} {BOB}")

    shared_house.storage.follower(Batch(1, "this", [record]))

    assert shared_house.decided_again == [ALICE]


@pytest_twisted.ensureDeferred
async def test_a_change_is_made_on_what_another_node_wrote_first(start, shared_house):
    acl = await start(shared_house)
    change = write_entry(ALICE, BOB, Handling.BLOCK, 0)
    await shared_house.storage.elsewhere(change, told=False)

    await acl.handle(ALICE, BOB, Handling.ALLOW)

    assert await acl.contacts(ALICE) == {BOB: Handling.ALLOW}
    record = await shared_house.storage.fetch(CONTACT, f"{ALICE} {BOB}")
    assert (record.version, record.payload) == (2, b"contact/1\nallow\n")


@pytest_twisted.ensureDeferred
async def test_taking_back_what_another_node_took_back_is_done(start, shared_house):
    acl = await start(shared_house)
    await acl.handle(ALICE, BOB, Handling.ALLOW)
    await shared_house.storage.elsewhere(write_entry(ALICE, BOB, None, 1), told=False)

    await acl.handle(ALICE, BOB, None)

    assert await acl.contacts(ALICE) == {}


@pytest_twisted.ensureDeferred
async def test_an_entry_that_never_holds_still_is_given_up(start, shared_house):
    acl = await start(shared_house)
    shared_house.storage.failure = Conflict([(CONTACT, f"{ALICE} {BOB}")])

    with pytest.raises(StorageUnavailable, match="keeps changing"):
        await acl.handle(ALICE, BOB, Handling.ALLOW)

    assert await acl.contacts(ALICE) == {}


@pytest_twisted.ensureDeferred
async def test_all_is_read_again_when_the_feed_says_so(start, shared_house):
    acl = await start(shared_house)
    await acl.handle(ALICE, BOB, Handling.BLOCK)
    await acl.handle(BOB, EVE, Handling.ALLOW)
    shared_house.decided_again.clear()
    storage = shared_house.storage
    await storage.elsewhere(write_entry(ALICE, BOB, None, 1), told=False)
    await storage.elsewhere(write_entry(EVE, BOB, Handling.ALLOW, 0), told=False)

    storage.follower(None)

    assert await acl.contacts(ALICE) == {}
    assert await acl.contacts(BOB) == {EVE: Handling.ALLOW}
    assert await acl.contacts(EVE) == {BOB: Handling.ALLOW}
    assert sorted(shared_house.decided_again) == [ALICE, EVE]


@pytest_twisted.ensureDeferred
async def test_what_changes_while_all_is_read_again_is_not_lost(start, shared_house):
    acl = await start(shared_house)
    storage = shared_house.storage
    meanwhile = write_entry(ALICE, BOB, Handling.BLOCK, 0)
    storage.before_page = lambda: Deferred.fromCoroutine(storage.elsewhere(meanwhile))

    storage.follower(None)

    assert await acl.contacts(ALICE) == {BOB: Handling.BLOCK}


@pytest_twisted.ensureDeferred
async def test_an_unreadable_entry_of_another_node_is_passed_over(start, shared_house):
    acl = await start(shared_house)
    bad = Put(CONTACT, f"{ALICE} {BOB}", ALICE, 0, NEVER, b"contact/9\n")

    await shared_house.storage.elsewhere(bad)

    assert await acl.contacts(ALICE) == {}
