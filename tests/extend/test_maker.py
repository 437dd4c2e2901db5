"""Declaring a plugin."""

from __future__ import annotations

import attrs
import pytest
from twisted.plugin import IPlugin
from zope.interface.verify import verifyObject

from presproxy.extend.maker import HELP, IPluginMaker, PluginMaker, option


def test_a_maker_is_what_twisted_and_we_look_for():
    maker = PluginMaker("acl", "acme", "acme.acl:AcmeACL", "Asks Acme.")

    assert verifyObject(IPluginMaker, maker)
    assert verifyObject(IPlugin, maker)


@pytest.mark.parametrize(
    ("kind", "name", "target", "why"),
    [
        ("door", "acme", "acme:Door", "'kind' must be in"),
        ("acl", "", "acme:Door", "cannot be the name"),
        ("acl", "ac:me", "acme:Door", "cannot be the name"),
        ("acl", "acme", "acme.Door", "as module:Class"),
        ("acl", "acme", "acme:", "as module:Class"),
        ("acl", "acme", ".acme:Door", "as module:Class"),
    ],
    ids=["kind", "no name", "colon in the name", "no colon", "no class", "relative"],
)
def test_a_maker_that_could_never_be_used_is_refused_where_it_is_written(
    kind, name, target, why
):
    with pytest.raises(ValueError, match=why):
        PluginMaker(kind, name, target, "")


def test_an_option_is_a_field_with_its_help():
    @attrs.define
    class Plugin:
        path: str = option("Where it is.")
        size: int = option("How large it is.", default=3, converter=int)

    assert Plugin("here", size="4") == Plugin("here", 4)
    assert attrs.fields(Plugin).path.metadata[HELP] == "Where it is."
