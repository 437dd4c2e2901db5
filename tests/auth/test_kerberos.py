"""Tickets of a key distribution centre of our own, and signatures made by them."""

from __future__ import annotations

import sys
from base64 import b64decode, b64encode

import attrs
import pytest
import pytest_twisted

from presproxy.auth.kerberos import KerberosAuthenticator
from presproxy.auth.sipae import Terms, signed_text
from presproxy.errors import ConfigurationMistakes, CredentialsRejected
from presproxy.extend.build import build_named
from presproxy.extend.find import find_plugins
from presproxy.extend.uses import parse_use
from presproxy.model.identity import Identity
from presproxy.sip.authfields import read_params
from presproxy.sip.message import parse_message
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.authenticator import AuthenticatorContract
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.kdc import Kdc
from presproxy.testing.lynclogin import with_field
from presproxy.testing.recorders import FakeHouse

TARGET = "sip/presproxy.example.test"
ALICE = Identity(AddressOfRecord("sip:alice@example.test"), "kerberos")

needs_kerberos = pytest.mark.needs(
    "krb5kdc", "kdb5_util", "kadmin.local", "import gssapi"
)


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    made = Kdc(tmp_path_factory.mktemp("kdc"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            patch.setenv(name, value)
        try:
            made.start(
                {
                    "alice": "secret",
                    "bob": "builder",
                    "alice/admin": "root",
                    "al%69ce": "x",
                }
            )
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="module")
def keytab(kdc):
    return str(kdc.keytab(TARGET))


@pytest.fixture
def running():
    """A house whose threads can come back."""
    from twisted.internet import reactor

    return FakeHouse(reactor=reactor)


@pytest.fixture
def start(keytab, running):
    """Start one; all that were started are stopped."""
    begun = []

    async def started(**options):
        options = {"target": TARGET, "keytab": keytab, **options}
        authenticator = KerberosAuthenticator(**options)
        await authenticator.start(running)
        begun.append(authenticator)
        return authenticator

    yield started
    for each in begun:
        each._threads.stop()


@attrs.define(eq=False)
class Ticket:
    """A user agent with a ticket, and what it signs by that."""

    principal: str = "alice"
    password: str = "secret"
    version: int = 4
    context: object = None
    opaque: str = ""
    count: int = 0

    def token(self):
        import gssapi
        from gssapi.raw import acquire_cred_with_password

        def name(text):
            return gssapi.Name(text, gssapi.NameType.kerberos_principal)

        mechs = [gssapi.MechType.kerberos]
        creds = acquire_cred_with_password(
            name(self.principal), self.password.encode(), mechs=mechs, usage="initiate"
        ).creds
        self.context = gssapi.SecurityContext(
            name=name(TARGET),
            creds=creds,
            usage="initiate",
            mech=gssapi.MechType.kerberos,
            flags=gssapi.RequirementFlag.integrity,
        )
        return self.context.step()

    def credentials(self, data, token=b""):
        """Give credentials with a ticket, a signature or both."""
        self.count += 1
        terms = Terms("Kerberos", TARGET, self.version)
        number = str(self.count)
        text = signed_text(terms, "e2479571", number, parse_message(data))
        begun = (
            f'gssapi-data="{b64encode(token).decode()}"'
            if token
            else f'opaque="{self.opaque}"'
        )
        signature = ""
        if not token or self.version > 3:
            signed = self.context.get_signature(text).hex()
            signature = f', crand="e2479571", cnum="{number}", response="{signed}"'
        return f'Kerberos qop="auth", {terms}, {begun}{signature}'

    def is_signed(self, data):
        """Whether the server signed a message by this ticket."""
        message = parse_message(data)
        given = read_params("x", message.get("authentication-info"), "kerberos")
        self.opaque = given["opaque"]
        terms = Terms("Kerberos", TARGET, self.version)
        text = signed_text(terms, given["srand"], given["snum"], message)
        self.context.verify_signature(text, bytes.fromhex(given["rspauth"]))
        return True


REGISTER = (
    "REGISTER sip:example.test SIP/2.0\r\n"
    "Via: SIP/2.0/tcp 127.0.0.1:48802;branch=z9hG4bK1\r\n"
    "From: <sip:alice@example.test>;tag=1\r\n"
    "To: <sip:alice@example.test>\r\n"
    "CSeq: {} REGISTER\r\n"
    "Call-ID: c1\r\n"
    "Supported: gruu-10\r\n"
    "Content-Length: 0\r\n\r\n"
)
OK = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/tcp 127.0.0.1:48802;branch=z9hG4bK1\r\n"
    b"From: <sip:alice@example.test>;tag=1\r\n"
    b"To: <sip:alice@example.test>;tag=2\r\n"
    b"CSeq: 2 REGISTER\r\n"
    b"Call-ID: c1\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def write(number=2):
    return REGISTER.format(number).encode()


def proved(data, credentials):
    return parse_message(with_field(data, "Authorization", credentials))


async def sign_in(authenticator, ticket, flow):
    data = write()
    request = proved(data, ticket.credentials(data, ticket.token()))
    return await authenticator.authenticate(request, flow)


async def rejection(awaitable):
    with pytest.raises(CredentialsRejected) as caught:
        await awaitable
    return caught.value.why


@needs_kerberos
class TestKerberosAuthenticator(AuthenticatorContract):
    @pytest.fixture
    def house(self, running, keytab):
        return running

    def make(self, directory):
        # Its key is in the keytab of this host, as the environment has it.
        return KerberosAuthenticator(target=TARGET)

    def flow(self):
        return RecordingStream()


@needs_kerberos
@pytest.mark.parametrize("version", [3, 4])
@pytest_twisted.ensureDeferred
async def test_a_ticket_proves_who_it_is_and_signs_from_then_on(start, version):
    authenticator = await start()
    ticket, flow = Ticket(version=version), RecordingStream()

    identity = await sign_in(authenticator, ticket, flow)
    flow.send(OK)
    ((_, answer),) = flow.sent
    signed = ticket.is_signed(answer)
    data = write(3)
    later = await authenticator.authenticate(
        proved(data, ticket.credentials(data)), flow
    )

    assert (identity, signed, later) == (ALICE, True, ALICE)


@needs_kerberos
def test_the_challenge_names_the_principal(keytab):
    authenticator = KerberosAuthenticator(target=TARGET, keytab=keytab)

    challenges = authenticator.challenge(parse_message(write()), "example.test", False)

    assert list(challenges) == [
        'Kerberos realm="SIP Communications Service", '
        'targetname="sip/presproxy.example.test", version=4'
    ]


@needs_kerberos
@pytest_twisted.ensureDeferred
async def test_a_realm_may_be_of_another_domain(start, running):
    running.domains = ("example.test", "other.test")
    authenticator = await start(domain="other.test")

    identity = await sign_in(authenticator, Ticket(), RecordingStream())

    assert identity.aor == "sip:alice@other.test"


@needs_kerberos
@pytest_twisted.ensureDeferred
async def test_a_principal_is_nobody_whose_address_can_be_read_into_it(start):
    authenticator = await start()

    why = await rejection(
        sign_in(authenticator, Ticket("al%69ce", "x"), RecordingStream())
    )

    assert "no user of ours" in why


@needs_kerberos
@pytest.mark.parametrize(
    ("principal", "domain"), [("alice/admin", None), ("alice", "elsewhere.test")]
)
@pytest_twisted.ensureDeferred
async def test_a_principal_that_is_no_user_of_ours_is_rejected(
    start, principal, domain
):
    authenticator = await start(domain=domain)
    password = "root" if "/" in principal else "secret"
    flow = RecordingStream()

    why = await rejection(sign_in(authenticator, Ticket(principal, password), flow))

    assert "no user of ours" in why
    assert flow.seal is None


@needs_kerberos
@pytest.mark.parametrize("version", [3, 4])
@pytest_twisted.ensureDeferred
async def test_a_ticket_is_good_once(start, version):
    authenticator = await start()
    ticket, data = Ticket(version=version), write()
    request = proved(data, ticket.credentials(data, ticket.token()))
    await authenticator.authenticate(request, RecordingStream())

    flow = RecordingStream()
    why = await rejection(authenticator.authenticate(request, flow))

    assert "not good" in why
    assert flow.seal is None


@needs_kerberos
@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "not base64"])
@pytest_twisted.ensureDeferred
async def test_a_damaged_ticket_is_rejected(start, damage):
    authenticator = await start()
    ticket, data, flow = Ticket(), write(), RecordingStream()
    token = ticket.token()
    credentials = ticket.credentials(data, token)
    text = b64encode(token).decode()
    middle = len(token) // 2
    changed = token[:middle] + bytes([token[middle] ^ 1]) + token[middle + 1 :]
    other = {
        "cut": b64encode(token[:-20]).decode(),
        "changed": b64encode(changed).decode(),
        "empty": "",
        "not base64": "%",
    }[damage]
    assert b64decode(text) == token

    await rejection(
        authenticator.authenticate(proved(data, credentials.replace(text, other)), flow)
    )

    assert flow.seal is None


@needs_kerberos
@pytest_twisted.ensureDeferred
async def test_from_version_4_on_the_request_with_the_ticket_is_signed(start):
    authenticator = await start()
    ticket, flow = Ticket(), RecordingStream()
    signed_for = write(9)
    credentials = ticket.credentials(signed_for, ticket.token())

    why = await rejection(
        authenticator.authenticate(proved(write(), credentials), flow)
    )

    assert why == "the signature is wrong"
    assert flow.seal is None


@needs_kerberos
@pytest_twisted.ensureDeferred
async def test_an_altered_request_ends_the_association(start):
    authenticator = await start()
    ticket, flow = Ticket(), RecordingStream()
    await sign_in(authenticator, ticket, flow)
    flow.send(OK)
    ticket.is_signed(flow.sent[0][1])
    credentials = ticket.credentials(write(3))
    good = ticket.credentials(write(4))

    wrong = await rejection(
        authenticator.authenticate(proved(write(5), credentials), flow)
    )
    after = await rejection(authenticator.authenticate(proved(write(4), good), flow))

    assert (wrong, after) == ("the signature is wrong", "no such security association")
    assert flow.seal is None


@needs_kerberos
@pytest_twisted.ensureDeferred
async def test_one_ticket_is_read_at_a_time_from_each_connection(start):
    from twisted.internet.defer import Deferred

    authenticator = await start()
    ticket, flow, data = Ticket(), RecordingStream(), write()
    first = Deferred.fromCoroutine(sign_in(authenticator, ticket, flow))
    credentials = f'Kerberos {Terms("Kerberos", TARGET)}, gssapi-data="AAAA"'

    why = await rejection(authenticator.authenticate(proved(data, credentials), flow))

    assert why == "another ticket is being read"
    assert await first == ALICE


@needs_kerberos
@pytest_twisted.ensureDeferred
async def test_nobody_proves_anything_by_datagrams(start):
    authenticator = await start()

    assert await sign_in(authenticator, Ticket(), RecordingFlow()) is None


@needs_kerberos
@pytest.mark.parametrize("missing", ["the principal", "the file"])
@pytest_twisted.ensureDeferred
async def test_it_does_not_start_without_its_key(start, tmp_path, missing):
    options = {
        "the principal": {"target": "sip/elsewhere.example.test"},
        "the file": {"keytab": str(tmp_path / "none")},
    }[missing]

    with pytest.raises(ConfigurationMistakes, match="no key for sip/"):
        await start(**options)


# --- Options


def built(text):
    """Make one from what stands on the command line."""
    return build_named(find_plugins(), "auth", parse_use(text, "--auth")).plugin


@pytest.mark.needs("import gssapi")
def test_all_options_can_be_given_on_the_command_line():
    plugin = built(
        "kerberos:target=sip/a.example.test:keytab=/etc/k:domain=b.test:versions=4:life=9"
    )

    assert (plugin.target, plugin.keytab) == ("sip/a.example.test", "/etc/k")
    assert (plugin.domain, plugin.versions, plugin.life) == ("b.test", (4,), 9.0)


@pytest.mark.parametrize("target", ["", "sip", "sip/", "a.test", 'sip/"', "sip/a@B"])
def test_the_target_is_a_service_on_a_host(target):
    with pytest.raises(ConfigurationMistakes, match="target"):
        built(f"kerberos:target={target}")


def test_where_the_library_is_missing_the_mistake_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gssapi", None)

    with pytest.raises(ConfigurationMistakes, match=r"presproxy\[kerberos\]"):
        built("kerberos:target=sip/a.example.test")
