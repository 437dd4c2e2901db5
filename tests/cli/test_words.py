from __future__ import annotations

import click
import pytest

from presproxy.cli.words import address, short, url, where
from presproxy.useragent import Server


@pytest.mark.parametrize(
    "text",
    [
        "alice@example.test",
        "sip:alice@example.test",
        "sip:alice@EXAMPLE.test:5060;transport=tcp",
        "pres:alice@example.test",
    ],
)
def test_an_address_is_read_as_people_write_it(text):
    assert address(text) == "sip:alice@example.test"


@pytest.mark.parametrize(
    "text", ["", "alice", "@example.test", "sip:example.test", "tel:+49", "a b@c"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(click.BadParameter):
        address(text)


def test_a_server_is_read():
    assert where("127.0.0.1:5070") == Server("127.0.0.1", 5070)


def test_what_is_no_server_is_refused():
    with pytest.raises(click.BadParameter):
        where("a:b:c:d@")


@pytest.mark.parametrize("text", ["http://127.0.0.1:8080", "https://[::1]/presence/"])
def test_a_url_is_read(text):
    assert url(text) == text


def test_an_address_is_shown_without_its_scheme():
    assert short("sip:alice@example.test") == "alice@example.test"
