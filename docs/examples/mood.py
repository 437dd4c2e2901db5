"""An event package of one's own: the mood of a presentity, one word of plain text."""

import attrs
from zope.interface import implementer

from presproxy.errors import MalformedDocument
from presproxy.extend.maker import PluginMaker
from presproxy.interfaces import Bounds, Feed, IEventPackage
from presproxy.model.decision import FULL
from presproxy.model.notice import Body

maker = PluginMaker(
    "package", "mood", "mood:Mood", "The mood of a presentity, in a word."
)


@implementer(IEventPackage)
@attrs.define(eq=False)
class Mood:
    """The latest word said by any of a user's devices."""

    name = "mood"
    produces = ("text/plain",)
    accepts = frozenset({"text/plain"})
    bounds = Bounds(60, 3600, 86400)
    pause = 0.0
    feeds = Feed.PUBLICATIONS

    def parse(self, content_type, data):
        if not data.isalpha() or len(data) > 40:
            raise MalformedDocument("a mood is one word")
        return data

    def supersedes(self, document, earlier):
        return True

    def compose(self, material):
        return (
            material.publications[0].document if material.publications else b"unknown"
        )

    def narrow(self, state, view):
        return state if view == FULL else b"unknown"

    def neutral(self, presentity):
        return b"unknown"

    def render(self, state, content_type):
        return Body(content_type, state)
