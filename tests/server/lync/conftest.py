from __future__ import annotations

import attrs
import pytest
from zope.interface import implementer

from presproxy.acl.contacts import ContactsACL
from presproxy.acl.containers import ContainersACL
from presproxy.config import Limits
from presproxy.documents.lync.containers import Container
from presproxy.interfaces import (
    Account,
    Bounds,
    Feed,
    IDeltaPackage,
    IEventPackage,
)
from presproxy.model.notice import Body
from presproxy.packages.presence import PresencePackage
from presproxy.packages.provisioning import ProvisioningPackage, ProvisioningV2Package
from presproxy.packages.roaming_acl import RoamingAclPackage
from presproxy.packages.roaming_contacts import RoamingContactsPackage
from presproxy.packages.winfo import WinfoPackage
from presproxy.packages.wpending import WpendingPackage
from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.lync import LyncClient
from presproxy.testing.scripted import ScriptedACL

CATEGORIES = "application/msrtc-event-categories+xml"
LIMITS = Limits(batch=4, watchers_of_one=2, subscriptions_of_one=6)
PIDF = "application/pidf+xml"
ROAMING = "application/numbers"


@implementer(IEventPackage, IDeltaPackage)
@attrs.define(eq=False)
class NumbersPackage:
    """Shows a user the numbers of his containers; a change shows those that are new."""

    name: str = "roaming"
    produces: tuple[str, ...] = (ROAMING,)
    accepts: frozenset[str] = frozenset()
    bounds: Bounds = attrs.field(factory=lambda: Bounds(60, 3600, 86400))
    pause: float = 0.0
    feeds: Feed = Feed.ACCOUNT
    is_failing: bool = False

    def parse(self, content_type, data):
        raise AssertionError("nobody publishes numbers")

    def supersedes(self, document, earlier):
        return False

    def compose(self, material):
        return tuple(each.id for each in material.account.containers)

    def narrow(self, state, view):
        return state

    def neutral(self, presentity):
        return ()

    def render(self, state, content_type):
        return Body(content_type, b"all:" + _written(state))

    def render_change(self, state, former, content_type):
        if self.is_failing:
            raise RuntimeError("cannot say")
        new = [each for each in state if each not in former]
        return b"new:" + _written(new) if new else None


def _written(numbers):
    return " ".join(map(str, numbers)).encode()


class CategoriesPackage(PresencePackage):
    """Presence whose categories are easily read: what stands in the document."""

    def render(self, state, content_type):
        kind, _, names = content_type.partition(";categories=")
        body = super().render(state, PIDF)
        if kind != CATEGORIES:
            return body
        text = f"{state.presentity} [{names}] {shown(body.data.decode())}"
        return Body(CATEGORIES, text.encode())


def shown(text):
    for tag in ("note", "basic"):
        if f"<{tag}>" in text:
            return text.partition(f"<{tag}>")[2].partition("<")[0]
    return text


@attrs.define(eq=False)
class Keeps:
    """What everybody keeps of himself here: containers of these numbers."""

    desk: Desk
    numbers: list[int] = attrs.field(factory=lambda: [1])

    def account(self, aor):
        return Account(containers=[Container(each) for each in self.numbers])

    def keep(self, *numbers, user="alice"):
        self.numbers = list(numbers)
        aor = f"sip:{user}@example.test"
        self.desk.server.agent.changed(aor, "roaming", self.desk.clock.seconds())


@pytest.fixture
def numbers():
    return NumbersPackage()


@pytest.fixture
def stream():
    return RecordingStream()


@pytest.fixture
def acl():
    return ScriptedACL()


@pytest.fixture
def desk(acl, stream, numbers):
    """A server, and a client of it by a stream."""
    packages = (CategoriesPackage(), WinfoPackage(), numbers)
    return Desk(acl, flow=stream, packages=packages, limits=LIMITS)


@pytest.fixture
def keeps(desk):
    keeps = Keeps(desk)
    desk.server.agent.accounts = keeps.account
    return keeps


@pytest.fixture
def client(desk):
    """Makes a client of a user's."""
    return lambda user="alice", **others: LyncClient(desk, user, **others)


@pytest.fixture
def alice(client):
    """A client that has signed in."""
    made = client()
    assert made.register().status == 200
    return made


@pytest.fixture
def lync_desk():
    """A server with all that Lync's users keep in lists, and the ACLs that obey them."""
    return Desk(
        acl=[ContainersACL(), ContactsACL()],
        packages=(
            PresencePackage(),
            WinfoPackage(),
            RoamingContactsPackage(),
            RoamingAclPackage(),
            WpendingPackage(),
            ProvisioningPackage(),
            ProvisioningV2Package(),
        ),
    )


@pytest.fixture
def serve(lync_desk):
    """Send a SERVICE of Alice's to herself, or of somebody else's."""

    def served(content_type, body, *, user="alice", uri="sip:alice@example.test"):
        return lync_desk.ask(
            "SERVICE",
            {"Content-Type": content_type},
            body.decode() if isinstance(body, bytes) else body,
            uri=uri,
            user=user,
        )

    return served
