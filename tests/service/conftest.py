from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from presproxy.config import Configuration, Plan
from presproxy.extend.build import Named
from presproxy.interfaces import IHouse, INotifier
from presproxy.notify.sip import SipNotifier
from presproxy.packages.presence import PresencePackage
from presproxy.packages.winfo import WinfoPackage
from presproxy.testing.recorders import RecordingStorage
from presproxy.testing.scripted import ScriptedACL, ScriptedAuthenticator
from presproxy.transport.where import Where


@attrs.define(eq=False)
class Diary:
    """
    What plugins were told to do, in order, as "start acl".

    ``meanwhile`` says what one does then: raise, or give something to wait for.
    """

    entries: list[str] = attrs.field(factory=list)
    meanwhile: dict[str, Callable[[], Deferred[None] | None]] = attrs.field(
        factory=dict
    )

    async def write(self, entry: str) -> None:
        self.entries.append(entry)
        waiting = self.meanwhile.get(entry, lambda: None)()
        if waiting is not None:
            await waiting


def recording(kind: type, name: str, diary: Diary):
    """Make a plugin of a class which writes down its start and its stop."""

    class Recording(kind):
        async def start(self, house: IHouse) -> None:
            await diary.write(f"start {name}")
            await super().start(house)

        async def stop(self) -> None:
            await diary.write(f"stop {name}")
            await super().stop()

    return Recording()


@implementer(INotifier)
class Notes:
    """A notifier which keeps what it was told."""

    def __init__(self):
        self.told = []

    async def start(self, house):
        """See `IPluggable`."""

    async def stop(self):
        """See `IPluggable`."""

    def notify(self, notice):
        self.told.append(notice)


@pytest.fixture
def diary():
    return Diary()


LISTEN = tuple(Where(each, 0, "127.0.0.1") for each in ("udp", "tcp"))
HTTP = Where("tcp", 0, "127.0.0.1")


@pytest.fixture
def make_plan(diary):
    """Make a plan whose plugins write into the diary."""

    def make(listen=LISTEN, http=HTTP, **fields):
        configuration = Configuration(
            listen=listen, http=http, domains=("example.test", "127.0.0.1"), **fields
        )
        return Plan(
            configuration=configuration,
            auth=[],
            acl=[Named("scripted", recording(ScriptedACL, "acl", diary))],
            storage=Named("recording", recording(RecordingStorage, "storage", diary)),
            notifiers=[
                Named("sip", recording(SipNotifier, "sip", diary)),
                Named("notes", recording(Notes, "notes", diary)),
            ],
            packages={each.name: each for each in (PresencePackage(), WinfoPackage())},
        )

    return make


@pytest.fixture
def with_auth(make_plan, diary):
    """Make a plan that has an authenticator."""

    def make(**fields):
        auth = Named("scripted", recording(ScriptedAuthenticator, "auth", diary))
        return attrs.evolve(make_plan(**fields), auth=[auth])

    return make
