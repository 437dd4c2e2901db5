"""The URIs that lead to one endpoint."""

from __future__ import annotations

from uuid import UUID

import pytest

from presproxy.sip.gruu import endpoint_name, named_endpoint, write_gruu
from presproxy.sip.uri import parse_uri

INSTANCE = UUID("085e0bd8-031c-5a0d-8d9a-f149aae6954a")
NAME = "CF4L2AMcWg2NmvFJquaVSgAA"


def test_an_endpoint_is_named_by_its_uuid():
    assert endpoint_name(INSTANCE) == NAME


def test_what_is_written_leads_to_it():
    text = write_gruu("sip:alice@example.test", INSTANCE)

    assert text == f"sip:alice@example.test;opaque=user:epid:{NAME};gruu"
    assert named_endpoint(parse_uri(text)) == NAME


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        (f"sip:a@x;gruu;opaque=user%3Aepid%3A{NAME}", NAME),
        (f"sip:a@x;opaque=user:epid:{NAME}", None),
        ("sip:a@x;opaque=app:conf;gruu", None),
        ("sip:a@x;gruu", None),
        ("sip:a@x", None),
    ],
)
def test_a_uri_may_name_an_endpoint(uri, name):
    assert named_endpoint(parse_uri(uri)) == name
