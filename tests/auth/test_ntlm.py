"""The authenticator by itself: its options, and one recorded exchange."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.logger import capturedLogs, formatEvent

from presproxy.auth.ntlm import NtlmAuthenticator
from presproxy.auth.ntlmmessages import write_challenge
from presproxy.auth.sipae import VERSIONS
from presproxy.auth.users import write_users
from presproxy.errors import AuthenticationContinues, ConfigurationMistakes
from presproxy.extend.build import build_named
from presproxy.extend.find import find_plugins
from presproxy.extend.uses import parse_use
from presproxy.model.identity import Identity
from presproxy.sip.message import parse_message
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.authenticator import AuthenticatorContract
from presproxy.testing.flows import RecordingFlow, RecordingStream

REALM = "SIP Communications Service"
TARGET = "presproxy.example.test"

AUTHENTICATE = (
    "TlRMTVNTUAADAAAAGAAYAHAAAABqAGoAiAAAAAAAAABIAAAAJAAkAEgAAAAEAAQAbAAAABAAEADyAAAA"
    "VYKYYgUBKAoAAAAPYQBsAGkAYwBlAEAAZQB4AGEAbQBwAGwAZQAuAHQAZQBzAHQAVgBNAMfuCxFPsbGD"
    "HdXangyZZ4vK7TFmSgm0BKyXoaB1lrOH4ZgqAHJ/af8BAQAAAAAAAGBzP3VLet0Byu0xZkoJtAQAAAAA"
    "AQAEAFYATQACABYAVwBPAFIASwBTAFQAQQBUAEkATwBOAAMABAB2AG0ABwAIAGBzP3VLet0BAAAAAAAA"
    "AABt4tHa65F2SHrNDle1TlnN"
)
#: What the challenge was that this is the answer to.
CHALLENGE = bytes.fromhex("59358cc12237a95c")


class TestNtlmAuthenticator(AuthenticatorContract):
    def make(self, directory):
        path = directory / "users"
        write_users(path, {"alice@example.test": "secret"})
        return NtlmAuthenticator(users=str(path))

    def flow(self):
        return RecordingStream()


class TestNtlmAuthenticatorAsAProxy(TestNtlmAuthenticator):
    def make(self, directory):
        path = directory / "users"
        write_users(path, {"alice@example.test": "secret"})
        return NtlmAuthenticator(users=str(path), mode="407")


def register(number, credentials):
    return parse_message(
        (
            "REGISTER sip:example.test SIP/2.0\r\n"
            "Via: SIP/2.0/tcp 127.0.0.1:48802;branch=z9hG4bK1\r\n"
            "From: <sip:alice@example.test>;tag=596010956;epid=b34afb6ebb23\r\n"
            "To: <sip:alice@example.test>\r\n"
            f"CSeq: {number} REGISTER\r\n"
            "Call-ID: 7AC8gDC78a3E3Di6DF2mBD45t65D7bFDD2x3929x\r\n"
            f"Authorization: NTLM {credentials}\r\n"
            "Content-Length: 0\r\n\r\n"
        ).encode()
    )


ANSWER = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/tcp 127.0.0.1:48802;branch=z9hG4bK1\r\n"
    b"From: <sip:alice@example.test>;tag=596010956;epid=b34afb6ebb23\r\n"
    b"To: <sip:alice@example.test>;tag=33E1F9784F04751C\r\n"
    b"CSeq: 3 REGISTER\r\n"
    b"Call-ID: 7AC8gDC78a3E3Di6DF2mBD45t65D7bFDD2x3929x\r\n"
    b"Expires: 7200\r\n"
    b"Content-Length: 0\r\n\r\n"
)


@pytest.fixture
def start(tmp_path, house):
    """Start one whose random octets are these, after those that are no user's hash."""

    async def started(*random, **options):
        path = tmp_path / "users"
        write_users(path, {"alice@example.test": "secret"})
        octets = iter([bytes(16), *random])
        authenticator = NtlmAuthenticator(
            users=str(path),
            target=TARGET,
            random=lambda length: next(octets),
            **options,
        )
        await authenticator.start(house)
        return authenticator

    return started


@pytest_twisted.ensureDeferred
async def test_a_recorded_exchange_ends_as_it_did(start):
    opaque, salt = bytes.fromhex("EF4F9C42"), bytes.fromhex("55887A4C")
    authenticator = await start(opaque, CHALLENGE, salt)
    flow = RecordingStream()
    same = f'qop="auth", realm="{REALM}", targetname="{TARGET}", version=4'

    with pytest.raises(AuthenticationContinues) as more:
        await authenticator.authenticate(register(2, f'{same}, gssapi-data=""'), flow)
    proof = (
        f'{same}, opaque="EF4F9C42", gssapi-data="{AUTHENTICATE}", crand="3cb7a946", '
        'cnum="1", response="010000008A63EEBCC80DC69164000000"'
    )
    identity = await authenticator.authenticate(register(3, proof), flow)
    flow.send(ANSWER)

    assert 'opaque="EF4F9C42"' in more.value.challenge
    assert identity == Identity(AddressOfRecord("sip:alice@example.test"), "ntlm")
    ((_, sent),) = flow.sent
    assert b'rspauth="010000005CB7AD141C4E1D5864000000", srand="55887A4C"' in sent


@pytest_twisted.ensureDeferred
async def test_nobody_proves_anything_by_datagrams(start):
    authenticator = await start()

    answer = await authenticator.authenticate(
        register(2, f'realm="{REALM}", gssapi-data=""'), RecordingFlow()
    )

    assert answer is None


@pytest_twisted.ensureDeferred
async def test_all_that_is_known_of_connections_goes_at_the_stop(start):
    authenticator = await start(bytes(4), CHALLENGE)
    flow = RecordingStream()
    with pytest.raises(AuthenticationContinues):
        await authenticator.authenticate(
            register(2, f'realm="{REALM}", gssapi-data="", version=4'), flow
        )

    held = flow.holds
    await authenticator.stop()

    assert (held, flow.holds) == (1, 0)


def test_the_challenge_on_the_wire_has_the_octets_that_were_drawn():
    assert write_challenge(CHALLENGE, TARGET, "example.test")[24:32] == CHALLENGE


@pytest_twisted.ensureDeferred
async def test_it_says_how_many_have_no_hash_yet(tmp_path, house):
    path = tmp_path / "users"
    path.write_text("alice@example.test:MD5=" + "0" * 32 + "\n")

    with capturedLogs() as events:
        await NtlmAuthenticator(users=str(path)).start(house)

    said = "\n".join(map(formatEvent, events))
    assert "1 of 1 users have no NT hash" in said


# --- Options


def built(text):
    """Make one from what stands on the command line."""
    return build_named(find_plugins(), "auth", parse_use(text, "--auth")).plugin


def test_all_options_can_be_given_on_the_command_line():
    plugin = built(
        "ntlm:users=/etc/users:mode=407:target=a.example.test:versions=3,4:life=60:"
        "failures=5"
    )

    assert plugin.users == "/etc/users"
    assert (plugin.mode, plugin.target) == ("407", "a.example.test")
    assert (plugin.versions, plugin.life, plugin.failures) == ((3, 4), 60.0, 5)


def test_what_is_not_given_signs_in_any_version():
    plugin = built("ntlm:users=users")

    assert (plugin.mode, plugin.target, plugin.versions) == ("401", None, VERSIONS)


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("mode=403", "mode"),
        ("versions=", "versions"),
        ("versions=1", "versions"),
        ("versions=4,5", "versions"),
        ("versions=four", "versions"),
        ('target="', "target"),
        ("target=a b", "target"),
        ("life=0", "life"),
        ("failures=-1", "failures"),
    ],
)
def test_an_option_that_cannot_be_is_named(option, named):
    with pytest.raises(ConfigurationMistakes, match=named):
        built(f"ntlm:users=users:{option}")
