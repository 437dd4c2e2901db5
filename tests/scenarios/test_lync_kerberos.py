"""A Lync client that others have written, SIPE, signs in by a ticket."""

from __future__ import annotations

from pathlib import Path

import pytest

from presproxy.testing.instance import Instance, wait_for
from presproxy.testing.kdc import Kdc
from presproxy.testing.purple import PurpleUser

DRIVER = Path(__file__).parent / "clients" / "purple_user.py"
TARGET = "sip/presproxy.contoso.com"

#: Seconds for a client to sign in, and for what follows at once.
SIGNED_IN = 20
NEXT = 10

pytestmark = pytest.mark.needs(
    "libpurple.so.0",
    "purple-2/libsipe.so",
    "python3",
    "krb5kdc",
    "kdb5_util",
    "kadmin.local",
    "import gssapi",
)


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    made = Kdc(tmp_path_factory.mktemp("kdc"), "CONTOSO.COM")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            patch.setenv(name, value)
        try:
            made.start({"alice": "wonderland"})
            get_ticket("alice", "wonderland", made.environment["KRB5CCNAME"])
            yield made
        finally:
            made.stop()


def get_ticket(user: str, password: str, place: str) -> None:
    """Get the ticket that all others come from, and put it where programs look for it."""
    import gssapi
    from gssapi.raw import acquire_cred_with_password, store_cred_into

    name = gssapi.Name(user, gssapi.NameType.kerberos_principal)
    kerberos = gssapi.MechType.kerberos
    got = acquire_cred_with_password(
        name, password.encode(), mechs=[kerberos], usage="initiate"
    )
    store_cred_into({"ccache": place}, got.creds, usage="initiate", mech=kerberos)


def answers(server: Instance, outcome: str) -> float:
    """How many answers to challenges came out so."""
    name = f'outcome="{outcome}",scheme="kerberos"'
    return sum(value for key, value in server.metrics().items() if name in key)


@pytest.mark.parametrize("version", [3, 4])
def test_a_ticket_signs_a_user_in_and_all_that_follows(
    kdc, servers, instances_shown, tmp_path, version
):
    keytab = kdc.keytab(TARGET)
    server = servers(
        "--auth", f"kerberos:target={TARGET}:keytab={keytab}:versions={version}"
    )
    options = {
        "server": f"127.0.0.1:{server.tcp[1]}",
        "transport": "tcp",
        "authentication": "krb5",
        "sso": True,
    }
    folder = tmp_path / "alice"
    folder.mkdir()
    alice = PurpleUser.start(
        folder,
        DRIVER,
        {
            "protocol": "prpl-sipe",
            "user": "alice@contoso.com",
            "password": "",
            "options": options,
            "buddies": [],
            "debug": True,
        },
    )
    instances_shown.append(alice)

    try:
        assert alice.wait_until_signed_on(SIGNED_IN)
        # Its REGISTER, and the requests that come after it, which are signed only.
        subscribed = wait_for(
            lambda: alice.logs().count("signature of incoming message validated") > 1,
            NEXT,
        )
    finally:
        alice.kill()

    assert subscribed
    assert answers(server, "proved") == 1
    assert answers(server, "wrong") == answers(server, "unsigned") == 0
