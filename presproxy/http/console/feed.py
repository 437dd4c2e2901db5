"""
The stream of server-sent events: ``GET /api/v1/events?topics=…``.

A reader asks for topics, each written ``name:rest`` and separated by a vertical bar.
Every event has an id, from which a reader goes on who comes back; where that cannot be, he
is told ``reset`` and asks for the whole again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from presproxy.http.answers import not_now
from presproxy.http.console.topics import News, Opening, Topic, open_topic

_log = Logger()

#: Readers at once; a page has one.
READERS = 50

#: Topics of one reader, and how many characters they may have in all.
TOPICS, LONGEST = 8, 16_384

#: Seconds between two looks for news, and between two signs of life.
_TICK, _ALIVE = 0.2, 15.0

#: Milliseconds after which a browser comes back.
_RETRY = 1000


@implementer(IPushProducer)
@attrs.define(eq=False)
class Reader:
    """One page that reads; it is written to only while its connection takes more."""

    id: str
    request: Any
    topics: dict[str, Topic]
    due: dict[str, float] = attrs.field(factory=dict)
    wrote_at: float = 0.0
    is_paused: bool = False
    is_asking: bool = False
    is_gone: bool = False

    def pauseProducing(self) -> None:
        self.is_paused = True

    def resumeProducing(self) -> None:
        self.is_paused = False

    def stopProducing(self) -> None:
        self.is_gone = True

    def write(self, news: News, id: str, now: float) -> None:
        """Send one event."""
        data = json.dumps(news.data, ensure_ascii=False, separators=(",", ":"))
        text = f"id: {id}\nevent: {news.event}\ndata: {data}\n\n"
        self.request.write(text.encode("utf-8", "replace"))
        self.wrote_at = now

    def sign_of_life(self, now: float) -> None:
        """Send a comment, by which a connection that broke is found out."""
        self.request.write(b":\n\n")
        self.wrote_at = now


@attrs.define(eq=False)
class Feed:
    """
    All who read.

    ``openings`` opens topics by their names; ``number`` is the number that goes into ids,
    and ``epoch`` tells this process from others.  Nothing happens while nobody reads.
    """

    reactor: Any
    openings: Mapping[str, Opening]
    number: Callable[[], int]
    epoch: str
    _readers: dict[str, Reader] = attrs.field(factory=dict)
    _made: int = 0
    _loop: LoopingCall = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self._tick)
        self._loop.clock = self.reactor

    def __len__(self) -> int:
        return len(self._readers)

    def open(self, request: Any, names: str, last: str) -> Deferred[bytes]:
        """
        Begin to tell a reader, who was told the event ``last`` before.

        What is given never comes, as long as the reader is there.  Raises `Wrong` for topics there are not, and where too many read.
        """
        if len(self._readers) >= READERS:
            raise not_now("topics", f"{READERS} pages read already")
        number = self._number_in(last)
        topics = self._open(names, number)
        self._made += 1
        reader = Reader(f"{self.epoch}{self._made}", request, topics)
        self._readers[reader.id] = reader
        request.setHeader("Content-Type", "text/event-stream; charset=utf-8")
        request.setHeader("X-Accel-Buffering", "no")
        request.notifyFinish().addBoth(lambda _: self._close(reader))
        request.registerProducer(reader, True)
        request.write(f"retry: {_RETRY}\n\n".encode())
        self._write(reader, News("hello", {"id": reader.id}))
        if last and number is None:
            self._write(reader, News("reset", {"reason": "it goes on anew"}))
        if not self._loop.running:
            self._loop.start(_TICK, now=False)
        return Deferred()

    def change(self, id: str, names: str) -> bool:
        """Let a reader have other topics; say whether there is such a reader."""
        reader = self._readers.get(id)
        if reader is None:
            return False
        opened = self._open(names, None)
        # What it reads already goes on from where it is.
        reader.topics = {
            name: reader.topics.get(name, topic) for name, topic in opened.items()
        }
        return True

    def stop(self) -> None:
        """Tell all who read that this ends, and end it."""
        if self._loop.running:
            self._loop.stop()
        for reader in tuple(self._readers.values()):
            if not reader.is_gone:
                self._write(reader, News("bye", {"reason": "the server stops"}))
                reader.request.unregisterProducer()
                reader.request.finish()

    def _open(self, names: str, number: int | None) -> dict[str, Topic]:
        wanted = [name for name in names[:LONGEST].split("|") if name][:TOPICS]
        return {name: open_topic(self.openings, name, number) for name in wanted}

    def _number_in(self, last: str) -> int | None:
        """Read the id of an event; None if it is of another process."""
        epoch, _, number = last.partition("-")
        if epoch != self.epoch or not (number.isascii() and number.isdigit()):
            return None
        return min(int(number[:10]), self.number())

    def _write(self, reader: Reader, news: News) -> None:
        reader.write(news, f"{self.epoch}-{self.number()}", self.reactor.seconds())

    def _close(self, reader: Reader) -> None:
        reader.is_gone = True
        self._readers.pop(reader.id, None)
        if not self._readers and self._loop.running:
            self._loop.stop()

    # -- News ------------------------------------------------------------------------

    def _tick(self) -> None:
        now = self.reactor.seconds()
        for reader in tuple(self._readers.values()):
            if reader.is_paused or reader.is_asking or reader.is_gone:
                continue
            if now - reader.wrote_at >= _ALIVE:
                reader.sign_of_life(now)
            asking = Deferred.fromCoroutine(self._tell(reader, now))
            asking.addErrback(self._failed, reader)

    async def _tell(self, reader: Reader, now: float) -> None:
        reader.is_asking = True
        try:
            for name, topic in tuple(reader.topics.items()):
                if now < reader.due.get(name, 0.0):
                    continue
                news = await topic.news()
                if reader.is_gone:
                    return
                if news is not None:
                    reader.due[name] = now + topic.pause
                    self._write(reader, news)
        finally:
            reader.is_asking = False

    def _failed(self, failure: Failure, reader: Reader) -> None:
        """A defect of ours: the reader is let go of, and comes back."""
        _log.failure("A page could not be told what is new", failure=failure)
        if not reader.is_gone:
            reader.request.unregisterProducer()
            reader.request.finish()
