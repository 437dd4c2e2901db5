"""Reading everything back at the start."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from presproxy.events.locations import Locations
from presproxy.events.restore import Restorer
from presproxy.events.subscribers import Subscribers
from presproxy.model.payload import PUBLICATION, write_publication
from presproxy.model.record import Put
from presproxy.service.restoring import Restoring
from presproxy.testing.agency import Agency, watcher
from presproxy.testing.recorders import RecordingStorage
from presproxy.testing.waiting import waiting_test


class SlowStorage(RecordingStorage):
    """A storage in which each page takes some time."""

    def __init__(self, wait: Callable[[], None]):
        super().__init__()
        self.wait = wait

    async def scan(self, kind, node=None):
        async for page in super().scan(kind, node):
            self.wait()
            yield page


@pytest.fixture
def agency():
    return Agency(most_in_all=5000)


@pytest.fixture
def restore(agency):
    """Restore some publications, of which a page takes so long, and give the log."""

    async def restored(count: int, seconds: float) -> list[str]:
        clock = Clock()
        storage = SlowStorage(lambda: clock.advance(seconds))
        former = Agency(most_in_all=5000)
        made = [former.publish("away", watcher(f"p{n}")) for n in range(count)]
        await storage.commit(
            [
                Put(
                    PUBLICATION,
                    str(number),
                    each.presentity,
                    0,
                    each.expires_at,
                    write_publication(each),
                )
                for number, each in enumerate(made)
            ]
        )
        restorer = Restorer(
            compositor=agency.compositor,
            agent=agency.agent,
            locations=Locations(),
            categories=agency.categories,
            subscribers=Subscribers(lambda user: None),
            keepers={},
            now=agency.now(),
        )
        with capturedLogs() as events:
            await Restoring(storage, restorer, clock.seconds).run()
        return [formatEvent(event) for event in events]

    return restored


@waiting_test
async def test_how_far_it_is_is_told_once_a_second(restore, agency):
    lines = await restore(4500, 0.6)

    assert lines == [
        "restored 2,000 of 4,500 publications",
        "restored 4,000 of 4,500 publications",
        "4,500 records are back after 3.0 s, 0 could not be read",
    ]
    assert len(agency.compositor) == 4500


@waiting_test
async def test_what_is_back_at_once_is_one_line(restore):
    assert await restore(3, 0.1) == [
        "3 records are back after 0.1 s, 0 could not be read"
    ]


@waiting_test
async def test_nothing_is_said_where_nothing_was_kept(restore):
    assert await restore(0, 9.0) == []
