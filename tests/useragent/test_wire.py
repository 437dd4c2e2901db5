from __future__ import annotations

import pytest

from presproxy.errors import MalformedField
from presproxy.useragent import Server


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("sip.example.test", "sip.example.test", 5060),
        ("192.0.2.1:5070", "192.0.2.1", 5070),
        ("[2001:db8::1]:5070", "2001:db8::1", 5070),
        ("[2001:db8::1]", "2001:db8::1", 5060),
        ("2001:db8::1", "2001:db8::1", 5060),
    ],
)
def test_a_server_is_read(text, host, port):
    assert Server.parse(text, "tcp") == Server(host, port, "tcp")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":5060",
        "host:",
        "host:x",
        "host:0",
        "host:70000",
        "[::1]5",
        "a@b",
        "sip:h;t",
    ],
)
def test_what_is_no_server_is_refused(text):
    with pytest.raises(MalformedField):
        Server.parse(text)


def test_a_server_is_written_as_people_write_it():
    assert str(Server("2001:db8::1", 5070, "tcp")) == "tcp:[2001:db8::1]:5070"
